# SPDX-License-Identifier: Apache-2.0
"""Reading the table of rated points."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.db.engines import EXACT
from cloudkitty.db.types import exact_sum
from cloudkitty.storage.v1.sqlalchemy import desc, models
from cloudkitty.storage.v1.sqlalchemy.expressions import exact, exact_rate
from cloudkitty.storage.v2 import base
from cloudkitty.storage.v2.query import text

TABLE: Final = models.RatedDataFrame.__table__
_C: Final = TABLE.c

Labels = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows that begin in ``[first, stop)``, naive UTC, and have one of `tenants` and `types`.

    None is no condition. `labels` are (name, values): a row has one of the values under that name;
    an empty one also where the name is missing.
    """

    first: dt.datetime | None = None
    stop: dt.datetime | None = None
    tenants: Sequence[str] | None = None
    types: Sequence[str] | None = None
    labels: Labels = ()

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Give what SQL can look at: all but the labels."""
        if self.first is not None:
            yield _C.begin >= self.first
        if self.stop is not None:
            yield _C.begin < self.stop
        for column, values in ((_C.tenant_id, self.tenants), (_C.res_type, self.types)):
            if values is not None:
                # The first of the two can use an index.
                yield column.in_(values)
                yield exact(column).in_(values)

    def matches(self, stored: desc.Stored, *, groupby_only: bool = False) -> bool:
        """Whether a row's labels match; `groupby_only` leaves out what is known as metadata."""
        labels = stored.labels
        if groupby_only and stored.groupby is not None:
            labels = {name: labels[name] for name in stored.groupby}
        return all(text(labels.get(name)) in values for name, values in self.labels)


def points(
    session: Session,
    selection: Selection,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[int, Sequence[sa.Row[Any]]]:
    """Give how many points match, and a page of them: by begin, end and order of storing."""
    with stream(session, selection, offset, limit) as (total, rows):
        return total, list(rows)


@contextmanager
def stream(
    session: Session,
    selection: Selection,
    offset: int = 0,
    limit: int | None = None,
) -> Iterator[tuple[int, Iterable[sa.Row[Any]]]]:
    """Give the same while the block lasts, the rows read while they are asked for."""
    where = [*selection.conditions(), _is_data()]
    query = sa.select(TABLE).where(*where).order_by(_C.begin, _C.end, _C.id)
    if selection.labels:
        found = [row for row in session.execute(query) if selection.matches(desc.read(row.desc))]
        yield len(found), found[offset:] if limit is None else found[offset : offset + limit]
        return
    total = session.scalar(sa.select(sa.func.count()).select_from(TABLE).where(*where)) or 0
    if offset or limit is not None:
        query = query.offset(offset).limit(limit)
    if offset >= total:
        yield total, ()
        return
    rows = session.execute(query.execution_options(yield_per=base.STREAMED_AT_ONCE))
    with closing(rows):
        yield total, rows


def totals(
    session: Session,
    selection: Selection,
    columns: Sequence[str],
) -> list[dict[str, Any]]:
    """Give the exact sum of rates (``rate``) for each value of `columns`, lowest first.

    Without columns it is one row; its rate is None when nothing matches.
    """
    if selection.labels:
        rows = _totals_by_label(session, selection, columns)
    else:
        groups = [exact(_C[name]).label(name) for name in columns]
        rate = exact_sum(exact_rate(_C.rate)).label("rate")
        query = sa.select(rate, *groups).where(*selection.conditions(), _is_data())
        if groups:
            query = query.group_by(*(exact(_C[name]) for name in columns))
        rows = [dict(row) for row in session.execute(query).mappings()]
    return sorted(
        rows,
        key=lambda row: (row["rate"] or 0, *(row[name] or "" for name in columns)),
    )


def tenants(session: Session, begin: dt.datetime | None, end: dt.datetime | None) -> list[str]:
    """Give the scopes with a row that lies, as a whole, between the limits (contract 5.10)."""
    name = exact(_C.tenant_id)
    query = sa.select(name).where(_C.tenant_id.is_not(None)).group_by(name).order_by(name)
    for column in (_C.begin, _C.end):
        if begin is not None:
            query = query.where(column >= begin)
        if end is not None:
            query = query.where(column <= end)
    return list(session.scalars(query))


def state(session: Session, tenant_id: str | None) -> dt.datetime | None:
    """Give the begin of the last stored period of a scope, or of all."""
    query = sa.select(sa.func.max(_C.begin))
    if tenant_id is not None:
        query = query.where(*Selection(tenants=[tenant_id]).conditions())
    return session.scalar(query)


def _is_data() -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = _C.res_type != models.NO_DATA
    return condition


def _totals_by_label(
    session: Session,
    selection: Selection,
    columns: Sequence[str],
) -> list[dict[str, Any]]:
    sums: dict[tuple[Any, ...], Decimal] = {}
    for row in points(session, selection)[1]:
        key = tuple(getattr(row, name) for name in columns)
        sums[key] = EXACT.add(sums.get(key, Decimal(0)), Decimal(str(row.rate)))
    if not sums and not columns:
        return [{"rate": None}]
    return [{"rate": rate, **dict(zip(columns, key, strict=True))} for key, rate in sums.items()]
