# SPDX-License-Identifier: Apache-2.0
"""Daily roll-ups: always the exact sums of the rolled ledger rows of their scope and UTC day.

There are two: by series, and from that by metric type.

Every change here begins by locking the ledger rows of the days concerned, so that two writers of
one day take turns; a row that is new meanwhile is not rolled, and is read from its points.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.db.engines import EXACT
from cloudkitty.db.types import exact_max, exact_min, exact_sum
from cloudkitty.storage.v2.sqlalchemy import bulk, models
from cloudkitty.storage.v2.sqlalchemy.conditions import integers
from cloudkitty.timeutils import SECONDS_PER_DAY

DAILY: Final = models.Daily.__table__
TOTALS: Final = models.DailyTotal.__table__
PERIODS: Final = models.Period.__table__
POINTS: Final = models.Point.__table__
_SERIES: Final = models.Series.__table__


#: Column of a roll-up -> how it is folded, in SQL and here.
_AGGREGATES: Final[dict[str, tuple[Any, Callable[[Any, Any], Any]]]] = {
    f"{number}_{name}": (function, fold)
    for number in ("qty", "price")
    for name, function, fold in (
        ("sum", exact_sum, EXACT.add),
        ("min", exact_min, min),
        ("max", exact_max, max),
    )
}


def day_of(begin: int) -> int:
    """Give the UTC day, counted from the epoch."""
    return begin // SECONDS_PER_DAY


def in_day(
    column: sa.ColumnElement[int], first: int, last: int | None = None
) -> list[sa.ColumnElement[bool]]:
    """Give the conditions that `column`, a begin, lies in the days from `first` to `last`."""
    last = first if last is None else last
    return [column >= first * SECONDS_PER_DAY, column < (last + 1) * SECONDS_PER_DAY]


def lock(
    session: Session,
    scope_ids: Sequence[int] | None,
    first_day: int,
    last_day: int,
) -> list[tuple[int, int, bool]]:
    """Lock the ledger rows of scopes (None: all) and days; gives (scope id, begin, rolled)."""
    query = (
        sa.select(PERIODS.c.scope_id, PERIODS.c.begin, PERIODS.c.rolled)
        .where(*in_day(PERIODS.c.begin, first_day, last_day))
        .order_by(PERIODS.c.scope_id, PERIODS.c.begin)
        .with_for_update()
    )
    if scope_ids is not None:
        query = query.where(PERIODS.c.scope_id.in_(integers(sorted(scope_ids))))
    return [(scope_id, begin, bool(rolled)) for scope_id, begin, rolled in session.execute(query)]


def roll(session: Session, scope_ids: Collection[int], day: int) -> None:
    """Take everything that scopes have on a day into the roll-up."""
    scopes = integers(sorted(scope_ids))
    lock(session, sorted(scope_ids), day, day)
    session.execute(
        sa.update(PERIODS)
        .where(PERIODS.c.scope_id.in_(scopes), *in_day(PERIODS.c.begin, day))
        .where(PERIODS.c.rolled == sa.false())
        .values(rolled=True),
    )
    recompute(session, scope_ids, [day])


def recompute(
    session: Session,
    scope_ids: Collection[int] | None,
    days: Iterable[int],
    series: Sequence[sa.ColumnElement[bool]] = (),
) -> None:
    """Work out anew the roll-ups of scopes (None: all) and days whose ledger rows are locked.

    With `series`, conditions on ck_series, only those of the series that meet them.
    """
    for day in days:
        session.execute(sa.delete(DAILY).where(DAILY.c.day == day, *_of(DAILY, scope_ids, series)))
        narrowed: list[sa.ColumnElement[bool]] = [
            *in_day(PERIODS.c.begin, day),
            PERIODS.c.rolled == sa.true(),
            *_of(POINTS, scope_ids, series),
        ]
        if scope_ids is not None:
            narrowed.append(PERIODS.c.scope_id.in_(integers(sorted(scope_ids))))
        if session.get_bind().dialect.name == "sqlite":
            _fold_here(session, day, narrowed)
        else:
            _fold_in_sql(session, day, narrowed)
        total_up(session, scope_ids, day)


def total_up(session: Session, scope_ids: Collection[int] | None, day: int) -> None:
    """Work out anew the sums by metric type of scopes (None: all) on a day."""
    session.execute(sa.delete(TOTALS).where(TOTALS.c.day == day, *_of(TOTALS, scope_ids)))
    by_series = DAILY.join(_SERIES, _SERIES.c.id == DAILY.c.series_id)
    narrowed = [DAILY.c.day == day, *_of(DAILY, scope_ids)]
    if session.get_bind().dialect.name == "sqlite":
        _total_here(
            session, day, sa.select(*_total_columns()).select_from(by_series).where(*narrowed)
        )
        return
    sums = (
        sa.select(
            DAILY.c.scope_id,
            sa.literal(day, sa.Integer).label("day"),
            _SERIES.c.metric,
            sa.func.sum(DAILY.c.points),
            *(function(DAILY.c[name]) for name, (function, _fold) in _AGGREGATES.items()),
        )
        .select_from(by_series)
        .where(*narrowed)
        .group_by(DAILY.c.scope_id, _SERIES.c.metric)
    )
    names = [column.name for column in TOTALS.columns]
    session.execute(sa.insert(TOTALS).from_select(names, sums))


def _total_here(session: Session, day: int, statement: sa.Select[Any]) -> None:
    """Fold in Python, as in `_fold_here`."""
    folds = [fold for _function, fold in _AGGREGATES.values()]
    found: dict[tuple[int, str], list[Any]] = {}
    for scope_id, metric, points, *numbers in session.execute(statement):
        known = found.get((scope_id, metric))
        if known is None:
            found[scope_id, metric] = [points, *numbers]
        else:
            known[0] += points
            known[1:] = [
                fold(old, new) for fold, old, new in zip(folds, known[1:], numbers, strict=True)
            ]
    if found:
        names = [column.name for column in TOTALS.columns]
        session.execute(
            sa.insert(TOTALS),
            [
                dict(zip(names, (scope_id, day, metric, *cells), strict=True))
                for (scope_id, metric), cells in sorted(found.items())
            ],
        )


def _total_columns() -> list[sa.ColumnElement[Any]]:
    return [
        DAILY.c.scope_id,
        _SERIES.c.metric,
        DAILY.c.points,
        *(DAILY.c[name] for name in _AGGREGATES),
    ]


def _fold_in_sql(session: Session, day: int, narrowed: Sequence[sa.ColumnElement[bool]]) -> None:
    sums = (
        sa.select(
            POINTS.c.scope_id,
            sa.literal(day, sa.Integer).label("day"),
            POINTS.c.series_id,
            sa.func.count(),
            *(
                function(column)
                for column in (POINTS.c.qty, POINTS.c.price)
                for function in (exact_sum, exact_min, exact_max)
            ),
        )
        .select_from(PERIODS.join(POINTS, _same_period()))
        .where(*narrowed)
        .group_by(POINTS.c.scope_id, POINTS.c.series_id)
    )
    names = [column.name for column in DAILY.columns]
    session.execute(sa.insert(DAILY).from_select(names, sums))


def _fold_here(session: Session, day: int, narrowed: Sequence[sa.ColumnElement[bool]]) -> None:
    """Fold the points in Python: SQLite would call back for each number of each aggregate."""
    # Read as the text that they are stored as: most series have few different numbers a day.
    numbers = [sa.type_coerce(column, sa.Text) for column in (POINTS.c.qty, POINTS.c.price)]
    found: dict[tuple[int, int], tuple[list[str], list[str]]] = {}
    statement = (
        sa.select(POINTS.c.scope_id, POINTS.c.series_id, *numbers)
        .select_from(PERIODS.join(POINTS, _same_period()))
        .where(*narrowed)
    )
    for scope_id, series_id, qty, price in session.execute(statement):
        try:
            qtys, prices = found[scope_id, series_id]
        except KeyError:
            qtys, prices = found[scope_id, series_id] = [], []
        qtys.append(qty)
        prices.append(price)
    rows = [
        (scope_id, day, series_id, len(qtys), *_folded(qtys), *_folded(prices))
        for (scope_id, series_id), (qtys, prices) in sorted(found.items())
    ]
    bulk.insert(session, DAILY, rows, max(len(rows), 1))


def _folded(texts: Sequence[str]) -> tuple[str, str, str]:
    """Give the exact sum, the minimum and the maximum."""
    first = texts[0]
    if texts.count(first) == len(texts):
        return bulk.plain(EXACT.multiply(Decimal(first), Decimal(len(texts)))), first, first
    numbers = [Decimal(text) for text in texts]
    total = functools.reduce(EXACT.add, numbers)
    return bulk.plain(total), bulk.plain(min(numbers)), bulk.plain(max(numbers))


def unrolled_days(session: Session, before: int, limit: int) -> dict[int, list[int]]:
    """Give day -> scope ids with ledger rows that begin before `before` and are not rolled."""
    found: dict[int, set[int]] = {}
    query = (
        sa.select(PERIODS.c.begin, PERIODS.c.scope_id)
        .where(PERIODS.c.rolled == sa.false(), PERIODS.c.begin < before)
        .order_by(PERIODS.c.begin)
        .limit(limit)
    )
    for begin, scope_id in session.execute(query):
        found.setdefault(day_of(begin), set()).add(scope_id)
    return {day: sorted(scope_ids) for day, scope_ids in found.items()}


def _same_period() -> sa.ColumnElement[bool]:
    return sa.and_(POINTS.c.begin == PERIODS.c.begin, POINTS.c.scope_id == PERIODS.c.scope_id)


def _of(
    table: sa.Table,
    scope_ids: Collection[int] | None,
    series: Sequence[sa.ColumnElement[bool]] = (),
) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if scope_ids is not None:
        found.append(table.c.scope_id.in_(integers(sorted(scope_ids))))
    if series:
        found.append(
            sa.exists().where(_SERIES.c.id == table.c.series_id, *series).correlate(table),
        )
    return found
