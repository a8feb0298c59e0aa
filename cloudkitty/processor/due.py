# SPDX-License-Identifier: Apache-2.0
"""When a period is due (contract processor.md 4). Times are whole epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass

from cloudkitty import timeutils


@dataclass(frozen=True, slots=True)
class DueRule:
    """A period that begins at T is due once T + wait_periods * period lies in the past."""

    period: int
    wait_periods: int

    def first(self, now: int) -> int:
        """Give where a scope that was never rated begins: the first of the present local month."""
        return timeutils.to_epoch(timeutils.month_start(timeutils.from_epoch(now)))

    def following(self, last: int | None, now: int) -> int:
        """Give the begin of the period after `last`, the one rated last (None: none was)."""
        return self.first(now) if last is None else last + self.period

    def count(self, begin: int, now: int) -> int:
        """Give how many consecutive periods are due, the first of which begins at `begin`."""
        late = now - begin - self.wait_periods * self.period
        return max(0, (late + self.period - 1) // self.period)

    def instant(self, begin: int) -> int:
        """Give the first second in which the period that begins at `begin` is due."""
        return begin + self.wait_periods * self.period + 1
