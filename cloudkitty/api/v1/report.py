# SPDX-License-Identifier: Apache-2.0
"""``/v1/report``: totals, summaries and tenants (contract api.md 9)."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Final

from oslo_config import cfg
from wsme import types as wtypes

from cloudkitty import timeutils
from cloudkitty.api import context, decimals, limits
from cloudkitty.api.v1 import narrow, rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.interval import asked_end
from cloudkitty.api.v1.types import Flag, TextType, UtcDateType
from cloudkitty.storage.v2.base import BaseStorage

#: Shown for what a summary is not grouped by.
_ALL: Final = "ALL"
_TENANT: Final = "tenant_id"
_TYPE: Final = "res_type"

_Interval = tuple[dt.datetime, dt.datetime]


class Summary(wtypes.Base):
    """A sum of a tenant's usage of a metric type, or of all."""

    _wsme_attr_order = ("begin", "end", "tenant_id", "res_type", "rate")

    begin = wtypes.wsattr(UtcDateType())
    end = wtypes.wsattr(UtcDateType())
    tenant_id = wtypes.wsattr(wtypes.text)
    res_type = wtypes.wsattr(wtypes.text)
    rate = wtypes.wsattr(wtypes.text)


class SummaryCollection(wtypes.Base):
    """A list of sums."""

    summary = [Summary]  # noqa: RUF012 - how WSME writes a list


class ReportController(rest.RestController):
    """``/v1/report``."""

    _custom_actions: ClassVar = {"total": ["GET"], "tenants": ["GET"], "summary": ["GET"]}

    def __init__(self, conf: cfg.ConfigOpts, storage: BaseStorage) -> None:
        self._conf = conf
        self._storage = storage

    @wsexpose([wtypes.text], UtcDateType(), UtcDateType())
    def tenants(self, begin: dt.datetime | None = None, end: dt.datetime | None = None) -> Any:
        """List the tenants that are rated."""
        context.authorize("report:list_tenants")
        return list(dict.fromkeys(self._storage.get_tenants(*_interval(begin, end))))

    @wsexpose(wtypes.text, UtcDateType(), UtcDateType(), TextType(), TextType(), bool)
    def total(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        tenant_id: str | None = None,
        service: str | None = None,
        all_tenants: Flag = None,
    ) -> str:
        """Give the price of everything that matches."""
        filters = narrow.report(
            self._conf,
            "report:get_total",
            tenant_id,
            all_tenants=bool(all_tenants),
        )
        scope_key = self._conf.collect.scope_key
        rows = self._rows(self._storage.total, _interval(begin, end), [scope_key], service, filters)
        return decimals.report_total(row.get("rate") for row in rows)

    @wsexpose(
        SummaryCollection,
        UtcDateType(),
        UtcDateType(),
        TextType(),
        TextType(),
        TextType(),
        bool,
    )
    def summary(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        tenant_id: str | None = None,
        service: str | None = None,
        groupby: str | None = None,
        all_tenants: Flag = None,
    ) -> SummaryCollection:
        """Give prices by tenant and metric type, as far as asked for."""
        filters = narrow.report(
            self._conf,
            "report:get_summary",
            tenant_id,
            all_tenants=bool(all_tenants),
        )
        scope_key = self._conf.collect.scope_key
        # The order of the groups is that of the rows: by tenant, then by type.
        names = [
            name
            for word, name in ((_TENANT, scope_key), (_TYPE, "type"))
            if word in (groupby or "")
        ]
        interval = _interval(begin, end)
        sums = functools.partial(limits.total, self._conf, self._storage)
        rows = self._rows(sums, interval, names, service, filters)
        return SummaryCollection(summary=[_shown(row, scope_key, interval) for row in rows])

    def _rows(
        self,
        sums: Callable[..., dict[str, Any]],
        interval: _Interval,
        groupby: list[str],
        service: str | None,
        filters: narrow.Filters,
    ) -> list[dict[str, Any]]:
        limits.check_interval(self._conf, *interval)
        if filters is None:
            return []
        found: list[dict[str, Any]] = sums(
            groupby=groupby,
            begin=interval[0],
            end=asked_end(self._conf, interval[1]),
            metric_types=service or None,
            filters=filters or None,
            paginate=False,
        )["results"]
        return found


def _interval(begin: dt.datetime | None, end: dt.datetime | None) -> _Interval:
    """Give the limits as naive UTC; what is missing is that of the present month in UTC (3.5)."""
    month = timeutils.naive_utc(timeutils.utcnow()).replace(day=1, hour=0, minute=0, second=0)
    following = (month + dt.timedelta(days=32)).replace(day=1)
    return begin or month, end or following


def _shown(row: dict[str, Any], scope_key: str, interval: _Interval) -> Summary:
    """Give a row of a storage; those of the first version name tenant and type in their way."""
    return Summary(
        begin=interval[0],
        end=interval[1],
        tenant_id=row.get(scope_key) or row.get(_TENANT) or _ALL,
        res_type=row.get("type") or row.get(_TYPE) or _ALL,
        rate=decimals.summary_rate(row.get("rate")),
    )
