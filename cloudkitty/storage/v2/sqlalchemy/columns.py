# SPDX-License-Identifier: Apache-2.0
"""Stored points by series, as columns, for whoever looks at very many of them.

They are read slice by slice: some scopes, some days. Numbers that are text (SQLite) are made
decimals once each, since most series have few different ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.base import Column, Progress
from cloudkitty.storage.v2.sqlalchemy import batches, conditions, models
from cloudkitty.storage.v2.sqlalchemy.batches import Labels
from cloudkitty.storage.v2.sqlalchemy.conditions import integers
from cloudkitty.storage.v2.sqlalchemy.ledger import POSTED

PERIODS: Final = models.Period.__table__
POINTS: Final = models.Point.__table__
SERIES: Final = models.Series.__table__

#: About how many points are in memory at a time.
AT_ONCE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Points that begin in `limits`: of scopes (None: all), of series (None: all)."""

    limits: tuple[int, int]
    scope_key: str
    scopes: Collection[str] | None = None
    ids: Collection[int] | None = None


def read(
    session: Session,
    wanted: Wanted,
    period: int,
    at_once: int = AT_ONCE,
    *,
    progress: Progress | None = None,
) -> Iterator[list[Column]]:
    """Give slices of points: all that some scopes have in some periods, of about `period` each."""
    scopes = None if wanted.scopes is None else {wanted.scope_key: list(wanted.scopes)}
    interval = query.Interval(None, None, *wanted.limits)
    chosen = conditions.select(session, interval, query.filters(scopes), wanted.scope_key)
    if chosen.empty:
        return
    length = chosen.stop - chosen.first
    # As many series as have few enough points in a day, or in the interval if that is shorter.
    periods = max(1, min(length, 24 * period) // period)
    reader = _Reader(session)
    before = 0.0
    for condition, count, done in _batches(
        session, wanted.ids, chosen.scope_ids, max(1, at_once // periods)
    ):
        step = max(1, at_once // max(1, count)) * period
        for first in range(chosen.first, chosen.stop, step):
            yield reader.read(condition, first, min(first + step, chosen.stop))
            if progress:
                part = min(1.0, (first + step - chosen.first) / length)
                progress(before + (done - before) * part)
        before = done


def _batches(
    session: Session,
    ids: Collection[int] | None,
    scope_ids: tuple[int, ...] | None,
    at_once: int,
) -> Iterator[tuple[list[Any], int, float]]:
    """Give conditions on points, the number of their series, and what part is done then."""
    if ids is None:
        for batch, done in batches.batches(session, at_once, scope_ids, whole=True):
            yield [PERIODS.c.scope_id.in_(integers(batch.scope_ids))], batch.series, done
        return
    ordered = sorted(ids)
    for start in range(0, len(ordered), at_once):
        some = ordered[start : start + at_once]
        of_them = sa.select(SERIES.c.scope_id).where(SERIES.c.id.in_(integers(some)))
        found = sorted(set(session.scalars(of_them)))
        condition = [
            PERIODS.c.scope_id.in_(integers(found)),
            # No bare column: SQLite would look each of them up in every period of every scope.
            (POINTS.c.series_id + 0).in_(integers(some)),
        ]
        yield condition, len(some), min(1.0, (start + at_once) / len(ordered))


def digits(session: Session, wanted: Wanted) -> dict[int, int]:
    """Give by series how many digits after the point its quantities have, on MySQL and MariaDB.

    Their decimals always come with all digits that the column has.
    """
    assert wanted.ids is not None
    first, stop = wanted.limits
    text = sa.func.trim(sa.literal_column(f"TRAILING '0' FROM {POINTS.name}.qty"))
    count = sa.func.char_length(text) - sa.func.locate(".", POINTS.c.qty)
    ordered = sorted(wanted.ids)
    found: dict[int, int] = {}
    for start in range(0, len(ordered), AT_ONCE):
        # Not by way of the ledger: the answer is a bound, and this takes half the time.
        statement = (
            sa.select(POINTS.c.series_id, sa.func.max(count))
            .where(POINTS.c.begin >= first, POINTS.c.begin < stop)
            .where(POINTS.c.series_id.in_(integers(ordered[start : start + AT_ONCE])))
            .group_by(POINTS.c.series_id)
        )
        found.update((id_, most) for id_, most in session.execute(statement))
    return found


def _same_period() -> sa.ColumnElement[bool]:
    return sa.and_(POINTS.c.begin == PERIODS.c.begin, POINTS.c.scope_id == PERIODS.c.scope_id)


class _Reader:
    """Reads points; remembers labels, and decimals by their text, as long as there are few."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._labels: dict[int, Labels] = {}
        self._text = session.get_bind().dialect.name == "sqlite"
        self._numbers: dict[str, Decimal] = {}

    def read(self, condition: list[Any], first: int, stop: int) -> list[Column]:
        """Give the points of [first, stop), by series."""
        found: dict[tuple[int, int, bool], tuple[list[int], list[Any], list[Any]]] = {}
        for begin, series_id, rank, qty, price, status in self._session.execute(
            self._statement(condition, first, stop)
        ):
            key = (series_id, rank, status == POSTED)
            column = found.get(key)
            if column is None:
                column = found[key] = ([], [], [])
            column[0].append(begin)
            column[1].append(qty)
            column[2].append(price)
        self._describe({series_id for series_id, _rank, _posted in found})
        return [
            Column(
                series_id,
                *self._labels[series_id],
                posted,
                begins,
                self._decimals(qtys),
                self._decimals(prices),
            )
            for (series_id, _rank, posted), (begins, qtys, prices) in sorted(
                found.items(), key=lambda item: item[0]
            )
        ]

    def _statement(self, condition: list[Any], first: int, stop: int) -> sa.Select[Any]:
        kind: Any = sa.Text if self._text else sa.Numeric
        at = PERIODS.c.begin
        return (
            sa.select(
                at,
                POINTS.c.series_id,
                POINTS.c.rank,
                sa.type_coerce(POINTS.c.qty, kind),
                sa.type_coerce(POINTS.c.price, kind),
                PERIODS.c.status,
            )
            .select_from(PERIODS.join(POINTS, _same_period()))
            .where(at >= first, at < stop, *condition)
            .order_by(at)
        )

    def _describe(self, ids: set[int]) -> None:
        unknown = sorted(ids - self._labels.keys())
        if len(self._labels) + len(unknown) > AT_ONCE:
            self._labels.clear()
            unknown = sorted(ids)
        for _scope_id, id_, labels in batches.described(self._session, unknown):
            self._labels[id_] = labels

    def _decimals(self, numbers: list[Any]) -> list[Decimal]:
        if not self._text:
            return numbers
        if len(self._numbers) > AT_ONCE:
            self._numbers.clear()
        known = self._numbers
        out = []
        for text in numbers:
            number = known.get(text)
            if number is None:
                number = known[text] = Decimal(text)
            out.append(number)
        return out
