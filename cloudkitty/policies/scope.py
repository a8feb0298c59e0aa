# SPDX-License-Identifier: Apache-2.0
"""Rules of the v2 scope calls (contract api.md 5.2)."""

from cloudkitty.policies.base import ADMIN, operation

RULES = (
    operation(
        "scope:get_state",
        ADMIN,
        "Show how far scopes have been rated.",
        "GET /v2/scope",
    ),
    operation(
        "scope:reset_state",
        ADMIN,
        "Set scopes back, so that they are rated again from a date on.",
        "PUT /v2/scope",
    ),
    operation(
        "scope:patch_state",
        ADMIN,
        "Switch a scope on or off, or change where it comes from.",
        "PATCH /v2/scope",
    ),
    operation(
        "scope:post_state",
        ADMIN,
        "Create a scope.",
        "POST /v2/scope",
    ),
)
