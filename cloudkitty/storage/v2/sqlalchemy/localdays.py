# SPDX-License-Identifier: Apache-2.0
"""Local days in SQL: which calendar keys a point has whose series says ``calendar``.

A local day is named by the wall clock at its start, counted as if the wall clock were UTC.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from cloudkitty import timeutils
from cloudkitty.timeutils import SECONDS_PER_DAY


class LocalDays:
    """The local days that begins in [first, stop) fall on."""

    def __init__(self, first: int, stop: int) -> None:
        self.first = first
        self.stop = stop

    @cached_property
    def offsets(self) -> list[tuple[int, int]]:
        """Offsets from UTC: (from which begin on, seconds), ascending."""
        return timeutils.utc_offsets(self.first, self.stop)

    @property
    def same_as_utc(self) -> bool:
        """Whether every local day is a UTC day."""
        return all(offset == 0 for _start, offset in self.offsets)

    def of(self, begin: Any) -> sa.ColumnElement[int]:
        """Give the SQL expression of the local day of `begin`, a column of epoch seconds."""
        *earlier, (_start, last) = self.offsets
        if not earlier:
            return floored(begin + last if last else begin, SECONDS_PER_DAY)
        wall = sa.case(
            *(
                (begin < following, begin + offset)
                for (_, offset), (following, _) in zip(earlier, self.offsets[1:], strict=True)
            ),
            else_=begin + last,
        )
        return floored(wall, SECONDS_PER_DAY)

    def keys(self, day: int) -> dict[str, str]:
        """Give the date keys of a local day (what :func:`timeutils.calendar_keys` gives)."""
        noon = day + SECONDS_PER_DAY // 2
        for _start, offset in self.offsets:
            if timeutils.utc_offset(noon - offset) == offset:
                return timeutils.calendar_keys(noon - offset)
        # The offset changed during the day's first half, and this is not one of the range's.
        return timeutils.calendar_keys(noon - self.offsets[-1][1])

    def fitting(self, name: str, values: Collection[str]) -> list[int]:
        """Give the local days whose date key `name` is one of `values`."""
        return [day for day in self._all if self.keys(day)[name] in values]

    @cached_property
    def _all(self) -> list[int]:
        if self.first >= self.stop:
            return []
        start = min(self.first + offset for _s, offset in self.offsets)
        stop = max(self.stop + offset for _s, offset in self.offsets)
        return list(range(start // SECONDS_PER_DAY * SECONDS_PER_DAY, stop, SECONDS_PER_DAY))


def floored(column: Any, unit: int) -> sa.ColumnElement[int]:
    """Give the SQL expression of `column` rounded down to a multiple of `unit`, signs included."""
    rest = (column % unit + unit) % unit
    found: sa.ColumnElement[int] = column - rest
    return found
