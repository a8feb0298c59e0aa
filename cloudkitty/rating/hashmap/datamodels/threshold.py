# SPDX-License-Identifier: Apache-2.0
"""Thresholds of hashmap on the wire (contract api.md 7.6)."""

from __future__ import annotations

from wsme import types as wtypes

from cloudkitty.api.v1.types import DecimalType, UuidType
from cloudkitty.rating.hashmap.datamodels.mapping import COST, TYPE
from cloudkitty.rating.hashmap.store import values


class Threshold(wtypes.Base):
    """A price from some level upwards."""

    _wsme_attr_order = (
        "threshold_id",
        "level",
        "map_type",
        "cost",
        "service_id",
        "field_id",
        "group_id",
        "tenant_id",
    )

    threshold_id = wtypes.wsattr(UuidType(), mandatory=False)
    level = wtypes.wsattr(DecimalType(values.LEVEL_SCALE), mandatory=True)
    map_type = wtypes.wsattr(TYPE, mandatory=False, name="type")
    cost = wtypes.wsattr(COST, mandatory=True)
    service_id = wtypes.wsattr(UuidType(), mandatory=False)
    field_id = wtypes.wsattr(UuidType(), mandatory=False)
    group_id = wtypes.wsattr(UuidType(), mandatory=False)
    tenant_id = wtypes.wsattr(wtypes.text, mandatory=False)


class ThresholdCollection(wtypes.Base):
    """A list of thresholds."""

    thresholds = [Threshold]  # noqa: RUF012 - how WSME writes a list
