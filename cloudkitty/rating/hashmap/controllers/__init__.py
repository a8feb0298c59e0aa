# SPDX-License-Identifier: Apache-2.0
"""The REST calls of hashmap, below ``/v1/rating/module_config/hashmap`` (contract api.md 7)."""

from cloudkitty.rating.hashmap.controllers.root import HashMapConfigController

__all__ = ["HashMapConfigController"]
