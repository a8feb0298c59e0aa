# SPDX-License-Identifier: Apache-2.0
"""Mappings of hashmap on the wire (contract api.md 7.5)."""

from __future__ import annotations

from wsme import types as wtypes

from cloudkitty.api.v1.types import DecimalType, UuidType
from cloudkitty.rating.common.datamodels.models import VolatileAuditableModel
from cloudkitty.rating.hashmap.store import values

TYPE = wtypes.Enum(wtypes.text, *values.TYPES)
COST = DecimalType(values.COST_SCALE)


class Mapping(VolatileAuditableModel):
    """A price for a service or for one value of a field.

    No attribute has a default here: what a body does not say means one thing in a POST and another
    in a PUT.
    """

    _wsme_attr_order = (
        "mapping_id",
        "value",
        "map_type",
        "cost",
        "service_id",
        "field_id",
        "group_id",
        "tenant_id",
        "created_at",
        "start",
        "end",
        "name",
        "description",
        "deleted",
        "created_by",
        "updated_by",
        "deleted_by",
    )

    mapping_id = wtypes.wsattr(UuidType(), mandatory=False)
    value = wtypes.wsattr(wtypes.text, mandatory=False)
    map_type = wtypes.wsattr(TYPE, mandatory=False, name="type")
    cost = wtypes.wsattr(COST, mandatory=True)
    service_id = wtypes.wsattr(UuidType(), mandatory=False)
    field_id = wtypes.wsattr(UuidType(), mandatory=False)
    group_id = wtypes.wsattr(UuidType(), mandatory=False)
    tenant_id = wtypes.wsattr(wtypes.text, mandatory=False)


class MappingCollection(wtypes.Base):
    """A list of mappings."""

    mappings = [Mapping]  # noqa: RUF012 - how WSME writes a list
