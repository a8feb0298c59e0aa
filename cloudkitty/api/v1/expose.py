# SPDX-License-Identifier: Apache-2.0
"""The decorator of every v1 call: arguments in, result or fault out (contract api.md 3, 4.1).

Use it in place of ``wsmeext.pecan.wsexpose``; it takes the same arguments::

    @wsexpose(models.Service, types.UuidType())
    def get_one(self, service_id): ...

    @wsexpose(models.Service, body=models.Service, status_code=201)
    def post(self, service_data): ...

The function may raise anything: :func:`cloudkitty.api.errors.describe` says what the caller gets.
In place of a collection it may give a :class:`cloudkitty.api.v1.listing.Listing`.
Functions of out-of-tree modules exposed by WSME's own decorator work as well.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

import pecan
import wsme
import wsme.api
import wsme.types
from webob import exc as http
from wsmeext import pecan as wsme_pecan

from cloudkitty.api import errors, streaming
from cloudkitty.api.v1 import arguments, listing, negotiation

#: Where in the environment of a request its body is kept that is sent piece by piece.
STREAMED: Final = "cloudkitty.streamed"


def wsexpose(*types: Any, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Expose a controller method: result type, argument types, ``body=``, ``status_code=``."""
    signature = wsme.signature(*types, **options)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        signature(function)
        definition = wsme.api.FunctionDefinition.get(function)
        definition.resolve_types(wsme.types.registry)

        @functools.wraps(function)
        def call(self: Any, *args: Any, **_kwargs: Any) -> Any:
            try:
                given = arguments.read(definition, args, pecan.request)
                return _answer(definition, function(self, **given))
            except Exception as exc:  # noqa: BLE001 - every exception has an answer
                return _fault(exc)

        _render(call)
        pecan.util._cfg(call)["argspec"] = inspect.getfullargspec(function)  # noqa: SLF001
        call._wsme_definition = definition  # type: ignore[attr-defined]  # noqa: SLF001
        return call

    return decorate


def _render(call: Callable[..., Any]) -> None:
    wsme_pecan.pecan_json_decorate(call)
    wsme_pecan.pecan_xml_decorate(call)
    wsme_pecan.pecan_text_xml_decorate(call)
    pecan.util._cfg(call)["content_type"] = negotiation.JSON  # noqa: SLF001 - what */* gets


def _answer(definition: Any, result: Any) -> Any:
    return_type = definition.return_type
    pecan.response.status = definition.status_code
    if isinstance(result, wsme.api.Response):
        pecan.response.status = result.status_code or definition.status_code
        if result.return_type is not wsme.types.Unset:
            return_type = result.return_type
        if result.status_code == 204:
            return_type = None
        result = result.obj
    if isinstance(result, listing.Listing):
        return _written(return_type, result)
    if return_type is None:
        pecan.request.pecan["content_type"] = None
        pecan.response.content_type = None
        return ""
    return {"datatype": return_type, "result": result}


def _written(collection: Any, result: listing.Listing) -> Any:
    """Give pecan's response with the text of a collection, whole or piece by piece."""
    chosen = pecan.request.pecan["content_type"]
    write = listing.as_xml if chosen in negotiation.XML else listing.as_json
    with result.opened as opened:
        body = streaming.answer(write(collection, result.items), opened)
    if isinstance(body, bytes):
        pecan.response.body = body
    else:
        pecan.request.environ[STREAMED] = body
        # pecan looks whether a body is empty, and keeps what it has seen: it gets another.
        pecan.response.app_iter = (piece for piece in (b" ",))
    pecan.response.content_type = chosen
    return pecan.response


def _fault(error: Exception) -> dict[str, Any]:
    if isinstance(error, http.HTTPException) and error.code < 400:
        raise error  # pecan.redirect()
    status, text = errors.describe(error)
    if text is not None:  # half of a surrogate pair, echoed, is no text anywhere else
        text = text.encode(errors="backslashreplace").decode()
    errors.log_failure(error, status)
    pecan.response.status = status
    return errors.fault(status, text, errors.request_id(pecan.request.environ))
