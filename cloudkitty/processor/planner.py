# SPDX-License-Identifier: Apache-2.0
"""What to rate next: scopes that share their next period, in slices of bounded size.

Pure functions of scopes, states and the clock. A round takes one slice of every scope that is due,
those that lag least first: a scope that has a month to catch up never keeps the others waiting
for longer than one slice takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cloudkitty.processor.backoff import Backoff
from cloudkitty.processor.due import DueRule


@dataclass(frozen=True, slots=True)
class Position:
    """Where a scope stands: begin of the period rated last, None when none was."""

    last: int | None
    active: bool = True


NEVER_RATED = Position(None)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive periods of scopes that go through the processor together."""

    #: Scope id -> begin of the period that it was rated for last.
    scopes: Mapping[str, int | None]
    begins: range
    period: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a batch may be."""

    scopes: int
    periods: int
    #: Scopes times periods.
    cells: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The batches of a round, in order, and when to plan again if there are none."""

    batches: list[Batch]
    #: Epoch seconds; None when nothing will ever be due.
    next_due: float | None


class Planner:
    """Plans with one due rule and one set of limits."""

    def __init__(self, rule: DueRule, backoff: Backoff) -> None:
        self._rule = rule
        self._backoff = backoff

    def plan(self, positions: Mapping[str, Position], limits: Limits, now: float) -> Plan:
        """Plan a round for scopes at the given positions."""
        groups: dict[tuple[int, int], list[str]] = {}
        next_due: list[float] = []
        for scope, position in positions.items():
            if not position.active:
                continue
            begin = self._rule.following(position.last, int(now))
            count = self._rule.count(begin, int(now))
            if not count:
                next_due.append(self._rule.instant(begin))
            elif self._backoff.waits(scope, now):
                next_due.append(self._backoff.until(scope))
            else:
                taken = self._backoff.limit(scope, min(count, limits.periods))
                groups.setdefault((begin, taken), []).append(scope)
        batches = [
            batch
            # The latest begin first: those scopes lag least.
            for (begin, count), scopes in sorted(groups.items(), key=lambda g: (-g[0][0], g[0][1]))
            for batch in slices(
                {scope: positions[scope].last for scope in scopes},
                range(begin, begin + count * self._rule.period, self._rule.period),
                limits,
            )
        ]
        return Plan(batches, min(next_due, default=None))


def slices(scopes: Mapping[str, int | None], begins: range, limits: Limits) -> list[Batch]:
    """Cut scopes that share their next periods into batches, of as many periods as there may be.

    `scopes` has scope id -> begin of the period that it was rated for last.
    """
    ordered = sorted(scopes)
    at_once = max(1, min(limits.scopes, limits.cells))
    count = max(1, min(len(begins), limits.periods, limits.cells // min(at_once, len(ordered))))
    return [
        Batch({s: scopes[s] for s in ordered[i : i + at_once]}, begins[:count], begins.step)
        for i in range(0, len(ordered), at_once)
    ]
