# SPDX-License-Identifier: Apache-2.0
"""What lies directly below ``/v1/rating/module_config/hashmap`` (contract api.md 7, 7.1)."""

from __future__ import annotations

from typing import ClassVar

from wsme import types as wtypes

from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.rating.controller import RatingRestControllerBase
from cloudkitty.rating.hashmap.controllers.field import FieldsController
from cloudkitty.rating.hashmap.controllers.group import GroupsController
from cloudkitty.rating.hashmap.controllers.mapping import MappingsController
from cloudkitty.rating.hashmap.controllers.service import ServicesController
from cloudkitty.rating.hashmap.controllers.threshold import ThresholdsController
from cloudkitty.rating.hashmap.store import values


class HashMapConfigController(RatingRestControllerBase):
    """Configuration of hashmap."""

    _custom_actions: ClassVar = {"types": ["GET"]}

    services = ServicesController()
    fields = FieldsController()
    groups = GroupsController()
    mappings = MappingsController()
    thresholds = ThresholdsController()

    @wsexpose([wtypes.text])
    def get_types(self) -> list[str]:
        """Give the types of rules."""
        return list(values.TYPES)
