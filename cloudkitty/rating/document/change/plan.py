# SPDX-License-Identifier: Apache-2.0
"""Works out how the rules in use become those of a document (contract rating.md 3 and 4.7).

A document says everything that shall be in use. What has begun stays as it was until then: a
mapping or script that the document has no more is *ended*, not removed, and what is over is left
alone, since it is what past periods cost; so is what has an end already, until then. What would
change a past price needs ``force``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cloudkitty.rating.document import model
from cloudkitty.rating.document.change import frame, mappings, scripts, thresholds
from cloudkitty.rating.document.change.live import Live
from cloudkitty.rating.document.change.steps import Kind, Step, Verb
from cloudkitty.rating.document.change.windows import Clock, Part
from cloudkitty.rating.document.problems import DocumentError

_FRAME: Final = (Kind.GROUP, Kind.SERVICE, Kind.FIELD)
_RULES: Final = (Kind.MAPPING, Kind.THRESHOLD, Kind.SCRIPT, Kind.MODULE)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, in an order in which each is possible; `kept` is told to whoever reads it."""

    steps: tuple[Step, ...]
    kept: tuple[str, ...]

    @property
    def past(self) -> tuple[Step, ...]:
        """The steps that reach into the past."""
        return tuple(step for step in self.steps if step.past is not None)

    def summary(self) -> str:
        """Give how many steps there are of each verb."""
        found = [(sum(step.verb is verb for step in self.steps), verb) for verb in Verb]
        return ", ".join(f"{n} to {verb}" for n, verb in found if n) or "nothing to do"


def plan(document: model.Document, live: Live, clock: Clock) -> Plan:
    """Give what is to be done; raises DocumentError for what cannot be done."""
    part = Part()
    if model.HASHMAP in document.sections:
        mappings.plan(document, live, clock, part)
        left = thresholds.plan(document, live, part)
        frame.plan(document, live, left, part)
    if model.PYSCRIPTS in document.sections:
        scripts.plan(document, live, clock, part)
    part.steps += _modules(document, live, part)
    if part.problems:
        raise DocumentError(document.source, part.problems)
    return Plan(tuple(sorted(part.steps, key=_rank)), tuple(part.kept))


def _modules(document: model.Document, live: Live, part: Part) -> Iterator[Step]:
    for name, state in document.modules.items():
        was = live.modules.get(name)
        if was is None:
            known = ", ".join(sorted(live.modules))
            part.problem(state, f"no such rating module; installed: {known}")
            continue
        other = (state.enabled not in {None, was.enabled}) or (
            state.priority not in {None, was.priority}
        )
        if other:
            yield Step(verb=Verb.CHANGE, kind=Kind.MODULE, name=name, state=state, was=was)


def _rank(step: Step) -> int:
    """Sort steps so that one that is not reached leaves prices that somebody has wanted.

    First what has no effect by itself, modules last: turned on when they have their rules. Sorting
    is stable: a rule that ends is followed by what takes its place.
    """
    if step.kind not in _FRAME:
        return len(_FRAME) + _RULES.index(step.kind)
    if step.verb is Verb.REMOVE:
        # Fields before their services.
        return 2 * len(_FRAME) + len(_RULES) - _FRAME.index(step.kind)
    return _FRAME.index(step.kind)
