# SPDX-License-Identifier: Apache-2.0
"""Usage by series: the columnar form that a batch has on its way through the processor.

A *series* is one resource of one metric with one set of labels; its labels are kept once, its
quantities and prices in lists. Frames (what plugins see) are made from it and read back into it
only when a plugin without the batch form takes part. Both forms say the same: a property test
holds ``usage_of_frames(frames_of(usage)) == usage``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict

ZERO: Final = Decimal(0)


@dataclass(slots=True)
class Series:
    """What one series of one scope used; `begins`, `qtys`, `prices` run in parallel.

    `groupby` does not hold the date keys (week_of_the_year, day_of_the_year, month, year) when
    `calendar` is true: every point then carries those of its period's local start. `begins` are
    epoch seconds, ascending. `metric` is the name in data frames (alt_name or metric name).
    """

    metric: str
    unit: str
    groupby: ImmutableDict
    metadata: ImmutableDict
    description: str | None = None
    calendar: bool = True
    begins: list[int] = field(default_factory=list)
    qtys: list[Decimal] = field(default_factory=list)
    prices: list[Decimal] = field(default_factory=list)

    def point(self, index: int) -> DataPoint:
        """Give one point of the series as plugins see it."""
        groupby = self.groupby
        if self.calendar:
            groupby = ImmutableDict({**groupby, **timeutils.calendar_keys(self.begins[index])})
        return DataPoint(
            self.unit,
            self.qtys[index],
            self.prices[index],
            groupby,
            self.metadata,
            self.description,
        )


@dataclass(slots=True)
class ScopeUsage:
    """What one scope used during consecutive periods: one entry per series.

    `begins` lists every period covered, also those without any point. The order of `series` is
    by metric name, then as the source gave them; it is the order of points inside a frame.
    """

    scope_id: str
    period: int
    begins: Sequence[int]
    series: list[Series] = field(default_factory=list)
    #: The rule set that made the prices, for the ledger (cloudkitty.rating.snapshots); None before
    #: rating. It is not part of what was used.
    rules_version: str | None = field(default=None, compare=False)

    @property
    def points(self) -> int:
        """Number of points over all series."""
        return sum(len(s.begins) for s in self.series)

    def frames(self) -> list[DataFrame]:
        """Give one DataFrame per period that has points, in time order."""
        by_begin: dict[int, dict[str, list[DataPoint]]] = {}
        for series in self.series:
            for index, begin in enumerate(series.begins):
                usage = by_begin.setdefault(begin, {})
                usage.setdefault(series.metric, []).append(series.point(index))
        return [
            DataFrame(
                timeutils.as_local(timeutils.from_epoch(begin)),
                timeutils.as_local(timeutils.from_epoch(begin + self.period)),
                by_begin[begin],
            )
            for begin in sorted(by_begin)
        ]

    def replace_from_frames(self, frames: Iterable[DataFrame]) -> None:
        """Take over the points of `frames` (what a plugin made of this usage)."""
        self.series = series_of_frames(frames)


def series_of_frames(frames: Iterable[DataFrame]) -> list[Series]:
    """Fold frames into series; date keys equal to what the period's start gives are left out.

    Points of one frame that are equal in metric, unit and labels become separate series, so that
    every point of the frame survives. A frame's end plays no role here.
    """
    known: dict[tuple[object, ...], list[Series]] = {}
    for frame in frames:
        begin = timeutils.to_epoch(frame.start)
        for metric, point in frame.iterpoints():
            groupby, calendar = split_calendar(point.groupby, begin)
            # By text: 1, True and 1.0 are equal to Python, but not to rules and not when stored.
            labels = tuple(sorted(map(repr, part.items())) for part in (groupby, point.metadata))
            key = (metric, point.unit, *map(tuple, labels), point.description, calendar)
            same = known.setdefault(key, [])
            for series in same:
                if not series.begins or series.begins[-1] < begin:
                    break
            else:
                series = Series(
                    metric,
                    point.unit,
                    groupby,
                    point.metadata,
                    point.description,
                    calendar,
                )
                same.append(series)
            series.begins.append(begin)
            series.qtys.append(point.qty)
            series.prices.append(point.price)
    return sorted((s for same in known.values() for s in same), key=lambda s: s.metric)


def split_calendar(groupby: ImmutableDict, begin: int) -> tuple[ImmutableDict, bool]:
    """Give the groupby without its date keys, and whether they were those of `begin`.

    Date keys with other values, or not all of them, stay where they are (contract: DESIGN.md,
    "Calendar keys").
    """
    keys = timeutils.calendar_keys(begin)
    for name, value in keys.items():
        if groupby.get(name) != value:
            return groupby, False
    return ImmutableDict({k: v for k, v in groupby.items() if k not in keys}), True
