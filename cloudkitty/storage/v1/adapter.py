# SPDX-License-Identifier: Apache-2.0
"""Makes a driver of the first generation look like one of the second (storage.md 3.2).

:class:`Adapter` knows the plugin interface and nothing else, so it serves any driver. Drivers that
can do more in one transaction, or find more in one query, bring an adapter of their own.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.storage.errors import NoTimeFrame
from cloudkitty.storage.v1.base import BaseStorage as Driver
from cloudkitty.storage.v1.base import LegacyFrame
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.base import DEFAULT_FIELDS, BaseStorage, Placed

LOG = logging.getLogger(__name__)

TENANT: Final = "tenant_id"
TYPE: Final = "res_type"
#: What storages of the first generation call the scope, whatever the scope key is.
_PROJECT: Final = "project_id"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: limits that are there, and filters; no condition is None.

    `tenants` and `types` are the values one of which a point has to have, in the order given.
    """

    interval: query.Interval
    tenants: tuple[str, ...] | None
    types: tuple[str, ...] | None
    labels: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def impossible(self) -> bool:
        """Whether nothing can match."""
        lists = (self.tenants, self.types, *(values for _name, values in self.labels))
        return () in lists

    @property
    def limits(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """The limits as drivers get them: naive UTC."""
        return _naive(self.interval.begin), _naive(self.interval.end)


class Adapter(BaseStorage):
    """A driver in the form of the second generation; safe for several threads."""

    def __init__(self, driver: Driver, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._driver = driver
        # Drivers keep book of open periods.
        self._lock = threading.Lock()

    def init(self) -> None:
        """Create what is missing."""
        self._driver.init()

    def push(self, dataframes: Sequence[DataFrame], scope_id: str | None = None) -> None:
        """Store frames under `scope_id`; what a failed push has taken is forgotten."""
        if not dataframes:
            return
        raw = [_legacy_frame(frame) for frame in dataframes]
        with self._lock:
            try:
                self._driver.append(raw, scope_id)
                self._driver.commit(scope_id)
            finally:
                self._driver._clear_usage_info(scope_id)  # noqa: SLF001 - a hook of the interface

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
        """Give ``{"total": points matching, "dataframes": [DataFrame]}``: a frame per point.

        All labels are in ``groupby``, with the scope as ``tenant_id``.
        """
        question = self._question(begin, end, filters, metric_types)
        page = (offset, limit) if paginate else (0, None)
        total, found = (0, []) if question.impossible else self._frames(question, *page)
        return {"total": total, "dataframes": [_frame(legacy) for legacy in found]}

    @contextmanager
    def stream(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
        metric_types: str | Sequence[str] | None = None,
        offset: int = 0,
        limit: int | None = 1000,
    ) -> Iterator[tuple[int, Iterator[Placed]]]:
        """Give what retrieve() does, point by point, while the block lasts."""
        question = self._question(begin, end, filters, metric_types)
        if question.impossible:
            yield 0, iter(())
            return
        with self._reading(question, offset, limit) as (total, found):
            yield total, _placed(found)

    @contextmanager
    def _reading(
        self,
        question: Question,
        offset: int,
        limit: int | None,
    ) -> Iterator[tuple[int, Iterable[LegacyFrame]]]:
        """Give what `_frames` does while the block lasts; drivers hand out all at once."""
        yield self._frames(question, offset, limit)

    def total(
        self,
        groupby: Sequence[str] | None = None,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        metric_types: str | Sequence[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        custom_fields: str | None = DEFAULT_FIELDS,
        offset: int = 0,
        limit: int = 1000,
        paginate: bool = True,  # noqa: FBT001, FBT002 - plugin interface
    ) -> dict[str, Any]:
        """Give ``{"total": rows, "results": [row]}``, lowest rate first.

        A row has ``rate``, ``begin``, ``end``, ``tenant_id`` (also when it is filtered by, else
        None) and ``type`` (None unless grouped by). Without groupby there always is one.
        Raises TypeError for custom_fields, which the first generation has not.
        """
        if custom_fields not in {None, DEFAULT_FIELDS}:
            raise TypeError("storages of the first generation have no custom_fields")
        question = self._question(begin, end, filters, metric_types)
        groups = self._groups(groupby)
        rows = [] if question.impossible else self._totals(question, groups)
        if not rows and not groups:
            rows = [{"rate": 0.0}]
        shown = [self._row(row, question) for row in rows]
        return {
            "total": len(shown),
            "results": list(query.page(shown, offset, limit, paginate=paginate)),
        }

    def delete(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        """Raise NotImplementedError: the interface has no way to delete.

        Whoever deletes stores anew what was deleted; going on would count it twice.
        """
        del begin, end, filters
        raise NotImplementedError(
            f"storage {type(self._driver).__name__} cannot delete (version 1)"
        )

    def get_tenants(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
    ) -> list[str]:
        """Give the scopes that have something stored between the limits."""
        return self._driver.get_tenants(*self._question(begin, end).limits)

    def get_state(self, tenant_id: str | None = None) -> dt.datetime | None:
        """Give the begin of the last stored period of a scope, or of all."""
        return self._driver.get_state(tenant_id)

    def _frames(
        self,
        question: Question,
        offset: int,
        limit: int | None,
    ) -> tuple[int, Sequence[LegacyFrame]]:
        """Give how many points match, and those of the page."""
        tenant, metric_type = _single(question)
        try:
            found = self._driver.get_time_frame(
                *question.limits,
                res_type=metric_type,
                tenant_id=tenant,
            )
        except NoTimeFrame:
            return 0, []
        return len(found), found[offset:] if limit is None else found[offset : offset + limit]

    def _totals(self, question: Question, groups: Sequence[str]) -> list[dict[str, Any]]:
        """Give rows of sums with the columns of `groups`."""
        tenant, metric_type = _single(question)
        begin, end = question.limits
        return self._driver.get_total(
            begin=begin,
            end=end,
            tenant_id=tenant,
            service=metric_type,
            groupby=",".join(groups) or None,
        )

    def _question(
        self,
        begin: dt.datetime | None,
        end: dt.datetime | None,
        filters: Mapping[str, Any] | None = None,
        metric_types: str | Sequence[str] | None = None,
    ) -> Question:
        """Give a question; a missing limit is that of the present month in UTC (api.md 3.5)."""
        first = timeutils.utcnow().replace(day=1, hour=0, minute=0, second=0)
        following = (first + dt.timedelta(days=32)).replace(day=1)
        interval = query.open_interval(begin or first, end or following)
        return self._narrowed(interval, filters, metric_types)

    def _narrowed(
        self,
        interval: query.Interval,
        filters: Mapping[str, Any] | None,
        metric_types: str | Sequence[str] | None = None,
    ) -> Question:
        wanted = query.filters(filters, metric_types)
        labels = dict(wanted.labels)
        key = self.conf.collect.scope_key
        tenants = labels.pop(key if key in labels else _PROJECT, None)
        types = None
        if wanted.types is not None:
            given = [metric_types] if isinstance(metric_types, str) else metric_types or ()
            ordered = dict.fromkeys((*map(query.text, given), *sorted(wanted.types)))
            types = tuple(name for name in ordered if name in wanted.types)
        return Question(interval, tenants, types, tuple(labels.items()))

    def _groups(self, groupby: Sequence[str] | None) -> list[str]:
        """Give the columns to group by, each once; others than scope and type are left out."""
        entries = [groupby] if isinstance(groupby, str) else groupby or ()
        columns = {
            "type": TYPE,
            TYPE: TYPE,
            _PROJECT: TENANT,
            TENANT: TENANT,
            self.conf.collect.scope_key: TENANT,
        }
        found = []
        for entry in dict.fromkeys(entries):
            if entry in columns:
                found.append(columns[entry])
            else:
                LOG.warning("Groupby entry %r is not supported by storage version 1.", entry)
        return list(dict.fromkeys(found))

    @staticmethod
    def _row(row: dict[str, Any], question: Question) -> dict[str, Any]:
        shown = dict(row)
        shown["rate"] = 0.0 if row.get("rate") is None else row["rate"]
        shown["begin"], shown["end"] = question.interval.begin, question.interval.end
        tenants = question.tenants or ()
        shown.setdefault(TENANT, tenants[0] if len(tenants) == 1 else None)
        shown["type"] = row.get(TYPE)
        return shown


def _placed(frames: Iterable[LegacyFrame]) -> Iterator[Placed]:
    for frame in map(_frame, frames):
        for metric, point in frame.iterpoints():
            yield Placed(frame.start, frame.end, metric, point)


def _single(question: Question) -> tuple[str | None, str | None]:
    """Give scope and metric type as drivers take them: one of each.

    Raises ValueError for several scopes. Of several types it is the first; other filters are left
    out (storage.md 3.2).
    """
    tenants, types = question.tenants or (None,), question.types or (None,)
    if len(tenants) > 1:
        raise ValueError("storages of the first generation can be asked for one scope at a time")
    if len(types) > 1:
        LOG.warning("Storage version 1 looks for one metric type: of %s for the first.", types)
    for name, _values in question.labels:
        LOG.warning("Filter %r is not supported by storage version 1.", name)
    return tenants[0], types[0]


def _naive(when: dt.datetime | None) -> dt.datetime | None:
    return None if when is None else timeutils.naive_utc(when)


def _legacy_frame(frame: DataFrame) -> LegacyFrame:
    return {
        "period": {
            "begin": timeutils.naive_utc(frame.start),
            "end": timeutils.naive_utc(frame.end),
        },
        "usage": {
            metric: [point.as_dict(legacy=True, mutable=True) for point in points]
            for metric, points in frame.itertypes()
        },
    }


def _frame(legacy: LegacyFrame) -> DataFrame:
    """Give a frame of the first generation in the present form, local times."""
    period = legacy["period"]
    return DataFrame(
        timeutils.as_local(period["begin"]),
        timeutils.as_local(period["end"]),
        {
            metric: [
                DataPoint(
                    point["vol"]["unit"],
                    point["vol"]["qty"],
                    point["rating"]["price"],
                    point["desc"],
                    {},
                )
                for point in points
            ]
            for metric, points in legacy["usage"].items()
        },
    )
