# SPDX-License-Identifier: Apache-2.0
"""push(): frames as they come, one transaction a call (contract storage.md 5.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict, to_decimal
from cloudkitty.storage.v2.base import Once
from cloudkitty.storage.v2.sqlalchemy import identity, ledger, points
from cloudkitty.storage.v2.sqlalchemy.catalog import Catalog
from cloudkitty.storage.v2.sqlalchemy.identity import SeriesInfo
from cloudkitty.storage.v2.sqlalchemy.points import Point
from cloudkitty.storage.v2.sqlalchemy.session import retried, writing
from cloudkitty.usage import Series, split_calendar


def push(
    catalog: Catalog,
    frames: Sequence[DataFrame],
    scope_key: str,
    chunk: int,
    once: Once | None = None,
) -> None:
    """Store frames; all or nothing, durable when it returns.

    With `once` nothing is stored if that has been done. Raises ValueError, with nothing stored,
    for what no column can hold.
    """
    described = list(_described(frames, scope_key))
    rows = []
    if described:
        refs = catalog.series(info for info, *_rest in described)
        ranks: Counter[tuple[int, bytes]] = Counter()
        for info, begin, seconds, qty, price in described:
            ref = refs[info.digest]
            rank = ranks[begin, info.identity]
            ranks[begin, info.identity] += 1
            rows.append(
                Point(begin, ref.scope_id, ref.id, rank, seconds, qty, price, info.identity),
            )
    if rows or once:
        _store(rows, chunk, once)


@retried
def _store(rows: Sequence[Point], chunk: int, once: Once | None) -> None:
    with writing() as session:
        if once:
            if once.done(session):
                return
            # Before the points: whoever does the same waits for it.
            once.record(session)
        points.replace(session, rows, ledger.POSTED, chunk)


def _described(
    frames: Sequence[DataFrame],
    scope_key: str,
) -> Iterator[tuple[SeriesInfo, int, int, Decimal, Decimal]]:
    """Yield series, begin, seconds, qty and price of every point."""
    fit = points.fitted(db.get_engine().dialect.name)
    for frame in frames:
        begin, end = timeutils.to_epoch(frame.start), timeutils.to_epoch(frame.end)
        for metric, point in frame.iterpoints():
            qty, price = to_decimal(point.qty), to_decimal(point.price)
            points.check(qty, f"qty of a point of {metric!r}")
            points.check(price, f"price of a point of {metric!r}")
            if fit:
                qty, price = fit(qty), fit(price)
            series = _series(metric, point, begin)
            yield identity.describe(series, scope_key), begin, end - begin, qty, price


def _series(metric: str, point: DataPoint, begin: int) -> Series:
    groupby, calendar = split_calendar(ImmutableDict(identity.groupby_form(point.groupby)), begin)
    return Series(metric, point.unit, groupby, point.metadata, point.description, calendar)
