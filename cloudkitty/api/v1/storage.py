# SPDX-License-Identifier: Apache-2.0
"""``/v1/storage``: rated data frames (contract api.md 10)."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import wsme.rest.xml
from oslo_config import cfg
from wsme import types as wtypes

from cloudkitty import timeutils
from cloudkitty.api import decimals, limits
from cloudkitty.api.v1 import narrow, rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.interval import asked_end
from cloudkitty.api.v1.listing import Listing
from cloudkitty.api.v1.types import TextType, UtcDateType
from cloudkitty.dataframe import DataPoint, to_decimal
from cloudkitty.storage.v2.base import BaseStorage, Placed

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


class _Resource(NamedTuple):
    """A point as an answer shows it; its attributes are those of RatedResource."""

    service: str
    point: DataPoint

    @property
    def rating(self) -> str:
        return decimals.plain(to_decimal(self.point.price))

    @property
    def desc(self) -> dict[str, Any]:
        return dict(self.point.desc)

    @property
    def volume(self) -> str:
        return decimals.plain(to_decimal(self.point.qty))


class _Frame(NamedTuple):
    """An element of the answer; its attributes are those of Frame."""

    begin: dt.datetime
    end: dt.datetime
    tenant_id: str
    resources: list[_Resource]


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
    ) -> Listing:
        """Give every point that matches; without limits those of the present month."""
        filters = narrow.frames(self._conf, "storage:list_data_frames", tenant_id)
        limits.check_interval(self._conf, begin, end)
        if filters is None:
            return Listing(())
        source = self._storage.stream(
            begin,
            asked_end(self._conf, end),
            filters=filters or None,
            metric_types=resource_type or None,
            limit=None,
        )
        with ExitStack() as opened:
            _total, points = opened.enter_context(source)
            return Listing(self._frames(points), opened.pop_all())

    def _frames(self, points: Iterable[Placed]) -> Iterator[_Frame]:
        """Give an element for each period, metric type and tenant (contract D35).

        Those of one period and type are held together, as tenants come mixed. A storage of the
        first version has an element for each point.
        """
        apart = self._conf.storage.version == 1
        for (start, end, metric), run in itertools.groupby(points, _where):
            elements: dict[tuple[str, int], list[_Resource]] = {}
            for number, placed in enumerate(run):
                key = self._tenant(placed.point), number if apart else 0
                elements.setdefault(key, []).append(_Resource(metric, placed.point))
            begin, stop = timeutils.naive_utc(start), timeutils.naive_utc(end)
            for (tenant, _number), resources in elements.items():
                yield _Frame(begin, stop, tenant, resources)

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


def _where(placed: Placed) -> tuple[dt.datetime, dt.datetime, str]:
    return placed.start, placed.end, placed.metric
