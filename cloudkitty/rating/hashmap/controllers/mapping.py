# SPDX-License-Identifier: Apache-2.0
"""``/mappings`` of hashmap (contract api.md 7.5)."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from typing import Any, ClassVar, Final

from wsme import types as wtypes

from cloudkitty.api import context, errors
from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.listing import Listing
from cloudkitty.api.v1.types import Flag, RuleDateType, UuidType, given
from cloudkitty.rating.common.datamodels.show import shown
from cloudkitty.rating.controller import RatingRestControllerBase
from cloudkitty.rating.hashmap.datamodels.group import Group
from cloudkitty.rating.hashmap.datamodels.mapping import Mapping, MappingCollection
from cloudkitty.rating.hashmap.store import group, mapping_update
from cloudkitty.rating.hashmap.store import mapping as store

_WRITABLE: Final = frozenset(field.name for field in fields(store.NewMapping))


class MappingsController(RatingRestControllerBase):
    """Mappings of services and fields."""

    _custom_actions: ClassVar = {"group": ["GET"]}

    @wsexpose(
        MappingCollection,
        UuidType(),
        UuidType(),
        UuidType(),
        bool,
        wtypes.text,
        bool,
        bool,
        RuleDateType(),
        RuleDateType(),
        wtypes.text,
        wtypes.text,
        wtypes.text,
        wtypes.text,
        bool,
        bool,
    )
    def get_all(
        self,
        service_id: str | None = None,
        field_id: str | None = None,
        group_id: str | None = None,
        no_group: Flag = None,
        tenant_id: str | None = None,
        filter_tenant: Flag = None,
        deleted: Flag = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        created_by: str | None = None,
        updated_by: str | None = None,
        deleted_by: str | None = None,
        description: str | None = None,
        is_active: Flag = None,
        all: Flag = None,  # noqa: A002 - named in the contract
    ) -> Listing:
        """List the mappings that all filters admit."""
        if all is False and not (service_id or field_id or group_id):
            errors.abort_client(
                400,
                "You must specify either service_uuid, field_uuid or group_uuid.",
            )
        wanted = store.MappingFilter(
            service_id=service_id,
            field_id=field_id,
            group_id=group_id,
            no_group=bool(no_group),
            tenant_id=tenant_id,
            filter_tenant=bool(filter_tenant),
            deleted=bool(deleted),
            start=start,
            end=end,
            created_by=created_by,
            updated_by=updated_by,
            deleted_by=deleted_by,
            description=description,
            is_active=bool(is_active),
        )
        return Listing(store.get_all(wanted))

    @wsexpose(Mapping, UuidType())
    def get_one(self, mapping_id: str) -> Mapping:
        """Show one mapping, deleted ones too."""
        return shown(Mapping, store.get(mapping_id))

    @wsexpose(Group, UuidType())
    def get_group(self, mapping_id: str) -> Group:
        """Show the group of a mapping."""
        return shown(Group, group.of_mapping(mapping_id))

    @wsexpose(Mapping, bool, body=Mapping, status_code=201)
    def post(self, force: Flag = None, mapping_data: Any = None) -> Mapping:
        """Make a mapping; with `force` it may start in the past."""
        attributes = {"cost": None, **given(mapping_data)}
        new = {name: value for name, value in attributes.items() if name in _WRITABLE}
        made = store.create(
            store.NewMapping(**new),
            context.current().user_id,
            force=bool(force),
        )
        rest.created(made.mapping_id)
        return shown(Mapping, made)

    @wsexpose(None, UuidType(), body=Mapping, status_code=302)
    def put(self, mapping_id: str, mapping: Any) -> None:
        """Change a mapping; what may change depends on whether it runs."""
        mapping_update.update(mapping_id, given(mapping), context.current().user_id)
        rest.see_itself()

    @wsexpose(None, UuidType(), status_code=204)
    def delete(self, mapping_id: str) -> None:
        """Delete a mapping softly."""
        store.delete(mapping_id, context.current().user_id)
