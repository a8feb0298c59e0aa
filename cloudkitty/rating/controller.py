# SPDX-License-Identifier: Apache-2.0
"""Base of the controllers that rating modules bring (contract rating.md 2.2)."""

from __future__ import annotations

from typing import Any

import pecan
from oslo_policy import policy

from cloudkitty.api import context
from cloudkitty.api.v1 import rest


class RatingRestControllerBase(rest.RestController):
    """A REST controller below ``/v1/rating/module_config/<module>``.

    The policy ``rating:module_config`` is enforced before anything is routed: who may not, learns
    nothing about what is there.
    """

    @pecan.expose()
    def _route(self, args: list[str], request: Any = None) -> Any:
        request = request or pecan.request
        enforce(request)
        return super()._route(args, request)


def enforce(request: Any) -> None:
    """End the request with 403 and the policy's text when its caller may not configure modules."""
    try:
        context.authorize("rating:module_config", context=request.context)
    except policy.PolicyNotAuthorized as exc:
        pecan.abort(403, str(exc))
