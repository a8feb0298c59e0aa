# SPDX-License-Identifier: Apache-2.0
"""Every path of v2: the one place that knows them."""

from __future__ import annotations

from typing import Final

from cloudkitty.api.v2 import dataframes, scope, summary
from cloudkitty.api.v2.routing import Route

ROUTES: Final = (
    Route("/v2/scope", {"GET": scope.GET}),
    Route("/v2/summary", {"GET": summary.GET}),
    Route("/v2/dataframes", {"GET": dataframes.GET, "POST": dataframes.POST}),
)
