# SPDX-License-Identifier: Apache-2.0
"""Rules of the deprecated v1 collector calls (contract api.md 5.2)."""

from cloudkitty.policies.base import ADMIN, operation

RULES = (
    operation(
        "collector:list_mappings",
        ADMIN,
        "List service to collector mappings.",
        "GET /v1/collector/mappings",
    ),
    operation(
        "collector:get_mapping",
        ADMIN,
        "Show the collector of a service.",
        "GET /v1/collector/mappings/{service_id}",
    ),
    operation(
        "collector:manage_mapping",
        ADMIN,
        "Create or delete a service to collector mapping.",
        "POST /v1/collector/mappings",
        "DELETE /v1/collector/mappings",
    ),
    operation(
        "collector:get_state",
        ADMIN,
        "Show whether a collector is enabled.",
        "GET /v1/collector/states/{name}",
    ),
    operation(
        "collector:update_state",
        ADMIN,
        "Enable or disable a collector.",
        "PUT /v1/collector/states/{name}",
    ),
)
