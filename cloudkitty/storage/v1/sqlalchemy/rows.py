# SPDX-License-Identifier: Apache-2.0
"""Rated usage as rows of the table, checked before anything is stored."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, to_decimal
from cloudkitty.storage.v1.base import LegacyFrame
from cloudkitty.storage.v1.sqlalchemy import desc
from cloudkitty.storage.v1.sqlalchemy.models import NO_DATA
from cloudkitty.storage.v2.sqlalchemy.identity import groupby_form, metadata_value, storable
from cloudkitty.usage import ScopeUsage, Series

#: The scale of the column qty, and what it cannot hold any more.
_UNIT: Final = Decimal("0.00001")
_TOO_LARGE: Final = Decimal(10**10)
_WIDE: Final = decimal.Context(prec=400, rounding=decimal.ROUND_HALF_UP)
#: Bytes of a TEXT column of MySQL.
_MAX_DESC: Final = 65535
_NOTHING: Final = desc.whole_identity({})


class Row(NamedTuple):
    """A row on its way into the table; names are those of columns, but for `identity`."""

    begin: dt.datetime
    end: dt.datetime
    unit: str
    qty: Decimal
    res_type: str
    rate: float
    desc: str
    tenant_id: str | None
    identity: desc.Identity


def of_usage(usage: ScopeUsage) -> list[Row]:
    """Give the rows of a scope's usage; raises ValueError for what no column can hold."""
    tenant = _tenant(usage.scope_id)
    return [row for series in usage.series for row in _of_series(series, usage.period, tenant)]


def of_frames(
    frames: Sequence[DataFrame],
    period: dt.timedelta,
    tenant_id: str | None,
) -> list[Row]:
    """Give the rows of frames that are pushed together (contract storage.md 3.1).

    A frame that begins inside of the period of one before it is stored with that period's limits.
    A period without any point becomes a row that says so. Raises ValueError as `of_usage` does.
    """
    tenant = _tenant(tenant_id)
    periods: list[tuple[dt.datetime, list[Row]]] = []
    begins = [timeutils.naive_utc(frame.start).replace(microsecond=0) for frame in frames]
    for index in sorted(range(len(frames)), key=begins.__getitem__):
        begin = begins[index]
        if not periods or begin >= periods[-1][0] + period:
            periods.append((begin, []))
        begin, rows = periods[-1]
        rows += [
            _of_point(metric, point, (begin, begin + period), tenant)
            for metric, point in frames[index].iterpoints()
        ]
    return [
        row
        for begin, rows in periods
        for row in rows or [no_data(begin, begin + period, tenant_id)]
    ]


def of_legacy_point(
    metric: str,
    point: Mapping[str, Any],
    limits: tuple[dt.datetime, dt.datetime],
    tenant_id: str | None,
) -> Row:
    """Give the row of a point of the first generation; raises ValueError as `of_usage` does."""
    labels = {str(name): metadata_value(value) for name, value in point["desc"].items()}
    qty, price = to_decimal(point["vol"]["qty"]), to_decimal(point["rating"]["price"])
    return Row(
        *limits,
        storable(point["vol"]["unit"], "unit"),
        _qty(qty, metric),
        _metric(metric),
        _rate(price, metric),
        _fitting(desc.write_whole(labels), metric),
        _tenant(tenant_id),
        desc.whole_identity(labels),
    )


def no_data(begin: dt.datetime, end: dt.datetime, tenant_id: str | None) -> Row:
    """Give the row that says that a period had nothing to rate."""
    tenant = _tenant(tenant_id)
    return Row(begin, end, "None", Decimal(0), NO_DATA, 0.0, '""', tenant, _NOTHING)


def legacy(row: Any) -> LegacyFrame:
    """Give a row of the table as a frame of the first generation, labels with ``tenant_id``."""
    labels = {**desc.read(row.desc).labels, "tenant_id": row.tenant_id}
    return {
        "period": {"begin": row.begin, "end": row.end},
        "usage": {
            row.res_type: [
                {
                    "vol": {"unit": row.unit, "qty": row.qty or Decimal(0)},
                    "rating": {"price": row.rate},
                    "desc": labels,
                },
            ],
        },
    }


def _of_series(series: Series, period: int, tenant: str | None) -> Iterator[Row]:
    metric, unit = _metric(series.metric), storable(series.unit, "unit")
    groupby = groupby_form(series.groupby)
    metadata = {str(name): metadata_value(value) for name, value in series.metadata.items()}
    if series.calendar:
        names = timeutils.CALENDAR_NAMES
        groupby = {name: value for name, value in groupby.items() if name not in names}
        metadata = {name: value for name, value in metadata.items() if name not in names}
    who = desc.identity(groupby, metadata)
    labels = _fitting(desc.write(metadata, groupby), metric)
    for begin, qty, price in zip(series.begins, series.qtys, series.prices, strict=True):
        written = labels
        if series.calendar:
            written = desc.extended(labels, timeutils.calendar_keys(begin))
        yield Row(
            moment(begin),
            moment(begin + period),
            unit,
            _qty(qty, metric),
            metric,
            _rate(price, metric),
            written,
            tenant,
            who,
        )


def _of_point(
    metric: str,
    point: DataPoint,
    limits: tuple[dt.datetime, dt.datetime],
    tenant: str | None,
) -> Row:
    groupby = groupby_form(point.groupby)
    metadata = {str(name): metadata_value(value) for name, value in point.metadata.items()}
    return Row(
        *limits,
        storable(point.unit, "unit"),
        _qty(to_decimal(point.qty), metric),
        _metric(metric),
        _rate(to_decimal(point.price), metric),
        _fitting(desc.write(metadata, groupby), metric),
        tenant,
        desc.identity(groupby, metadata),
    )


@lru_cache(maxsize=10_000)
def moment(begin: int) -> dt.datetime:
    """Give epoch seconds as the columns hold them."""
    return timeutils.naive_utc(timeutils.from_epoch(begin))


def _metric(metric: str) -> str:
    if metric == NO_DATA:
        raise ValueError(f"metric type {metric!r} is kept for periods without data")
    return storable(metric, "metric type")


def _tenant(tenant_id: str | None) -> str | None:
    return None if tenant_id is None else storable(tenant_id, "scope id")


def _qty(qty: Decimal, metric: str) -> Decimal:
    if not qty.is_finite() or abs(qty) >= _TOO_LARGE - _UNIT:
        raise ValueError(
            f"qty of a point of {metric!r} cannot be stored, storage version 1 has ten digits "
            f"before the point: {qty}",
        )
    return qty.quantize(_UNIT, context=_WIDE)


def _rate(price: Decimal, metric: str) -> float:
    rate = float(price)
    if not math.isfinite(rate):
        raise ValueError(f"price of a point of {metric!r} is too large to be stored: {price}")
    return rate


def _fitting(labels: str, metric: str) -> str:
    if len(labels) > _MAX_DESC - 200:  # some room for the calendar
        raise ValueError(f"labels of a point of {metric!r} are longer than {_MAX_DESC} characters")
    return labels
