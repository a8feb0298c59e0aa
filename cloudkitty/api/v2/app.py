# SPDX-License-Identifier: Apache-2.0
"""Answers requests to v2: route, then body, then schema, then the operation (api.md 4.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import webob
from oslo_config import cfg
from oslo_policy import policy

from cloudkitty.api import context, errors, jsonbody, streaming
from cloudkitty.api.v2 import jsontext, schema
from cloudkitty.api.v2.routing import Call, Operation, Route, WithHeaders, find
from cloudkitty.api.wsgi import Environ, StartResponse
from cloudkitty.db import changes
from cloudkitty.storage.v2.base import BaseStorage

_JSON: Final = "application/json"


class V2:
    """The application for a table of routes."""

    def __init__(
        self,
        routes: Sequence[Route],
        conf: cfg.ConfigOpts,
        storage: BaseStorage,
    ) -> None:
        self._routes = tuple(routes)
        self._conf = conf
        self._storage = storage

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        """Answer a request for a path below ``/v2``."""
        try:
            response = self._answer(webob.Request(environ))
        except Exception as exc:  # noqa: BLE001 - every exception has an answer
            response = _refuse(exc)
        return response(environ, start_response)

    def _answer(self, request: webob.Request) -> webob.Response:
        found = find(self._routes, request.path_info)
        if found is None:
            return errors.message_response(404, errors.NO_URL_V2)
        route, path = found
        operation = route.operation(request.method)
        if operation is None:
            return _other_method(route, request.method)
        caller = context.from_environ(request.environ)
        args = _arguments(operation, request)
        headers = _headers(operation, request)
        call = Call(
            context=caller,
            conf=self._conf,
            storage=self._storage,
            args=args,
            path=path,
            headers=headers,
            body=request.body if headers else b"",
            routes=self._routes,
        )
        with changes.acting(context.actor(caller, changes.API_V2)):
            return _success(operation, operation.run(call))


def _arguments(operation: Operation, request: webob.Request) -> dict[str, Any]:
    args: dict[str, Any] = {}
    if operation.query is not None:
        args |= schema.check(operation.query, _query(request))
    if operation.body is not None:
        args |= schema.check(operation.body, _body(request))
    return args


def _headers(operation: Operation, request: webob.Request) -> dict[str, Any]:
    if operation.headers is None:
        return {}
    names = [str(marker) for marker in operation.headers.schema]
    given = {name: request.headers[name] for name in names if name in request.headers}
    return schema.check(operation.headers, given)


def _query(request: webob.Request) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    for name, value in request.GET.items():
        query.setdefault(name, []).append(value)
    return query


def _body(request: webob.Request) -> Any:
    kind = request.content_type
    if kind != _JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        errors.abort_client(415, errors.NOT_JSON_TYPE_V2)
    try:
        return jsonbody.load(request)
    except ValueError:
        errors.abort_client(400, errors.NOT_JSON_V2)


def _success(operation: Operation, data: Any) -> webob.Response:
    if isinstance(data, streaming.Streamed):
        return webob.Response(
            status=operation.status,
            app_iter=data,
            content_type=_JSON,
            charset=None,
        )
    headers: Mapping[str, str] = {}
    if isinstance(data, WithHeaders):
        data, headers = data.data, data.headers
    status, body = operation.status, data
    if data is None:
        status, body = 204, b""
    elif not isinstance(data, bytes):
        body = jsontext.encode(data)
    response = webob.Response(status=status, body=body, content_type=_JSON, charset=None)
    # Also for a body that is not there (contract api.md 3.1), where WebOb would leave them out.
    response.headers["Content-Type"] = _JSON
    response.headers["Content-Length"] = str(len(body))
    response.headers.update(headers)
    return response


def _other_method(route: Route, method: str) -> webob.Response:
    if method == "OPTIONS":
        response = webob.Response(status=200, content_type=_JSON, charset=None)
    else:
        response = errors.message_response(405, errors.NOT_ALLOWED_V2)
    response.headers["Allow"] = route.allow
    return response


def _refuse(error: Exception) -> webob.Response:
    status, text = errors.describe(error)
    errors.log_failure(error, status)
    if isinstance(error, policy.PolicyNotAuthorized | policy.InvalidScope):
        text = errors.NOT_AUTHORIZED_V2
    return errors.message_response(status, text)
