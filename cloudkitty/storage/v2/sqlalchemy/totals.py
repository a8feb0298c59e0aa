# SPDX-License-Identifier: Apache-2.0
"""total(): sums by group, from daily roll-ups where they say the same as the points (5.6 to 5.8).

A UTC day that lies wholly inside the interval and whose ledger row says ``rolled`` is answered
from ``ck_daily``; everything else is read from the points, through the ledger, so that nothing is
counted in both places. SQL groups by the labels asked for and, where date keys are concerned, by
local day; what is left to be folded together here is small.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import timeutils
from cloudkitty.db.engines import EXACT
from cloudkitty.db.types import exact_max, exact_min, exact_sum
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.custom_fields import POINTWISE, Value
from cloudkitty.storage.v2.sqlalchemy import labels, models, pointwise
from cloudkitty.storage.v2.sqlalchemy.conditions import Selection
from cloudkitty.storage.v2.sqlalchemy.localdays import floored
from cloudkitty.timeutils import SECONDS_PER_DAY

PERIODS: Final = models.Period.__table__
POINTS: Final = models.Point.__table__
DAILY: Final = models.Daily.__table__
SERIES: Final = models.Series.__table__
SCOPES: Final = models.Scope.__table__

#: Group values in request order, and the start of the bucket (0 without ``time``).
Group = tuple[tuple[str, ...], int]


@dataclass(slots=True)
class Sums:
    """What adds up: number of points, and sum, minimum and maximum of both numbers."""

    points: int
    qty_sum: Decimal
    qty_min: Decimal
    qty_max: Decimal
    price_sum: Decimal
    price_min: Decimal
    price_max: Decimal

    def add(self, other: Sums) -> None:
        """Take in the sums of other points."""
        self.points += other.points
        self.qty_sum = EXACT.add(self.qty_sum, other.qty_sum)
        self.price_sum = EXACT.add(self.price_sum, other.price_sum)
        self.qty_min = min(self.qty_min, other.qty_min)
        self.qty_max = max(self.qty_max, other.qty_max)
        self.price_min = min(self.price_min, other.price_min)
        self.price_max = max(self.price_max, other.price_max)


class Wanted(NamedTuple):
    """What to group by: label names, and whether by periods of `bucket` seconds (0: not)."""

    names: Sequence[str]
    bucket: int


def rows(
    session: Session,
    selection: Selection,
    wanted: Wanted,
    values: Sequence[Value],
    scope_key: str,
) -> list[tuple[Group, list[Any]]]:
    """Give (group, value per column) in the order of 5.6."""
    if selection.empty:
        return []
    groups = _Groups(session, selection, wanted, scope_key)
    if any(value.function in POINTWISE for value in values):
        found = pointwise.fold(groups.points(), values)
    else:
        found = {group: [_value(sums, v) for v in values] for group, sums in groups.sums().items()}
    return sorted(found.items(), key=lambda item: item[0])


def _value(sums: Sums, value: Value) -> Any:
    if value.function == "COUNT":
        return sums.points
    total: Decimal
    total, low, high = (
        (sums.qty_sum, sums.qty_min, sums.qty_max)
        if value.field == "qty"
        else (sums.price_sum, sums.price_min, sums.price_max)
    )
    compute: Mapping[str, Callable[[], Decimal]] = {
        "SUM": lambda: total,
        "MIN": lambda: low,
        "MAX": lambda: high,
        "SPREAD": lambda: EXACT.subtract(high, low),
        "MEAN": lambda: EXACT.divide(total, Decimal(sums.points)),
    }
    return compute[value.function]()


class _Groups:
    """The SQL side: which columns make a group, and how a row is read back."""

    def __init__(
        self,
        session: Session,
        selection: Selection,
        wanted: Wanted,
        scope_key: str,
    ) -> None:
        self._session = session
        self._selection = selection
        self._wanted = wanted
        self._by_day = any(name in timeutils.CALENDAR_NAMES for name in wanted.names)
        self._identifiers: dict[int, str] | None = None
        self._scope_key = scope_key
        if scope_key in wanted.names and not selection.foreign_scopes:
            self._identifiers = dict(
                (id_, identifier)
                for id_, identifier in session.execute(sa.select(SCOPES.c.id, SCOPES.c.identifier))
            )

    def sums(self) -> dict[Group, Sums]:
        """Give the sums of every group that has a point."""
        found: dict[Group, Sums] = {}
        for source in self._sources():
            for row in self._session.execute(source):
                group = self._group(row)
                sums = Sums(int(row[0]), *map(_decimal, row[1:7]))
                if group in found:
                    found[group].add(sums)
                else:
                    found[group] = sums
        return found

    def points(self) -> Iterator[tuple[Group, int, Decimal, Decimal, str]]:
        """Yield group, begin, qty, price and unit of every point, by begin."""
        at = POINTS.c.begin
        statement = (
            sa.select(
                at.label("at"),
                POINTS.c.qty,
                POINTS.c.price,
                SERIES.c.unit,
                *self._columns(at, POINTS.c.scope_id),
            )
            .select_from(_joined_points())
            .where(*self._conditions(at, POINTS.c.scope_id))
            .order_by(at, POINTS.c.series_id, POINTS.c.rank)
        )
        for row in self._session.execute(statement.execution_options(yield_per=5000)):
            yield self._group(row), row.at, _decimal(row.qty), _decimal(row.price), row.unit

    def _sources(self) -> Iterator[sa.Select[Any]]:
        first_day, last_day = self._whole_days()
        if first_day > last_day:
            yield self._from_points(None)
            return
        rolled = sa.and_(
            PERIODS.c.rolled == sa.true(),
            PERIODS.c.begin >= first_day * SECONDS_PER_DAY,
            PERIODS.c.begin < (last_day + 1) * SECONDS_PER_DAY,
        )
        yield self._from_points(sa.not_(rolled))
        yield self._from_days(first_day, last_day)

    def _whole_days(self) -> tuple[int, int]:
        """Give the first and the last UTC day for which roll-ups may stand (last < first: none)."""
        selection, wanted = self._selection, self._wanted
        by_local_day = self._by_day or selection.by_calendar
        if (by_local_day and not selection.days.same_as_utc) or (
            wanted.bucket and wanted.bucket != SECONDS_PER_DAY
        ):
            return 0, -1
        return selection.whole_days

    def _from_points(self, condition: Any) -> sa.Select[Any]:
        at = PERIODS.c.begin
        statement = self._grouped(
            _joined_points(),
            at,
            PERIODS.c.scope_id,
            [
                sa.func.count(),
                *(
                    function(column)
                    for column in (POINTS.c.qty, POINTS.c.price)
                    for function in (exact_sum, exact_min, exact_max)
                ),
            ],
        )
        return statement if condition is None else statement.where(condition)

    def _from_days(self, first_day: int, last_day: int) -> sa.Select[Any]:
        at = DAILY.c.day * SECONDS_PER_DAY
        sums: list[Any] = [sa.func.sum(DAILY.c.points)]
        for name in ("qty", "price"):
            sums += [
                exact_sum(DAILY.c[f"{name}_sum"]),
                exact_min(DAILY.c[f"{name}_min"]),
                exact_max(DAILY.c[f"{name}_max"]),
            ]
        joined = DAILY.join(SERIES, SERIES.c.id == DAILY.c.series_id)
        return self._grouped(joined, at, DAILY.c.scope_id, sums, interval=False).where(
            DAILY.c.day >= first_day,
            DAILY.c.day <= last_day,
        )

    def _grouped(
        self,
        source: Any,
        at: Any,
        scope_id: Any,
        sums: Sequence[Any],
        *,
        interval: bool = True,
    ) -> sa.Select[Any]:
        columns = self._columns(at, scope_id)
        statement = (
            sa.select(*sums, *columns)
            .select_from(source)
            .where(*self._conditions(at, scope_id, interval=interval))
        )
        if columns:
            # By position, so that parameters inside the expressions need not be told apart.
            return statement.group_by(*(sa.literal_column(f"g{i}") for i in range(len(columns))))
        return statement.having(sa.func.count() > 0)

    def _conditions(self, at: Any, scope_id: Any, *, interval: bool = True) -> list[Any]:
        selection = self._selection
        limits = [at >= selection.first, at < selection.stop] if interval else []
        return [
            *limits,
            *selection.scope_condition(scope_id),
            *selection.series_condition(SERIES.c, at),
        ]

    def _columns(self, at: Any, scope_id: Any) -> list[Any]:
        found: list[Any] = [self._name(name, scope_id) for name in self._wanted.names]
        if self._by_day:
            day = self._selection.days.of(at)
            found.append(sa.case((SERIES.c.calendar, day), else_=sa.null()))
        if self._wanted.bucket:
            found.append(floored(at, self._wanted.bucket))
        return [column.label(f"g{index}") for index, column in enumerate(found)]

    def _name(self, name: str, scope_id: Any) -> Any:
        if name == query.TYPE:
            return SERIES.c.metric
        if name == self._scope_key and self._identifiers is not None:
            return scope_id
        return labels.value_of(SERIES.c.labels, "g", name)

    def _group(self, row: Any) -> Group:
        names = self._wanted.names
        cells = list(row)[-(len(names) + self._by_day + bool(self._wanted.bucket)) :]
        if not names and not self._wanted.bucket:
            return (), 0
        bucket = int(cells.pop()) if self._wanted.bucket else 0
        day = cells.pop() if self._by_day else None
        keys = self._day_keys(int(day)) if day is not None else {}
        return (
            tuple(
                keys[name] if name in keys else self._text(name, cell)
                for name, cell in zip(names, cells, strict=True)
            ),
            bucket,
        )

    def _day_keys(self, day: int) -> Mapping[str, str]:
        return _cached_keys(self._selection.days.keys, day)

    def _text(self, name: str, cell: Any) -> str:
        if name == query.TYPE:
            return str(cell)
        if name == self._scope_key and self._identifiers is not None:
            return self._identifiers[cell]
        return labels.decode(cell) if isinstance(cell, str) else ""


@functools.lru_cache(maxsize=4096)
def _cached_keys(keys: Callable[[int], Mapping[str, str]], day: int) -> Mapping[str, str]:
    return keys(day)


def _joined_points() -> Any:
    return PERIODS.join(
        POINTS,
        sa.and_(POINTS.c.begin == PERIODS.c.begin, POINTS.c.scope_id == PERIODS.c.scope_id),
    ).join(SERIES, SERIES.c.id == POINTS.c.series_id)


def _decimal(value: Any) -> Decimal:
    return value if type(value) is Decimal else Decimal(str(value))
