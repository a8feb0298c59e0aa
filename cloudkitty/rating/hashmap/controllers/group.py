# SPDX-License-Identifier: Apache-2.0
"""``/groups`` of hashmap (contract api.md 7.4)."""

from __future__ import annotations

from typing import Any, ClassVar

from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.listing import Listing
from cloudkitty.api.v1.types import Flag, UuidType, given
from cloudkitty.rating.common.datamodels.show import shown
from cloudkitty.rating.controller import RatingRestControllerBase
from cloudkitty.rating.hashmap.datamodels.group import Group, GroupCollection
from cloudkitty.rating.hashmap.datamodels.mapping import MappingCollection
from cloudkitty.rating.hashmap.datamodels.threshold import ThresholdCollection
from cloudkitty.rating.hashmap.store import group, mapping, threshold
from cloudkitty.rating.hashmap.store.parents import RuleFilter


class GroupsController(RatingRestControllerBase):
    """Groups, and reading their members."""

    _custom_actions: ClassVar = {"mappings": ["GET"], "thresholds": ["GET"]}

    @wsexpose(GroupCollection)
    def get_all(self) -> Listing:
        """List the groups."""
        return Listing(group.get_all())

    @wsexpose(Group, UuidType())
    def get_one(self, group_id: str) -> Group:
        """Show one group."""
        return shown(Group, group.get(group_id))

    @wsexpose(Group, body=Group, status_code=201)
    def post(self, group_data: Any) -> Group:
        """Make a group."""
        made = group.create(given(group_data).get("name"))
        rest.created(made.group_id)
        return shown(Group, made)

    @wsexpose(None, UuidType(), bool, status_code=204)
    def delete(self, group_id: str, recursive: Flag = None) -> None:
        """Remove a group, with `recursive` its members too."""
        group.delete(group_id, recursive=bool(recursive))

    @wsexpose(MappingCollection, UuidType())
    def get_mappings(self, group_id: str) -> Listing:
        """List the mappings in a group."""
        found = [] if not group_id else mapping.get_all(mapping.MappingFilter(group_id=group_id))
        return Listing(found)

    @wsexpose(ThresholdCollection, UuidType())
    def get_thresholds(self, group_id: str) -> Listing:
        """List the thresholds in a group."""
        found = [] if not group_id else threshold.get_all(RuleFilter(group_id=group_id))
        return Listing(found)
