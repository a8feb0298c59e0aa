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
from decimal import Decimal
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import timeutils
from cloudkitty.db.engines import EXACT
from cloudkitty.db.types import exact_max, exact_min, exact_sum
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.base import TooManyRows
from cloudkitty.storage.v2.custom_fields import POINTWISE, Value
from cloudkitty.storage.v2.sqlalchemy import labels, models, pointwise
from cloudkitty.storage.v2.sqlalchemy.conditions import Selection
from cloudkitty.storage.v2.sqlalchemy.localdays import floored
from cloudkitty.timeutils import SECONDS_PER_DAY

PERIODS: Final = models.Period.__table__
POINTS: Final = models.Point.__table__
DAILY: Final = models.Daily.__table__
TOTALS: Final = models.DailyTotal.__table__
SERIES: Final = models.Series.__table__
SCOPES: Final = models.Scope.__table__

#: Group values in request order, and the start of the bucket (0 without ``time``).
Group = tuple[tuple[str, ...], int]


#: An aggregate that SQL works out and that adds up here: function and field.
Aggregate = tuple[str, str]
#: Number of points, then the value of each aggregate.
Cells = list[Any]

_IN_SQL: Final[Mapping[str, Any]] = {"SUM": exact_sum, "MIN": exact_min, "MAX": exact_max}
_FOLD: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "SUM": EXACT.add,
    "MIN": min,
    "MAX": max,
}
#: What has to be known to give the value of a function.
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "COUNT": (),
    "SUM": ("SUM",),
    "MEAN": ("SUM",),
    "MIN": ("MIN",),
    "MAX": ("MAX",),
    "SPREAD": ("MIN", "MAX"),
}


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
    most: int | None = None,
) -> list[tuple[Group, list[Any]]]:
    """Give (group, value per column) in the order of 5.6.

    Raises TooManyRows for more than `most` groups, as soon as that is known.
    """
    if selection.empty:
        return []
    pointwise_too = any(value.function in POINTWISE for value in values)
    needed: list[Aggregate] = []
    if not pointwise_too:
        needed = sorted({(need, v.field) for v in values for need in _NEEDS[v.function]})
    groups = _Groups(session, selection, wanted, scope_key, needed)
    if pointwise_too:
        found = pointwise.fold(groups.points(), values, most)
    else:
        found = {
            group: [_value(cells[0], dict(zip(needed, cells[1:], strict=True)), v) for v in values]
            for group, cells in groups.sums(most).items()
        }
    return sorted(found.items(), key=lambda item: item[0])


def _value(points: int, known: Mapping[Aggregate, Decimal], value: Value) -> Any:
    match value.function:
        case "COUNT":
            return points
        case "MEAN":
            return EXACT.divide(known["SUM", value.field], Decimal(points))
        case "SPREAD":
            return EXACT.subtract(known["MAX", value.field], known["MIN", value.field])
        case function:
            return known[function, value.field]


