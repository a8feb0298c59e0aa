# SPDX-License-Identifier: Apache-2.0
"""``/thresholds`` of hashmap (contract api.md 7.6)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Final

from wsme import types as wtypes

from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.listing import Listing
from cloudkitty.api.v1.types import Flag, UuidType, given
from cloudkitty.rating.common.datamodels.show import shown
from cloudkitty.rating.controller import RatingRestControllerBase
from cloudkitty.rating.hashmap.datamodels.group import Group
from cloudkitty.rating.hashmap.datamodels.threshold import Threshold, ThresholdCollection
from cloudkitty.rating.hashmap.store import group
from cloudkitty.rating.hashmap.store import threshold as store
from cloudkitty.rating.hashmap.store.parents import RuleFilter

_WRITABLE: Final = frozenset(field.name for field in fields(store.NewThreshold))


class ThresholdsController(RatingRestControllerBase):
    """Thresholds of services and fields."""

    _custom_actions: ClassVar = {"group": ["GET"]}

    @wsexpose(
        ThresholdCollection,
        UuidType(),
        UuidType(),
        UuidType(),
        bool,
        wtypes.text,
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
    ) -> Listing:
        """List the thresholds that all filters admit."""
        wanted = RuleFilter(
            service_id=service_id,
            field_id=field_id,
            group_id=group_id,
            no_group=bool(no_group),
            tenant_id=tenant_id,
            filter_tenant=bool(filter_tenant),
        )
        return Listing(store.get_all(wanted))

    @wsexpose(Threshold, UuidType())
    def get_one(self, threshold_id: str) -> Threshold:
        """Show one threshold."""
        return shown(Threshold, store.get(threshold_id))

    @wsexpose(Group, UuidType())
    def get_group(self, threshold_id: str) -> Group:
        """Show the group of a threshold."""
        return shown(Group, group.of_threshold(threshold_id))

    @wsexpose(Threshold, body=Threshold, status_code=201)
    def post(self, threshold_data: Any) -> Threshold:
        """Make a threshold."""
        attributes = {"level": None, "cost": None, **given(threshold_data)}
        new = {name: value for name, value in attributes.items() if name in _WRITABLE}
        made = store.create(store.NewThreshold(**new))
        rest.created(made.threshold_id)
        return shown(Threshold, made)

    @wsexpose(None, UuidType(), body=Threshold, status_code=302)
    def put(self, threshold_id: str, threshold: Any) -> None:
        """Change a threshold."""
        store.update(threshold_id, given(threshold))
        rest.see_itself()

    @wsexpose(None, UuidType(), status_code=204)
    def delete(self, threshold_id: str) -> None:
        """Remove a threshold."""
        store.delete(threshold_id)
