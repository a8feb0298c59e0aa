# SPDX-License-Identifier: Apache-2.0
"""What a caller is told when a call fails (contract api.md 4), for both API versions.

Code below the API raises its own exceptions; :func:`describe` is the one place that turns any
exception into a status and a text. Controllers that refuse a request themselves call
:func:`abort_client`, or raise :class:`ApiError`. Nothing of an unexpected exception reaches the
caller: it is logged, and the answer names the request id (v1) or nothing at all (v2).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import requests
import webob
import wsme.exc
from oslo_log import log
from oslo_policy import policy as oslo_policy
from webob import exc as http
from werkzeug import exceptions as werkzeug_exc

from cloudkitty.db.errors import unreachable

LOG = log.getLogger(__name__)

UNAVAILABLE: Final = "The database or the storage cannot be reached, try again later."
NOT_FOUND: Final = "No resource found for provided filters."
NOT_AUTHORIZED_V2: Final = "You are not authorized to perform this action"
NOT_ALLOWED_V2: Final = "The method is not allowed for the requested URL."
NO_URL_V2: Final = "The requested URL was not found on the server."
NOT_JSON_V2: Final = "The browser (or proxy) sent a request that this server could not understand."
NOT_TEXT: Final = "The URL and the form of a request must be texts in UTF-8."
NOT_JSON_TYPE_V2: Final = (
    "Did not attempt to load JSON data because the request Content-Type was not 'application/json'."
)


class ApiError(Exception):
    """A request is refused: HTTP `status` (400 to 599) and the text that the caller gets.

    WSME, the framework of v1, reads ``code`` and ``faultstring``.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.code = status
        self.faultstring = text
        self.faultcode = "Client" if status < 500 else "Server"


def abort_client(status: int, text: str) -> NoReturn:
    """Refuse the request with a 4xx status and a text; for controllers of either version.

    For example ``abort_client(404, "Module not found.")`` inside a function exposed by
    :func:`cloudkitty.api.v1.expose.wsexpose` answers 404 with the fault body of api.md 4.1.
    """
    raise ApiError(status, text)


def describe(error: BaseException) -> tuple[int, str | None]:
    """Give the status and text that tell a caller about `error`.

    The text is None for a mistake of ours (status 500): the caller learns nothing about it.
    """
    if isinstance(error, ApiError | wsme.exc.ClientSideError):
        return error.code, error.faultstring
    if isinstance(error, oslo_policy.PolicyNotAuthorized | oslo_policy.InvalidScope):
        return 403, str(error)
    if isinstance(error, http.HTTPException):
        return error.code, str(error.detail or error.title)
    if isinstance(error, werkzeug_exc.HTTPException):
        return error.code or 500, str(error.description)
    if is_unavailable(error):
        return 503, UNAVAILABLE
    return _own_word(error)


def _own_word(error: BaseException) -> tuple[int, str | None]:
    """Give what an exception of other code says of itself, as WSME's convention is."""
    code = getattr(error, "code", None)
    if isinstance(code, int) and 400 <= code < 500:
        return code, str(getattr(error, "faultstring", error))
    # Other words for what a database or a storage has said: a module could not read its rules.
    return (503, UNAVAILABLE) if any(map(is_unavailable, _causes(error))) else (500, None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give what `error` was raised from, and what that was raised from."""
    cause = error.__cause__
    while cause is not None:
        yield cause
        cause = cause.__cause__


def is_unavailable(error: BaseException) -> bool:
    """Whether `error` says that a database or a storage cannot be reached (contract D4)."""
    if unreachable(error):
        return True
    return isinstance(error, ConnectionError | requests.ConnectionError | requests.Timeout)


def log_failure(error: BaseException, status: int) -> None:
    """Log what the caller is not told: the traceback of a 500, one line for what is known."""
    if status == 503:
        LOG.error("Storage or database unreachable: %s", " ".join(str(error).split()))
    elif status >= 500 and isinstance(error, ApiError):
        LOG.error("%s", " ".join(str(error.__cause__ or error).split()))
    elif status >= 500:
        LOG.error("Unexpected error", exc_info=error)
    else:
        LOG.debug("Request refused: %s %s", status, error)


def fault(status: int, text: str | None, request_id: str | None = None) -> dict[str, Any]:
    """Give the fault body of v1 (api.md 4.1); None as `text` for a 500."""
    if text is None:
        text = f"Internal server error (request {request_id or 'unknown'})"
    return {
        "faultcode": "Client" if status < 500 else "Server",
        "faultstring": text,
        "debuginfo": None,
    }


def fault_response(status: int, text: str | None, request_id: str | None = None) -> webob.Response:
    """Give a whole v1 answer with a fault body as JSON (contract D1)."""
    return _json_response(status, fault(status, text, request_id))


def message_response(status: int, text: str | None) -> webob.Response:
    """Give a whole v2 answer ``{"message": ...}`` (api.md 4.3); None as `text` for a 500."""
    return _json_response(status, {"message": text or "Internal Server Error"})


def request_id(environ: dict[str, Any]) -> str | None:
    """Give the id that the pipeline's request_id filter gave this request."""
    found: str | None = environ.get("openstack.request_id")
    return found


def _json_response(status: int, body: dict[str, Any]) -> webob.Response:
    return webob.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type="application/json",
        charset=None,
    )