class _Groups:
    """The SQL side: which columns make a group, and how a row is read back."""

    def __init__(
        self,
        session: Session,
        selection: Selection,
        wanted: Wanted,
        scope_key: str,
        needed: Sequence[Aggregate],
    ) -> None:
        self._needed = needed
        self._session = session
        self._selection = selection
        self._wanted = wanted
        self._by_day = any(name in timeutils.CALENDAR_NAMES for name in wanted.names)
        self._identifiers: dict[int, str] | None = None
        self._scope_key = scope_key
        if scope_key in wanted.names and not selection.foreign_scopes:
            found = session.execute(sa.select(SCOPES.c.id, SCOPES.c.identifier))
            self._identifiers = {row.id: row.identifier for row in found}

    def sums(self, most: int | None = None) -> dict[Group, Cells]:
        """Give number of points and aggregates of every group that has a point.

        Raises TooManyRows for more than `most`. Days are groups of SQL only, there may be more.
        """
        limit = None if most is None or self._by_day else most + 1
        width = 1 + len(self._needed)
        folds = [_FOLD[function] for function, _field in self._needed]
        found: dict[Group, Cells] = {}
        for source in self._sources():
            for row in self._session.execute(source.limit(limit)):
                group = self._group(row)
                cells = [int(row[0]), *map(_decimal, row[1:width])]
                known = found.get(group)
                if known is not None:
                    cells[0] += known[0]
                    cells[1:] = [
                        fold(old, new)
                        for fold, old, new in zip(folds, known[1:], cells[1:], strict=True)
                    ]
                found[group] = cells
                if most is not None and len(found) > most:
                    raise TooManyRows
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
            .where(at >= self._selection.first, at < self._selection.stop)
            .where(*self._conditions(at, POINTS.c.scope_id))
            .order_by(at, POINTS.c.series_id, POINTS.c.rank)
        )
        for row in self._session.execute(statement.execution_options(yield_per=5000)):
            yield self._group(row), row.at, _decimal(row.qty), _decimal(row.price), row.unit

    def _sources(self) -> Iterator[sa.Select[Any]]:
        first_day, last_day = self._whole_days()
        selection = self._selection
        if first_day > last_day:
            yield self._from_points(selection.first, selection.stop)
            return
        first, stop = first_day * SECONDS_PER_DAY, (last_day + 1) * SECONDS_PER_DAY
        # By statements of their own, so that each engine goes by the right index.
        for edge in ((selection.first, first), (stop, selection.stop)):
            if edge[0] < edge[1]:
                yield self._from_points(*edge)
        unrolled = PERIODS.c.rolled == sa.false()
        if self._unrolled(first, stop):
            yield self._from_points(first, stop).where(unrolled)
        yield self._from_days(first_day, last_day)

    def _unrolled(self, first: int, stop: int) -> bool:
        """Whether there is a period in [first, stop) that is in no roll-up."""
        found = self._session.scalar(
            sa.select(PERIODS.c.begin)
            .where(PERIODS.c.rolled == sa.false())
            .where(PERIODS.c.begin >= first, PERIODS.c.begin < stop)
            .where(*self._selection.scope_condition(PERIODS.c.scope_id))
            .limit(1),
        )
        return found is not None

    def _whole_days(self) -> tuple[int, int]:
        """Give the first and the last UTC day for which roll-ups may stand (last < first: none)."""
        selection, wanted = self._selection, self._wanted
        by_local_day = self._by_day or selection.by_calendar
        if (by_local_day and not selection.days.same_as_utc) or (
            wanted.bucket and wanted.bucket != SECONDS_PER_DAY
        ):
            return 0, -1
        return selection.whole_days

    def _from_points(self, first: int, stop: int) -> sa.Select[Any]:
        at = PERIODS.c.begin
        return self._grouped(
            _joined_points(),
            at,
            PERIODS.c.scope_id,
            [
                sa.func.count(),
                *(_IN_SQL[function](POINTS.c[name]) for function, name in self._needed),
            ],
        ).where(at >= first, at < stop)

    def _from_days(self, first_day: int, last_day: int) -> sa.Select[Any]:
        table = TOTALS if self._by_type_only else DAILY
        at = table.c.day * SECONDS_PER_DAY
        sums: list[Any] = [
            sa.func.sum(table.c.points),
            *(
                _IN_SQL[function](table.c[f"{name}_{function.lower()}"])
                for function, name in self._needed
            ),
        ]
        source: Any = TOTALS
        series: Any = TOTALS.c
        if table is DAILY:
            source = DAILY.join(SERIES, SERIES.c.id == DAILY.c.series_id)
            series = SERIES.c
        grouped = self._grouped(source, at, table.c.scope_id, sums, series)
        return grouped.where(table.c.day >= first_day, table.c.day <= last_day)

    @property
    def _by_type_only(self) -> bool:
        """Whether the sums by scope and metric type are fine enough."""
        known = {query.TYPE}
        if self._identifiers is not None:
            known.add(self._scope_key)
        return not self._selection.by_labels and known.issuperset(self._wanted.names)

    def _grouped(
        self,
        source: Any,
        at: Any,
        scope_id: Any,
        sums: Sequence[Any],
        series: Any = SERIES.c,
    ) -> sa.Select[Any]:
        columns = self._columns(at, scope_id, series)
        statement = (
            sa.select(*sums, *columns)
            .select_from(source)
            .where(*self._conditions(at, scope_id, series))
        )
        if columns:
            # By position, so that parameters inside the expressions need not be told apart.
            return statement.group_by(*(sa.literal_column(f"g{i}") for i in range(len(columns))))
        return statement.having(sa.func.count() > 0)

    def _conditions(self, at: Any, scope_id: Any, series: Any = SERIES.c) -> list[Any]:
        selection = self._selection
        return [
            *selection.scope_condition(scope_id),
            *selection.series_condition(series, at),
        ]

    def _columns(self, at: Any, scope_id: Any, series: Any = SERIES.c) -> list[Any]:
        found: list[Any] = [self._name(name, scope_id, series) for name in self._wanted.names]
        if self._by_day:
            day = self._selection.days.of(at)
            found.append(sa.case((SERIES.c.calendar, day), else_=sa.null()))
        if self._wanted.bucket:
            found.append(floored(at, self._wanted.bucket))
        return [column.label(f"g{index}") for index, column in enumerate(found)]

    def _name(self, name: str, scope_id: Any, series: Any) -> Any:
        if name == query.TYPE:
            return series.metric
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
