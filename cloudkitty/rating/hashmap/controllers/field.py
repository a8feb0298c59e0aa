# SPDX-License-Identifier: Apache-2.0
"""``/fields`` of hashmap (contract api.md 7.3)."""

from __future__ import annotations

from typing import Any

from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.listing import Listing
from cloudkitty.api.v1.types import UuidType, given
from cloudkitty.rating.common.datamodels.show import shown
from cloudkitty.rating.controller import RatingRestControllerBase
from cloudkitty.rating.hashmap.datamodels.field import Field, FieldCollection
from cloudkitty.rating.hashmap.store import field


class FieldsController(RatingRestControllerBase):
    """Fields of services."""

    @wsexpose(FieldCollection, UuidType())
    def get_all(self, service_id: str) -> Listing:
        """List the fields of a service."""
        return Listing(field.get_all(service_id))

    @wsexpose(Field, UuidType())
    def get_one(self, field_id: str) -> Field:
        """Show one field."""
        return shown(Field, field.get(field_id))

    @wsexpose(Field, body=Field, status_code=201)
    def post(self, field_data: Any) -> Field:
        """Make a field."""
        attributes = given(field_data)
        made = field.create(attributes.get("name"), attributes.get("service_id") or "")
        rest.created(made.field_id)
        return shown(Field, made)

    @wsexpose(None, UuidType(), status_code=204)
    def delete(self, field_id: str) -> None:
        """Remove a field with its rules."""
        field.delete(field_id)
