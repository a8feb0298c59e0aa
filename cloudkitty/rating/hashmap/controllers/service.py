# SPDX-License-Identifier: Apache-2.0
"""``/services`` of hashmap (contract api.md 7.2)."""

from __future__ import annotations

from typing import Any, ClassVar

from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.listing import Listing
from cloudkitty.api.v1.types import UuidType, given
from cloudkitty.rating.common.datamodels.show import shown
from cloudkitty.rating.controller import RatingRestControllerBase
from cloudkitty.rating.hashmap.datamodels.field import FieldCollection
from cloudkitty.rating.hashmap.datamodels.mapping import MappingCollection
from cloudkitty.rating.hashmap.datamodels.service import Service, ServiceCollection
from cloudkitty.rating.hashmap.store import field, mapping, service


class ServicesController(RatingRestControllerBase):
    """Services, and reading what hangs on one."""

    _custom_actions: ClassVar = {"fields": ["GET"], "mappings": ["GET"]}

    @wsexpose(ServiceCollection)
    def get_all(self) -> Listing:
        """List the services."""
        return Listing(service.get_all())

    @wsexpose(Service, UuidType())
    def get_one(self, service_id: str) -> Service:
        """Show one service."""
        return shown(Service, service.get(service_id))

    @wsexpose(Service, body=Service, status_code=201)
    def post(self, service_data: Any) -> Service:
        """Make a service."""
        made = service.create(given(service_data).get("name"))
        rest.created(made.service_id)
        return shown(Service, made)

    @wsexpose(None, UuidType(), status_code=204)
    def delete(self, service_id: str) -> None:
        """Remove a service with everything below it."""
        service.delete(service_id)

    @wsexpose(FieldCollection, UuidType())
    def get_fields(self, service_id: str) -> Listing:
        """List the fields of a service."""
        return Listing(field.get_all(service_id))

    @wsexpose(MappingCollection, UuidType())
    def get_mappings(self, service_id: str) -> Listing:
        """List the mappings of a service itself."""
        found = mapping.get_all(mapping.MappingFilter(service_id=service_id))
        return Listing(found)
