# SPDX-License-Identifier: Apache-2.0
"""``/v1/storage``: rated data frames (contract api.md 10)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

import wsme.rest.xml
from oslo_config import cfg
from wsme import types as wtypes

from cloudkitty.api import decimals
from cloudkitty.api.v1 import narrow, rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.interval import asked_end
from cloudkitty.api.v1.types import TextType, UtcDateType
from cloudkitty.dataframe import DataFrame, DataPoint, to_decimal
from cloudkitty.storage.v2.base import BaseStorage

#: Shown for points that belong to nobody.
_NOBODY: Final = "__UNDEF__"


class _LabelsType(wtypes.UserType):
    """The labels of a point, values as they are stored."""

    basetype = dict
    name = "labels"


@wsme.rest.xml.toxml.when_type(_LabelsType)
def _labels_to_xml(_datatype: _LabelsType, key: str, value: dict[str, Any]) -> Any:
    return wsme.rest.xml.toxml(wtypes.DictType(wtypes.text, wtypes.text), key, value)


class RatedResource(wtypes.Base):
    """A point: what a resource used during the period, and what that costs."""

    _wsme_attr_order = ("rating", "service", "desc", "volume")

    rating = wtypes.wsattr(wtypes.text)
    service = wtypes.wsattr(wtypes.text)
    desc = wtypes.wsattr(_LabelsType())
    volume = wtypes.wsattr(wtypes.text)


class Frame(wtypes.Base):
    """What one tenant used of one metric type during a period."""

    _wsme_attr_order = ("begin", "end", "tenant_id", "resources")

    begin = wtypes.wsattr(UtcDateType())
    end = wtypes.wsattr(UtcDateType())
    tenant_id = wtypes.wsattr(wtypes.text)
    resources = wtypes.wsattr([RatedResource])


class FrameCollection(wtypes.Base):
    """A list of frames."""

    dataframes = [Frame]  # noqa: RUF012 - how WSME writes a list


class DataFramesController(rest.RestController):
    """``/v1/storage/dataframes``."""

    def __init__(self, conf: cfg.ConfigOpts, storage: BaseStorage) -> None:
        self._conf = conf
        self._storage = storage

    @wsexpose(FrameCollection, UtcDateType(), UtcDateType(), TextType(), TextType())
    def get_all(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        tenant_id: str | None = None,
        resource_type: str | None = None,
    ) -> FrameCollection:
        """Give every point that matches; without limits those of the present month."""
        filters = narrow.frames(self._conf, "storage:list_data_frames", tenant_id)
        if filters is None:
            return FrameCollection(dataframes=[])
        found = self._storage.retrieve(
            begin,
            asked_end(self._conf, end),
            filters=filters or None,
            metric_types=resource_type or None,
            paginate=False,
        )
        return FrameCollection(
            dataframes=[shown for frame in found["dataframes"] for shown in self._shown(frame)],
        )

    def _shown(self, frame: DataFrame) -> Iterator[Frame]:
        """Give a frame as one element for each metric type and tenant (contract D35)."""
        for metric, points in frame.itertypes():
            by_tenant: dict[str, list[RatedResource]] = {}
            for point in points:
                by_tenant.setdefault(self._tenant(point), []).append(_resource(metric, point))
            for tenant, resources in by_tenant.items():
                yield Frame(
                    begin=frame.start,
                    end=frame.end,
                    tenant_id=tenant,
                    resources=resources,
                )

    def _tenant(self, point: DataPoint) -> str:
        desc = point.desc
        found = desc.get(self._conf.collect.scope_key)
        if found is None and self._conf.storage.version == 1:
            found = desc.get("tenant_id")  # which that storage adds
        return _NOBODY if found is None else str(found)


class StorageController(rest.RestController):
    """``/v1/storage``."""

    def __init__(self, conf: cfg.ConfigOpts, storage: BaseStorage) -> None:
        self.dataframes = DataFramesController(conf, storage)


def _resource(metric: str, point: DataPoint) -> RatedResource:
    return RatedResource(
        rating=decimals.plain(to_decimal(point.price)),
        service=metric,
        desc=dict(point.desc),
        volume=decimals.plain(to_decimal(point.qty)),
    )
