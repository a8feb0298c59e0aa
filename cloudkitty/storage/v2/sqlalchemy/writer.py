# SPDX-License-Identifier: Apache-2.0
"""push(): frames as they come, one transaction a call (contract storage.md 5.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict, to_decimal
from cloudkitty.storage.v2.sqlalchemy import identity, ledger, points
from cloudkitty.storage.v2.sqlalchemy.catalog import Catalog
from cloudkitty.storage.v2.sqlalchemy.identity import SeriesInfo
from cloudkitty.storage.v2.sqlalchemy.points import Point
from cloudkitty.storage.v2.sqlalchemy.session import retried, writing
from cloudkitty.usage import Series, split_calendar


def push(catalog: Catalog, frames: Sequence[DataFrame], scope_key: str, chunk: int) -> None:
    """Store frames; all or nothing, durable when it returns.

    Raises ValueError, with nothing stored, for what no column can hold.
    """
    described = list(_described(frames, scope_key))
    if described:
        refs = catalog.series(info for info, *_rest in described)
        ranks: Counter[tuple[int, bytes]] = Counter()
        rows = []
        for info, begin, seconds, qty, price in described:
            ref = refs[info.digest]
            rank = ranks[begin, info.identity]
            ranks[begin, info.identity] += 1
            rows.append(
                Point(begin, ref.scope_id, ref.id, rank, seconds, qty, price, info.identity),
            )
        _store(rows, chunk)


@retried
def _store(rows: Sequence[Point], chunk: int) -> None:
    with writing() as session:
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
