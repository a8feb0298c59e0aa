# SPDX-License-Identifier: Apache-2.0
"""retrieve(): data frames page by page (contract storage.md 5.5).

The order is begin, end, metric type, series, rank. A page jumps to its first period by the number
of points per begin (from the ledger, when whole periods match), so that a deep page costs no more
than a shallow one.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.storage.v2.base import Placed, TooManyRows
from cloudkitty.storage.v2.sqlalchemy import identity, models
from cloudkitty.storage.v2.sqlalchemy.conditions import Selection, integers

PERIODS: Final = models.Period.__table__
POINTS: Final = models.Point.__table__
SERIES: Final = models.Series.__table__
_CHUNK: Final = 1000


class StoredPoint(NamedTuple):
    """One stored point, labels as they were pushed."""

    begin: int
    end: int
    metric: str
    point: DataPoint


@dataclass(frozen=True, slots=True)
class _Labels:
    metric: str
    unit: str
    groupby: ImmutableDict
    metadata: ImmutableDict
    calendar: bool

    def point(self, begin: int, qty: Decimal, price: Decimal) -> DataPoint:
        groupby = self.groupby
        if self.calendar:
            groupby = ImmutableDict({**groupby, **timeutils.calendar_keys(begin)})
        return DataPoint(self.unit, qty, price, groupby, self.metadata)


def page(
    session: Session,
    selection: Selection,
    offset: int,
    limit: int | None,
    most: int | None = None,
) -> tuple[int, list[StoredPoint]]:
    """Give the number of matching points, and those from `offset` on (at most `limit`).

    Raises TooManyRows when more than `most` match.
    """
    total, found = stream(session, selection, offset, limit)
    if most is not None and total > most:
        raise TooManyRows
    return total, list(found)


def stream(
    session: Session,
    selection: Selection,
    offset: int,
    limit: int | None,
    at_once: int | None = None,
) -> tuple[int, Iterator[StoredPoint]]:
    """Give the same, the points read `at_once` at a time (None: all) while they are asked for."""
    if selection.empty:
        return 0, iter(())
    counts = _counts(session, selection)
    total = sum(count for _begin, count in counts)
    if offset >= total or limit == 0:
        return total, iter(())
    wanted = total - offset if limit is None else min(limit, total - offset)
    step = at_once or wanted
    return total, itertools.chain.from_iterable(
        _read(session, selection, counts, start, min(step, offset + wanted - start))
        for start in range(offset, offset + wanted, step)
    )


def _read(
    session: Session,
    selection: Selection,
    counts: Sequence[tuple[int, int]],
    offset: int,
    wanted: int,
) -> list[StoredPoint]:
    first, last, skip, after = _begins(counts, offset, wanted)
    order = (
        POINTS.c.begin,
        POINTS.c.seconds,
        SERIES.c.metric,
        POINTS.c.series_id,
        POINTS.c.rank,
    )
    # From the nearer end: engines keep no more rows in order than they skip and give.
    backwards = after < skip
    statement = (
        sa.select(
            POINTS.c.begin,
            POINTS.c.seconds,
            POINTS.c.series_id,
            POINTS.c.qty,
            POINTS.c.price,
        )
        .select_from(POINTS.join(SERIES, SERIES.c.id == POINTS.c.series_id))
        .where(POINTS.c.begin >= first, POINTS.c.begin <= last)
        .where(*selection.scope_condition(POINTS.c.scope_id))
        .where(*selection.series_condition(SERIES.c, POINTS.c.begin))
        .order_by(*(column.desc() if backwards else column for column in order))
        .offset(after if backwards else skip)
        .limit(wanted)
    )
    rows = session.execute(statement).all()
    return list(_stored(session, rows[::-1] if backwards else rows))


def fold(points: Sequence[StoredPoint]) -> list[DataFrame]:
    """Give one frame per (begin, end), in the order of the points."""
    frames: list[DataFrame] = []
    at: tuple[int, int] | None = None
    for stored in points:
        if at != (stored.begin, stored.end):
            at = (stored.begin, stored.end)
            frames.append(DataFrame(local(stored.begin), local(stored.end)))
        frames[-1].add_point(stored.point, stored.metric)
    return frames


def placed(points: Iterable[StoredPoint]) -> Iterator[Placed]:
    """Give points with the period that each lies in."""
    at: tuple[int, int] | None = None
    for stored in points:
        if at != (stored.begin, stored.end):
            at = (stored.begin, stored.end)
            begin, end = local(stored.begin), local(stored.end)
        yield Placed(begin, end, stored.metric, stored.point)


def local(seconds: int) -> Any:
    """Give an instant as answers show it: aware, in the local zone."""
    return timeutils.as_local(timeutils.from_epoch(seconds))


def _counts(session: Session, selection: Selection) -> list[tuple[int, int]]:
    """Give (begin, number of matching points), ascending."""
    if selection.by_series or selection.by_calendar:
        begin = POINTS.c.begin
        statement = (
            sa.select(begin, sa.func.count())
            .select_from(POINTS.join(SERIES, SERIES.c.id == POINTS.c.series_id))
            .where(*selection.scope_condition(POINTS.c.scope_id))
            .where(*selection.series_condition(SERIES.c, begin))
        )
    else:
        begin = PERIODS.c.begin
        statement = sa.select(begin, sa.func.sum(PERIODS.c.points)).where(
            *selection.scope_condition(PERIODS.c.scope_id),
        )
    statement = (
        statement.where(begin >= selection.first, begin < selection.stop)
        .group_by(begin)
        .order_by(begin)
    )
    return [(at, int(count)) for at, count in session.execute(statement)]


def _begins(
    counts: Sequence[tuple[int, int]],
    offset: int,
    wanted: int,
) -> tuple[int, int, int, int]:
    """Give the first and the last begin of a page, and how many of their points are not on it.

    Those before it and those after it.
    """
    before = 0
    first: int | None = None
    skip = 0
    for begin, count in counts:
        if first is None and before + count > offset:
            first, skip = begin, offset - before
        before += count
        if first is not None and before >= offset + wanted:
            return first, begin, skip, before - offset - wanted
    raise ValueError("the page lies behind the last point")


def _stored(session: Session, rows: Sequence[Any]) -> Iterator[StoredPoint]:
    known = _labels(session, sorted({row.series_id for row in rows}))
    for begin, seconds, series_id, qty, price in rows:
        labels = known[series_id]
        yield StoredPoint(
            begin,
            begin + seconds,
            labels.metric,
            labels.point(begin, shown(qty), shown(price)),
        )


def shown(value: Decimal) -> Decimal:
    """Give a stored decimal without the zeros that a column of fixed scale adds."""
    return value if value.as_tuple().exponent != _MYSQL_EXPONENT else _trimmed(value)


_MYSQL_EXPONENT: Final = -30


@functools.lru_cache(maxsize=10_000)
def _trimmed(value: Decimal) -> Decimal:
    text = format(value, "f").rstrip("0").rstrip(".")
    return Decimal(text or "0")


def _labels(session: Session, series_ids: Sequence[int]) -> dict[int, _Labels]:
    found: dict[int, _Labels] = {}
    for start in range(0, len(series_ids), _CHUNK):
        statement = sa.select(
            SERIES.c.id,
            SERIES.c.metric,
            SERIES.c.unit,
            SERIES.c.groupby,
            SERIES.c.metadata,
            SERIES.c.calendar,
        ).where(SERIES.c.id.in_(integers(series_ids[start : start + _CHUNK])))
        for id_, metric, unit, groupby, metadata, calendar in session.execute(statement):
            found[id_] = _Labels(
                metric,
                unit,
                ImmutableDict(identity.loads(groupby)),
                ImmutableDict(identity.loads(metadata)),
                bool(calendar),
            )
    return found
