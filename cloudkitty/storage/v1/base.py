# SPDX-License-Identifier: Apache-2.0
"""The first storage plugin interface (storage.md 3), namespace ``cloudkitty.storage.v1.backends``.

A driver is given frames one after the other and keeps book, per scope ("tenant"), of the period
that is open. Nobody but :mod:`.adapter` calls a driver: for everybody else it looks like one of
the second generation.
"""

from __future__ import annotations

import abc
import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from oslo_config import cfg

if TYPE_CHECKING:
    from cloudkitty.storage.v2.base import BaseStorage as StorageV2

NAMESPACE: Final = "cloudkitty.storage.v1.backends"

#: ``{"period": {"begin", "end"}, "usage": {type: [{"vol", "rating", "desc"}]}}``, naive UTC.
LegacyFrame = dict[str, Any]


class BaseStorage(abc.ABC):
    """Keeps rated points; not safe for several threads by itself.

    A frame that begins inside the open period is stored with that period's limits; its own end is
    never used.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Take the options of the caller; `period` is the length of a period in seconds."""
        self._period = dt.timedelta(seconds=kwargs.get("period") or cfg.CONF.collect.period)
        self._collector = kwargs.get("collector")
        self.usage_start_dt: dict[str | None, dt.datetime] = {}
        self.usage_end_dt: dict[str | None, dt.datetime] = {}
        self._has_data: dict[str | None, bool] = {}

    def init(self) -> None:  # noqa: B027 - a driver may have nothing to prepare
        """Create what is missing; idempotent."""

    def adapted(self) -> StorageV2:
        """Give the driver in the form of the second generation."""
        from cloudkitty.storage.v1.adapter import Adapter

        return Adapter(self)

    def append(self, raw: list[LegacyFrame], tenant_id: str | None) -> None:
        """Take frames, earliest first; `raw` is empty afterwards."""
        while raw:
            begin, usage = self._filter_period(raw)
            self._check_commit(begin, tenant_id)
            if tenant_id not in self.usage_start_dt:
                self._update_start(begin, tenant_id)
                self._update_end(begin + self._period, tenant_id)
            if any(usage.values()):
                self._has_data[tenant_id] = True
            self._dispatch(usage, tenant_id)

    def nodata(self, begin: dt.datetime, end: dt.datetime, tenant_id: str | None) -> None:
        """Open the period without storing anything in it."""
        self._check_commit(begin, tenant_id)
        if tenant_id not in self.usage_start_dt:
            self._update_start(begin, tenant_id)
            self._update_end(end, tenant_id)

    def commit(self, tenant_id: str | None) -> None:
        """Store what was taken, and close the period."""
        self._pre_commit(tenant_id)
        self._commit(tenant_id)
        self._post_commit(tenant_id)

    @abc.abstractmethod
    def get_time_frame(
        self,
        begin: dt.datetime | None,
        end: dt.datetime | None,
        res_type: Any = None,
        tenant_id: Any = None,
    ) -> list[LegacyFrame]:
        """Give one frame per stored point; limits are naive UTC.

        May raise cloudkitty.storage.NoTimeFrame when there is none.
        """

    @abc.abstractmethod
    def get_total(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        tenant_id: Any = None,
        service: Any = None,
        groupby: str | None = None,
    ) -> list[dict[str, Any]]:
        """Give rows with ``rate``, ``begin``, ``end``, and what `groupby` names.

        `groupby` is ``tenant_id`` and ``res_type``, joined by a comma, one of them, or None.
        """

    @abc.abstractmethod
    def get_tenants(self, begin: dt.datetime | None, end: dt.datetime | None) -> list[str]:
        """Give the scopes that have something stored between the limits."""

    @abc.abstractmethod
    def get_state(self, tenant_id: str | None = None) -> dt.datetime | None:
        """Give the begin of the last stored period of a scope, or of all."""

    @abc.abstractmethod
    def _dispatch(self, data: dict[str, list[dict[str, Any]]], tenant_id: str | None) -> None:
        """Take the points of one frame; the period is open."""

    @abc.abstractmethod
    def _commit(self, tenant_id: str | None) -> None:
        """Store what was taken since the last time."""

    def _pre_commit(self, tenant_id: str | None) -> None:  # noqa: B027 - a hook
        """Prepare `_commit`."""

    def _post_commit(self, tenant_id: str | None) -> None:
        """Close the period after `_commit`."""
        self._clear_usage_info(tenant_id)

    def _check_commit(self, begin: dt.datetime, tenant_id: str | None) -> None:
        """Commit the open period if a frame that begins at `begin` lies after it."""
        end = self.usage_end_dt.get(tenant_id)
        if end is not None and begin >= end:
            self.commit(tenant_id)

    def _update_start(self, begin: dt.datetime, tenant_id: str | None) -> None:
        self.usage_start_dt[tenant_id] = begin

    def _update_end(self, end: dt.datetime, tenant_id: str | None) -> None:
        self.usage_end_dt[tenant_id] = end

    def _clear_usage_info(self, tenant_id: str | None) -> None:
        self.usage_start_dt.pop(tenant_id, None)
        self.usage_end_dt.pop(tenant_id, None)
        self._has_data.pop(tenant_id, None)

    @staticmethod
    def _filter_period(
        frames: list[LegacyFrame],
    ) -> tuple[dt.datetime, dict[str, list[dict[str, Any]]]]:
        """Take the frame that begins first out of `frames`; gives its begin and its usage."""
        first = min(range(len(frames)), key=lambda index: frames[index]["period"]["begin"])
        frame = frames.pop(first)
        return frame["period"]["begin"], frame["usage"]
