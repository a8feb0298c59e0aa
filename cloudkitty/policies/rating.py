# SPDX-License-Identifier: Apache-2.0
"""Rules of rating modules and quotes, v1 and v2 (contract api.md 5.2)."""

from cloudkitty.policies.base import ADMIN, EVERYBODY, operation

RULES = (
    operation(
        "rating:list_modules",
        ADMIN,
        "List rating modules.",
        "GET /v1/rating/modules",
    ),
    operation(
        "rating:get_module",
        ADMIN,
        "Show a rating module.",
        "GET /v1/rating/modules/{module_id}",
    ),
    operation(
        "rating:update_module",
        ADMIN,
        "Enable or disable a rating module, or change its priority.",
        "PUT /v1/rating/modules/{module_id}",
    ),
    operation(
        "rating:quote",
        EVERYBODY,
        "Ask what resources would cost.",
        "POST /v1/rating/quote",
    ),
    operation(
        "rating:module_config",
        ADMIN,
        "Read and change the rules of rating modules, reload the list of modules.",
        "GET /v1/rating/reload_modules",
        "GET /v1/rating/module_config/{module}",
        "POST /v1/rating/module_config/{module}",
        "PUT /v1/rating/module_config/{module}",
        "DELETE /v1/rating/module_config/{module}",
    ),
    operation(
        "v2_rating:list_audit",
        ADMIN,
        "See who changed which rule, script or module, and how.",
        "GET /v2/rating/audit",
        "GET /v2/rating/audit/sources/{checksum}",
    ),
    operation(
        "v2_rating:list_modules",
        ADMIN,
        "List rating modules.",
        "GET /v2/rating/modules",
    ),
    operation(
        "v2_rating:get_module",
        ADMIN,
        "Show a rating module.",
        "GET /v2/rating/modules/{module_id}",
    ),
    operation(
        "v2_rating:update_module",
        ADMIN,
        "Enable or disable a rating module, or change its priority.",
        "PUT /v2/rating/modules/{module_id}",
    ),
    operation(
        "v2_rating:create_simulation",
        ADMIN,
        "Have stored usage rated by a draft of rules.",
        "POST /v2/rating/simulations",
    ),
    operation(
        "v2_rating:list_simulations",
        ADMIN,
        "List simulations.",
        "GET /v2/rating/simulations",
    ),
    operation(
        "v2_rating:get_simulation",
        ADMIN,
        "Show a simulation and its result.",
        "GET /v2/rating/simulations/{simulation_id}",
    ),
    operation(
        "v2_rating:delete_simulation",
        ADMIN,
        "Delete a simulation; one that is under way ends.",
        "DELETE /v2/rating/simulations/{simulation_id}",
    ),
    operation(
        "v2_rating:get_coverage",
        ADMIN,
        "See what rules cover: usage without a price, rules without usage, overlaps.",
        "GET /v2/rating/coverage",
    ),
)
