# SPDX-License-Identifier: Apache-2.0
"""What is counted and how it is added up: filters and groups as those of a summary."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

from cloudkitty import timeutils
from cloudkitty.db.engines import EXACT
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.base import TooManyRows
from cloudkitty.usage import ZERO

_CALENDAR: Final = frozenset(timeutils.CALENDAR_NAMES)

#: Group values in the order of the question, and the begin of the period if that counts.
Key = tuple[tuple[str, ...], int | None]


class Labelled(Protocol):
    """Something with labels: a series, however it was read."""

    @property
    def metric(self) -> str: ...  # noqa: D102
    @property
    def groupby(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def metadata(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def calendar(self) -> bool: ...  # noqa: D102


@dataclass(slots=True)
class Sums:
    """Sums of a group; prices as they are, and as they would be."""

    points: int = 0
    qty: Decimal = ZERO
    current: Decimal = ZERO
    simulated: Decimal = ZERO

    def add(self, points: int, qty: Decimal, current: Decimal, simulated: Decimal) -> None:
        """Add exactly."""
        self.points += points
        self.qty = EXACT.add(self.qty, qty)
        self.current = EXACT.add(self.current, current)
        self.simulated = EXACT.add(self.simulated, simulated)


class Run(NamedTuple):
    """Points of a series that lie in one group: from one index to another."""

    key: Key
    start: int
    stop: int


class Groups:
    """Adds up by group what passes the filters."""

    def __init__(
        self,
        groupby: Sequence[str],
        filters: Mapping[str, Sequence[str]],
        period: int,
        most: int,
    ) -> None:
        """Take a question; raises werkzeug.exceptions.BadRequest for a groupby not understood.

        There may be `most` groups (0: any number).
        """
        self.names, by_time = query.group_names(groupby)
        self.bucket = period if by_time else 0
        self._filters = query.filters(filters)
        self._most = most
        self._dates = tuple(name for name in self.names if name in _CALENDAR)
        filtered = [name for name, _values in self._filters.labels if name in _CALENDAR]
        #: The date keys that decide what is counted where.
        self.date_names = tuple(dict.fromkeys([*self._dates, *filtered]))
        self.sums: dict[Key, Sums] = {}

    def key(self, series: Labelled, begin: int) -> Key | None:
        """Give the group of a point of a series; None if it is not to be counted."""
        dates = timeutils.calendar_keys(begin) if series.calendar and self.date_names else {}
        if not self._passes(series, dates):
            return None
        bucket = begin - begin % self.bucket if self.bucket else None
        return tuple(self._value(series, dates, name) for name in self.names), bucket

    def runs(self, series: Labelled, begins: Sequence[int]) -> Iterator[Run]:
        """Give the runs of a series' points that are to be counted; `begins` in any order."""
        if not begins:
            return
        if not self.bucket and not (self.date_names and series.calendar):
            key = self.key(series, begins[0])
            if key is not None:
                yield Run(key, 0, len(begins))
            return
        start = 0
        for found, same in itertools.groupby(self.key(series, begin) for begin in begins):
            stop = start + len(list(same))
            if found is not None:
                yield Run(found, start, stop)
            start = stop

    def of(self, key: Key) -> Sums:
        """Give the sums of a group; raises TooManyRows."""
        found = self.sums.get(key)
        if found is None:
            if self._most and len(self.sums) >= self._most:
                raise TooManyRows
            found = self.sums[key] = Sums()
        return found

    def ordered(self) -> list[tuple[Key, Sums]]:
        """Give groups and sums in the order of a summary: by values, then by period."""
        return sorted(self.sums.items(), key=lambda item: (item[0][0], item[0][1] or 0))

    def _value(self, series: Labelled, dates: Mapping[str, str], name: str) -> str:
        if name == query.TYPE:
            return series.metric
        return dates[name] if name in dates else query.text(series.groupby.get(name))

    def _passes(self, series: Labelled, dates: Mapping[str, str]) -> bool:
        if self._filters.types is not None and series.metric not in self._filters.types:
            return False
        for name, values in self._filters.labels:
            metadata = query.text(series.metadata.get(name))
            if self._value(series, dates, name) not in values and not (
                metadata and metadata in values
            ):
                return False
        return True
