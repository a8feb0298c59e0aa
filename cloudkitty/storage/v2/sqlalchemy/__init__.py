# SPDX-License-Identifier: Apache-2.0
"""The default storage: a star of series, points and roll-ups in the SQL database.

What is kept, and what readers may rely on, is told in :mod:`.models`; how it is written in
:mod:`.commit` (processor), :mod:`.writer` (push) and :mod:`.deletion`; how it is read in
:mod:`.totals` and :mod:`.frames`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.storage.v2 import base, query
from cloudkitty.storage.v2 import custom_fields as fields
from cloudkitty.storage.v2.sqlalchemy import (
    columns,
    commit,
    conditions,
    deletion,
    everything,
    frames,
    ledger,
    perseries,
    points,
    provenance,
    rollup,
    totals,
    writer,
)
from cloudkitty.storage.v2.sqlalchemy.catalog import Catalog
from cloudkitty.storage.v2.sqlalchemy.session import retried, writing
from cloudkitty.usage import ScopeUsage

#: Ledger rows that one transaction of `roll_up_closed_days` looks at.
_ROLLED_AT_ONCE = 5000


class SQLAlchemyStorage(base.BaseStorage):
    """Storage v2 in ``[database]``; safe for several threads and processes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._catalog = Catalog()

    @property
    def _scope_key(self) -> str:
        key: str = self.conf.collect.scope_key
        return key

    @property
    def _chunk(self) -> int:
        chunk: int = self.conf.storage_sqlalchemy.write_chunk
        return chunk

    def init(self) -> None:
        """Create or upgrade the tables."""
        from cloudkitty.storage.v2.sqlalchemy import migrations

        migrations.get_migration().upgrade()

    def push(self, dataframes: Sequence[DataFrame], scope_id: str | None = None) -> None:
        """Store frames in one transaction (5.1); ValueError for what no column can hold."""
        del scope_id
        writer.push(self._catalog, dataframes, self._scope_key, self._chunk)

    def push_once(self, dataframes: Sequence[DataFrame], once: base.Once) -> None:
        """Store frames unless that has been done, in one transaction."""
        writer.push(self._catalog, dataframes, self._scope_key, self._chunk, once)

    def commit(self, batch: Sequence[ScopeUsage], advance: base.Advance) -> Collection[str]:
        """Store a batch and move its scopes on, in one transaction."""
        return commit.commit(self._catalog, batch, advance, self._scope_key, self._chunk)

    def replace(self, batch: Sequence[ScopeUsage], advance: base.Advance) -> Collection[str]:
        """Replace whole periods of a batch's scopes and move them on, in one transaction."""
        return commit.commit(
            self._catalog, batch, advance, self._scope_key, self._chunk, replacing=True
        )

    def retrieve(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
        metric_types: str | Sequence[str] | None = None,
        offset: int = 0,
        limit: int = 1000,
        paginate: bool = True,  # noqa: FBT001, FBT002 - plugin interface
    ) -> dict[str, Any]:
        """Give ``{"total": points matching, "dataframes": [DataFrame]}`` (5.5)."""
        interval = query.interval(begin, end)
        wanted = query.filters(filters, metric_types)
        with db.session_for_read() as session:
            selection = conditions.select(session, interval, wanted, self._scope_key)
            page = (offset, limit) if paginate else (0, None)
            total, found = frames.page(session, selection, *page)
        return {"total": total, "dataframes": frames.fold(found)}

    @contextmanager
    def stream(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
        metric_types: str | Sequence[str] | None = None,
        offset: int = 0,
        limit: int | None = 1000,
    ) -> Iterator[tuple[int, Iterator[base.Placed]]]:
        """Give the number of matching points and a page of them, all of one state."""
        interval = query.interval(begin, end)
        wanted = query.filters(filters, metric_types)
        with db.session_for_read() as session:
            selection = conditions.select(session, interval, wanted, self._scope_key)
            total, found = frames.stream(session, selection, offset, limit, base.STREAMED_AT_ONCE)
            yield total, frames.placed(found)

    def total(
        self,
        groupby: Sequence[str] | None = None,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        metric_types: str | Sequence[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        custom_fields: str | None = base.DEFAULT_FIELDS,
        offset: int = 0,
        limit: int = 1000,
        paginate: bool = True,  # noqa: FBT001, FBT002 - plugin interface
        *,
        most: int | None = None,
    ) -> dict[str, Any]:
        """Give ``{"total": rows, "results": [row]}`` (5.6); numbers are Decimals.

        Raises werkzeug.exceptions.BadRequest for a groupby or custom_fields not understood, and
        TooManyRows when there are more than `most` (None: any number), as soon as that is known.
        """
        names, by_time = query.group_names(groupby)
        values = fields.parse(custom_fields)
        interval = query.interval(begin, end)
        wanted = query.filters(filters, metric_types)
        with db.session_for_read() as session:
            selection = conditions.select(session, interval, wanted, self._scope_key)
            if values is None:
                page: tuple[int, int | None] = (offset, limit) if paginate else (0, None)
                total, found = frames.page(session, selection, *page, most)
                return {"total": total, "results": everything.rows(found)}
            groups = totals.Wanted(names, self.period if by_time else 0)
            rows = totals.rows(session, selection, groups, values, self._scope_key, most)
        results = []
        for (group, bucket), cells in query.page(rows, offset, limit, paginate=paginate):
            limits = (
                (frames.local(bucket), frames.local(bucket + self.period))
                if by_time
                else (interval.begin, interval.end)
            )
            row: dict[str, Any] = {"begin": limits[0], "end": limits[1]}
            row |= zip((value.column for value in values), cells, strict=True)
            row |= zip(names, group, strict=True)
            results.append(row)
        return {"total": len(rows), "results": results}

    def total_at_most(self, most: int, **question: Any) -> dict[str, Any]:
        """Give the same, but stop when there are more than `most` rows: TooManyRows."""
        return self.total(**question, most=most)

    @contextmanager
    def series_sums(
        self,
        begin: dt.datetime,
        end: dt.datetime,
        cuts: Sequence[dt.datetime] = (),
        *,
        scopes: Collection[str] | None = None,
        posted_apart: bool = False,
        progress: base.Progress | None = None,
    ) -> Iterator[Iterator[base.SeriesSums]]:
        """Give the sums of each series in [begin, end), all of one state."""
        first, stop = query.bounds(begin, end)
        inside = sorted({timeutils.to_epoch(cut) for cut in cuts})
        edges = [first, *(at for at in inside if first < at < stop), stop]
        with db.session_for_read() as session:
            yield perseries.read(
                session,
                edges,
                self._scope_key,
                scopes=scopes,
                posted_apart=posted_apart,
                progress=progress,
            )

    @contextmanager
    def columns(
        self,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        scopes: Collection[str] | None = None,
        ids: Collection[int] | None = None,
        progress: base.Progress | None = None,
    ) -> Iterator[Iterator[list[base.Column]]]:
        """Give the points of series in [begin, end), all of one state."""
        wanted = columns.Wanted(query.bounds(begin, end), self._scope_key, scopes, ids)
        with db.session_for_read() as session:
            yield columns.read(session, wanted, self.period, progress=progress)

    def rounding(self) -> Callable[[Decimal], Decimal] | None:
        """Give what rounds a number to what the engine keeps."""
        return points.fitted(db.get_engine().dialect.name)

    def digits(
        self, begin: dt.datetime, end: dt.datetime, ids: Collection[int]
    ) -> Mapping[int, int]:
        """Give how many digits quantities have, on engines that fill numbers up with zeros."""
        if self.rounding() is None:
            return {}
        wanted = columns.Wanted(query.bounds(begin, end), self._scope_key, None, ids)
        with db.session_for_read() as session:
            return columns.digits(session, wanted)

    @retried
    def delete(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        """Delete points in one transaction (5.9)."""
        with writing() as session:
            self._delete(session, begin, end, filters)

    @retried
    def rewind(self, filters: Mapping[str, Any], set_back: base.SetBack) -> bool:
        """Set a scope back and delete its points after its last period, in one transaction.

        Of the last period itself nothing is lost that was rated; what was only posted goes, as it
        always did: the scope's data are gone from the time that it is set back to.
        """
        with writing() as session:
            # First: it locks the state of the scope, so that nobody rates it meanwhile.
            last = set_back(session)
            if last is not None:
                following = last + dt.timedelta(seconds=self.period)
                self._delete(session, following, None, filters)
                self._delete(session, last, following, filters, status=ledger.POSTED)
        return last is not None

    def _delete(
        self,
        session: Session,
        begin: dt.datetime | None,
        end: dt.datetime | None,
        filters: Mapping[str, Any] | None,
        status: str | None = None,
    ) -> None:
        selection = conditions.select(
            session,
            query.open_interval(begin, end),
            query.filters(filters),
            self._scope_key,
            metadata_too=False,
        )
        deletion.delete(session, selection, status)

    def count_recorded(
        self, scope_ids: Collection[str], begin: dt.datetime, end: dt.datetime
    ) -> Mapping[str, int]:
        """Count the periods of the ledger that have a rule set."""
        bounds = timeutils.to_epoch(begin), timeutils.to_epoch(end)
        with db.session_for_read() as session:
            return provenance.count(session, self._scope_key, scope_ids, *bounds)

    def provenance(
        self,
        periods: Collection[tuple[str, dt.datetime]],
    ) -> Mapping[tuple[str, dt.datetime], base.Provenance]:
        """Give what the ledger says of periods of scopes."""
        with db.session_for_read() as session:
            return provenance.of(session, self._scope_key, periods)

    def roll_up_closed_days(self, before: dt.datetime) -> int:
        """Roll up days before `before` that nobody has; gives the number of (scope, day) pairs.

        For scopes that are not rated any more, or whose points are posted: the processor calls
        it now and then. Each day is a transaction of its own.
        """
        stop = rollup.day_of(timeutils.to_epoch(before)) * timeutils.SECONDS_PER_DAY
        with db.session_for_read() as session:
            days = rollup.unrolled_days(session, stop, _ROLLED_AT_ONCE)
        for day, scope_ids in days.items():
            self._roll(scope_ids, day)
        return sum(map(len, days.values()))

    @retried
    def _roll(self, scope_ids: Sequence[int], day: int) -> None:
        with writing() as session:
            rollup.roll(session, scope_ids, day)
