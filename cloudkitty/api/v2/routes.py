# SPDX-License-Identifier: Apache-2.0
"""Every path of v2: the one place that knows them."""

from __future__ import annotations

from typing import Final

from cloudkitty.api.v2 import (
    audit,
    coverage,
    dataframes,
    openapi,
    rating,
    schedule,
    scope,
    simulations,
    summary,
)
from cloudkitty.api.v2.routing import Route

ROUTES: Final = (
    Route("/v2/openapi.json", {"GET": openapi.GET}),
    Route(
        "/v2/scope",
        {"GET": scope.GET, "PUT": scope.PUT, "PATCH": scope.PATCH, "POST": scope.POST},
    ),
    Route("/v2/summary", {"GET": summary.GET}),
    Route("/v2/dataframes", {"GET": dataframes.GET, "POST": dataframes.POST}),
    Route("/v2/rating/audit", {"GET": audit.LIST}),
    Route("/v2/rating/audit/sources/{checksum}", {"GET": audit.SOURCE}),
    Route("/v2/rating/coverage", {"GET": coverage.GET}),
    Route("/v2/rating/modules", {"GET": rating.LIST}),
    Route("/v2/rating/modules/{module_id}", {"GET": rating.GET, "PUT": rating.PUT}),
    Route("/v2/rating/simulations", {"GET": simulations.LIST, "POST": simulations.POST}),
    Route(
        "/v2/rating/simulations/{simulation_id}",
        {"GET": simulations.GET, "DELETE": simulations.DELETE},
    ),
    Route("/v2/task/reprocesses", {"GET": schedule.LIST, "POST": schedule.POST}),
    Route("/v2/task/reprocesses/{path_scope_id}", {"GET": schedule.GET}),
)
