# SPDX-License-Identifier: Apache-2.0
"""Fields of hashmap on the wire (contract api.md 7.3)."""

from __future__ import annotations

from wsme import types as wtypes

from cloudkitty.api.v1.types import UuidType


class Field(wtypes.Base):
    """A label of a service's points."""

    _wsme_attr_order = ("field_id", "name", "service_id")

    field_id = wtypes.wsattr(UuidType(), mandatory=False)
    name = wtypes.wsattr(wtypes.text, mandatory=True)
    service_id = wtypes.wsattr(UuidType(), mandatory=True)


class FieldCollection(wtypes.Base):
    """A list of fields."""

    fields = [Field]  # noqa: RUF012 - how WSME writes a list
