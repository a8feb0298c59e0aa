# SPDX-License-Identifier: Apache-2.0
"""What every series has in an interval, without a look at each point.

Like :mod:`.totals`, days that lie inside and are rolled up are answered from ``ck_daily``, the
rest from the points through the ledger. Points with a price, without one and without a quantity
are told apart; a day of a series with several of those is counted from its points. So is a day of
a scope with points that nobody rated, where they are told apart as well. Scopes are read some at a
time, so that no more series are in memory than fit a batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from cloudkitty.db.engines import EXACT
from cloudkitty.db.types import exact_max, exact_min, exact_sum
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.base import FREE, IDLE, PRICED, Portion, Progress, SeriesSums
from cloudkitty.storage.v2.sqlalchemy import conditions, models
from cloudkitty.storage.v2.sqlalchemy.batches import Batch, batches, described
from cloudkitty.storage.v2.sqlalchemy.ledger import POSTED
from cloudkitty.storage.v2.sqlalchemy.localdays import floored
from cloudkitty.timeutils import SECONDS_PER_DAY

PERIODS: Final = models.Period.__table__
POINTS: Final = models.Point.__table__
DAILY: Final = models.Daily.__table__

#: How many series are in memory at a time, and how many stretches of series.
AT_ONCE: Final = 10_000
PORTIONS_AT_ONCE: Final = 200_000
# Of a day: all of its numbers are zero, none is, or that takes a look at its points.
_NONE, _ALL, _SOME = 0, 1, 2

#: Sums of portions by series; by stretch, kind and whether they were posted.
_Found = dict[int, dict[tuple[int, str, bool], Portion]]


def read(
    session: Session,
    edges: Sequence[int],
    scope_key: str,
    at_once: int = AT_ONCE,
    *,
    scopes: Collection[str] | None = None,
    posted_apart: bool = False,
    progress: Progress | None = None,
) -> Iterator[SeriesSums]:
    """Give the sums of every series with points in [edges[0], edges[-1]), by scope.

    Points of different stretches, from one of `edges` (ascending epoch seconds) to the next, are
    summed apart; with `posted_apart` also those of periods that nobody rated. With `scopes` only
    theirs, and those of no single scope.
    """
    wanted = query.filters(None if scopes is None else {scope_key: list(scopes)})
    stretches = [
        (number, _Stretch(session, (first, stop), wanted, scope_key, posted_apart=posted_apart))
        for number, (first, stop) in enumerate(pairwise(edges))
    ]
    stretches = [(number, stretch) for number, stretch in stretches if not stretch.empty]
    if not stretches:
        return
    at_once = max(1, min(at_once, PORTIONS_AT_ONCE // len(stretches)))
    for batch, done in batches(session, at_once, stretches[0][1].scope_ids):
        found: _Found = {}
        for number, stretch in stretches:
            stretch.add_to(found, number, batch)
        yield from _described(session, found)
        if progress:
            progress(done)


class _Stretch:
    """Begins in [first, stop): what they are read from."""

    def __init__(
        self,
        session: Session,
        limits: tuple[int, int],
        wanted: query.Filters,
        scope_key: str,
        *,
        posted_apart: bool,
    ) -> None:
        self._session = session
        interval = query.Interval(None, None, *limits)
        chosen = conditions.select(session, interval, wanted, scope_key)
        self.empty = chosen.empty
        self.scope_ids = chosen.scope_ids
        self._first, self._stop = chosen.first, chosen.stop
        self._days = chosen.whole_days
        self._unrolled = self._posted = False
        if self._days[0] <= self._days[1]:
            first_day, last_day = self._days
            days = first_day * SECONDS_PER_DAY, (last_day + 1) * SECONDS_PER_DAY
            self._unrolled = self._any(days, PERIODS.c.rolled == sa.false())
        if posted_apart and not self.empty:
            limits = self._first, self._stop
            self._posted = self._any(limits, PERIODS.c.status == POSTED)

    def add_to(self, found: _Found, number: int, batch: Batch) -> None:
        """Add the sums of a batch, as those of stretch `number`."""
        first_day, last_day = self._days
        if first_day > last_day:
            self._add_points(found, number, self._from_points(batch, self._first, self._stop))
            return
        first, stop = first_day * SECONDS_PER_DAY, (last_day + 1) * SECONDS_PER_DAY
        for edge in ((self._first, first), (stop, self._stop)):
            if edge[0] < edge[1]:
                self._add_points(found, number, self._from_points(batch, *edge))
        inside = self._from_points(batch, first, stop)
        if self._unrolled:
            self._add_points(found, number, inside.where(PERIODS.c.rolled == sa.false()))
        if self._posted:
            mixed = inside.where(PERIODS.c.rolled == sa.true(), _posted_on(_day_of_period()))
            self._add_points(found, number, mixed)
        if self._add(found, number, self._session.execute(self._from_days(batch))):
            self._add(found, number, self._session.execute(self._from_undecided_days(batch)))

    def _add_points(self, found: _Found, number: int, statement: sa.Select[Any]) -> None:
        """Add rows that say last whether they were posted, where that is told apart."""
        rows = self._session.execute(statement)
        if not self._posted:
            self._add(found, number, rows)
            return
        for *row, posted in rows:
            self._add(found, number, [row], posted=bool(posted))

    def _add(
        self,
        found: _Found,
        number: int,
        rows: Iterable[Any],
        *,
        posted: bool = False,
    ) -> bool:
        """Add rows; those that nothing can be said of are left out. Gives whether there were."""
        undecided = False
        for series_id, price_zero, qty_zero, points, *sums in rows:
            if price_zero == _SOME or (price_zero == _ALL and qty_zero == _SOME):
                undecided = True
                continue
            kind = PRICED if price_zero == _NONE else IDLE if qty_zero == _ALL else FREE
            portions = found.setdefault(series_id, {})
            qty, price, least, most = sums
            new = Portion(number, kind, int(points), qty, price, least, most, posted)
            known = portions.get((number, kind, posted))
            portions[number, kind, posted] = new if known is None else _merged(known, new)
        return undecided

    def _any(self, limits: tuple[int, int], condition: Any) -> bool:
        """Whether a period that begins in `limits` meets a condition."""
        first, stop = limits
        at = PERIODS.c.begin
        statement = sa.select(at).where(condition, at >= first, at < stop).limit(1)
        return self._session.scalar(statement) is not None

    def _from_points(self, batch: Batch, first: int, stop: int) -> sa.Select[Any]:
        statement = (
            _of_points()
            .select_from(PERIODS.join(POINTS, _same_period()))
            .where(PERIODS.c.begin >= first, PERIODS.c.begin < stop)
            .where(*batch.condition(PERIODS.c.scope_id, POINTS.c.series_id))
        )
        if not self._posted:
            return statement
        posted = sa.case((PERIODS.c.status == POSTED, 1), else_=0).label("posted")
        return statement.add_columns(posted).group_by(sa.literal_column("posted"))

    def _from_days(self, batch: Batch) -> sa.Select[Any]:
        return _grouped(
            DAILY.c.series_id,
            _of_day("price"),
            _of_day("qty"),
            [
                sa.func.sum(DAILY.c.points),
                exact_sum(DAILY.c.qty_sum),
                exact_sum(DAILY.c.price_sum),
                exact_min(DAILY.c.qty_min),
                exact_max(DAILY.c.qty_max),
            ],
        ).where(*self._in_days(batch))

    def _from_undecided_days(self, batch: Batch) -> sa.Select[Any]:
        price, qty = _of_day("price"), _of_day("qty")
        day = PERIODS.c.begin.between(
            DAILY.c.day * SECONDS_PER_DAY, (DAILY.c.day + 1) * SECONDS_PER_DAY - 1
        )
        return (
            _of_points()
            .select_from(
                DAILY.join(PERIODS, sa.and_(PERIODS.c.scope_id == DAILY.c.scope_id, day)).join(
                    POINTS, sa.and_(_same_period(), POINTS.c.series_id == DAILY.c.series_id)
                ),
            )
            .where(*self._in_days(batch), PERIODS.c.rolled == sa.true())
            .where(sa.or_(price == _SOME, sa.and_(price == _ALL, qty == _SOME)))
        )

    def _in_days(self, batch: Batch) -> list[Any]:
        first_day, last_day = self._days
        start = DAILY.c.day * SECONDS_PER_DAY
        return [
            *batch.condition(DAILY.c.scope_id, DAILY.c.series_id),
            DAILY.c.day >= first_day,
            DAILY.c.day <= last_day,
            *([~_posted_on((DAILY.c.scope_id, start))] if self._posted else []),
        ]


def _of_points() -> sa.Select[Any]:
    return _grouped(
        POINTS.c.series_id,
        sa.case((sign(POINTS.c.price) == 0, _ALL), else_=_NONE),
        sa.case((sign(POINTS.c.qty) == 0, _ALL), else_=_NONE),
        [
            sa.func.count(),
            exact_sum(POINTS.c.qty),
            exact_sum(POINTS.c.price),
            exact_min(POINTS.c.qty),
            exact_max(POINTS.c.qty),
        ],
    )


def _grouped(series_id: Any, price_zero: Any, qty_zero: Any, sums: Sequence[Any]) -> sa.Select[Any]:
    return sa.select(
        series_id.label("g0"), price_zero.label("g1"), qty_zero.label("g2"), *sums
    ).group_by(*(sa.literal_column(f"g{number}") for number in range(3)))


def _of_day(number: str) -> sa.Case[Any]:
    least, most = sign(DAILY.c[f"{number}_min"]), sign(DAILY.c[f"{number}_max"])
    return sa.case(
        (sa.and_(least == 0, most == 0), _ALL),
        (sa.or_(least > 0, most < 0), _NONE),
        else_=_SOME,
    )


def _merged(one: Portion, other: Portion) -> Portion:
    return one._replace(
        points=one.points + other.points,
        qty=EXACT.add(one.qty, other.qty),
        price=EXACT.add(one.price, other.price),
        least=min(one.least, other.least),
        most=max(one.most, other.most),
    )


def _described(session: Session, found: _Found) -> Iterator[SeriesSums]:
    """Give the sums of series with their labels, by scope and series."""
    rows: list[tuple[int, int, SeriesSums]] = []
    for scope_id, id_, labels in described(session, list(found)):
        portions = [found[id_][key] for key in sorted(found[id_])]
        rows.append((scope_id, id_, SeriesSums(*labels, portions, id_)))
    rows.sort(key=lambda row: row[:2])
    for _scope_id, _id, sums in rows:
        yield sums


def _day_of_period() -> tuple[Any, Any]:
    return PERIODS.c.scope_id, floored(PERIODS.c.begin, SECONDS_PER_DAY)


def _posted_on(day: tuple[Any, Any]) -> sa.ColumnElement[bool]:
    """Give the condition that a scope has a period that nobody rated on the day of that start."""
    scope_id, start = day
    other = PERIODS.alias("other")
    return sa.exists().where(
        other.c.scope_id == scope_id,
        other.c.begin.between(start, start + (SECONDS_PER_DAY - 1)),
        other.c.status == POSTED,
    )


def _same_period() -> sa.ColumnElement[bool]:
    return sa.and_(POINTS.c.begin == PERIODS.c.begin, POINTS.c.scope_id == PERIODS.c.scope_id)


class sign(FunctionElement[Any]):  # noqa: N801 - named as it is written in SQL
    """``sign(number)``: something that is 0, less or more when the decimal is."""

    type = sa.Numeric()
    inherit_cache = True


@compiles(sign)
def _sign(element: Any, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


@compiles(sign, "sqlite")
def _sign_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    # Decimals are text there; of a float the sign is right, as nothing is stored that small.
    return f"CAST({compiler.process(element.clauses, **kw)} AS REAL)"
