# SPDX-License-Identifier: Apache-2.0
"""Storage of the first generation in the SQL database: one row per point.

For databases that older releases have filled; what they have stored is read as it is, and they can
read what is stored here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.storage.errors import NoTimeFrame
from cloudkitty.storage.v1.adapter import TENANT, TYPE, Adapter, Question
from cloudkitty.storage.v1.base import BaseStorage, LegacyFrame
from cloudkitty.storage.v1.sqlalchemy import reading, rows, writing
from cloudkitty.storage.v1.sqlalchemy.reading import Selection
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.base import Advance, SetBack
from cloudkitty.usage import ScopeUsage


class SQLAlchemyStorage(BaseStorage):
    """The driver as the plugin interface wants it; a period is one transaction."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._taken: dict[str | None, list[rows.Row]] = {}

    @property
    def period(self) -> dt.timedelta:
        """How long a period is."""
        return self._period

    def init(self) -> None:
        """Create or upgrade the table."""
        from cloudkitty.storage.v1.sqlalchemy import migrations

        migrations.get_migration().upgrade()

    def adapted(self) -> SQLAlchemyAdapter:
        """Give the storage in the form of the second generation."""
        return SQLAlchemyAdapter(self)

    def get_time_frame(
        self,
        begin: dt.datetime | None,
        end: dt.datetime | None,
        res_type: Any = None,
        tenant_id: Any = None,
    ) -> list[LegacyFrame]:
        """Give one frame per stored point; raises NoTimeFrame when there is none."""
        selection = Selection(begin, end, _listed(tenant_id), _listed(res_type))
        with db.session_for_read() as session:
            found = reading.points(session, selection)[1]
        if not found:
            raise NoTimeFrame
        return [rows.legacy(row) for row in found]

    def get_total(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        tenant_id: Any = None,
        service: Any = None,
        groupby: str | None = None,
    ) -> list[dict[str, Any]]:
        """Give sums, lowest first; a rate is a Decimal, None without any point."""
        selection = Selection(begin, end, _listed(tenant_id), _listed(service))
        named = (groupby or "").split(",")
        with db.session_for_read() as session:
            found = reading.totals(session, selection, [n for n in (TENANT, TYPE) if n in named])
        return [{**row, "begin": begin, "end": end} for row in found]

    def get_tenants(self, begin: dt.datetime | None, end: dt.datetime | None) -> list[str]:
        """Give the scopes that have a period, with data or without, between the limits."""
        with db.session_for_read() as session:
            return reading.tenants(session, begin, end)

    def get_state(self, tenant_id: str | None = None) -> dt.datetime | None:
        """Give the begin of the last stored period of a scope, or of all; naive UTC."""
        with db.session_for_read() as session:
            return reading.state(session, tenant_id)

    def _dispatch(self, data: dict[str, list[dict[str, Any]]], tenant_id: str | None) -> None:
        limits = (self.usage_start_dt[tenant_id], self.usage_end_dt[tenant_id])
        self._taken.setdefault(tenant_id, []).extend(
            rows.of_legacy_point(metric, point, limits, tenant_id)
            for metric, points in data.items()
            for point in points
        )

    def _commit(self, tenant_id: str | None) -> None:
        taken = self._taken.pop(tenant_id, [])
        if not taken and tenant_id in self.usage_start_dt:
            limits = (self.usage_start_dt[tenant_id], self.usage_end_dt[tenant_id])
            taken = [rows.no_data(*limits, tenant_id)]
        writing.push(taken)

    def _clear_usage_info(self, tenant_id: str | None) -> None:
        super()._clear_usage_info(tenant_id)
        self._taken.pop(tenant_id, None)


class SQLAlchemyAdapter(Adapter):
    """The storage as everybody else sees it: each write is one transaction, with the scopes'."""

    def __init__(self, driver: SQLAlchemyStorage) -> None:
        super().__init__(driver, period=driver.period.total_seconds())
        self._length = driver.period

    def push(self, dataframes: Sequence[DataFrame], scope_id: str | None = None) -> None:
        """Store frames; all or nothing. Raises ValueError for what no column can hold."""
        if dataframes:
            writing.push(rows.of_frames(dataframes, self._length, scope_id))

    def commit(self, batch: Sequence[ScopeUsage], advance: Advance) -> Collection[str]:
        """Store a batch and move its scopes on, in one transaction."""
        return writing.commit(batch, advance)

    def replace(self, batch: Sequence[ScopeUsage], advance: Advance) -> Collection[str]:
        """Replace whole periods of a batch's scopes and move them on, in one transaction."""
        return writing.commit(batch, advance, whole_periods=True)

    def rewind(self, filters: Mapping[str, Any], set_back: SetBack) -> bool:
        """Set a scope back and delete its points after its last period, in one transaction."""
        return writing.rewind(
            set_back,
            lambda last: self._deletion(last + self._length, None, filters),
        )

    def delete(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        """Delete points in one transaction (5.9)."""
        writing.delete(self._deletion(begin, end, filters))

    def _deletion(
        self,
        begin: dt.datetime | None,
        end: dt.datetime | None,
        filters: Mapping[str, Any] | None,
    ) -> Selection:
        return _selection(self._narrowed(query.open_interval(begin, end), filters))

    def _frames(
        self,
        question: Question,
        offset: int,
        limit: int | None,
    ) -> tuple[int, Sequence[LegacyFrame]]:
        with db.session_for_read() as session:
            total, found = reading.points(session, _selection(question), offset, limit)
        return total, [rows.legacy(row) for row in found]

    @contextmanager
    def _reading(
        self,
        question: Question,
        offset: int,
        limit: int | None,
    ) -> Iterator[tuple[int, Iterable[LegacyFrame]]]:
        with (
            db.session_for_read() as session,
            reading.stream(session, _selection(question), offset, limit) as (total, found),
        ):
            yield total, map(rows.legacy, found)

    def _totals(self, question: Question, groups: Sequence[str]) -> list[dict[str, Any]]:
        with db.session_for_read() as session:
            return reading.totals(session, _selection(question), groups)


def _selection(question: Question) -> Selection:
    """Give what SQL is asked; limits between seconds count from the next one."""
    limits = (question.interval.first, question.interval.stop)
    first, stop = (None if at is None else _naive(at) for at in limits)
    return Selection(first, stop, question.tenants, question.types, question.labels)


def _naive(epoch: int) -> dt.datetime:
    return timeutils.naive_utc(timeutils.from_epoch(epoch))


def _listed(value: Any) -> Sequence[str] | None:
    """Give one value, or several, as several; none is no condition."""
    return [value] if isinstance(value, str) else value
