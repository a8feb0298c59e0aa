# SPDX-License-Identifier: Apache-2.0
"""pecan's REST routing without its back doors, and what answers of v1 have in common."""

from __future__ import annotations

from typing import Any, Final

import pecan
import pecan.rest
import wsme.exc

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class RestController(pecan.rest.RestController):
    """Base of v1's controllers.

    pecan calls the method ``_handle_<HTTP method>``, takes a query parameter ``_method`` for the
    method, and looks any segment of a path up among the attributes of a controller: all three would
    let a caller reach what is no handler.
    """

    @pecan.expose()
    def _route(self, args: list[str], request: Any = None) -> Any:
        request = request or pecan.request
        if request.method not in _METHODS:
            pecan.abort(405)
        if "_method" in request.params:
            raise wsme.exc.UnknownArgument("_method")
        return super()._route(args, request)

    def _lookup_child(self, remainder: str) -> Any:
        return None if remainder.startswith("_") else super()._lookup_child(remainder)


def created(identifier: str) -> None:
    """Say where what a POST has made can be found: below the URL of the request."""
    pecan.response.location = f"{pecan.request.path_url.rstrip('/')}/{identifier}"


def see_itself() -> None:
    """Send the caller of a PUT to the URL of the request (contract api.md 6.1, 7.5, 7.6)."""
    pecan.response.location = pecan.request.path_url
