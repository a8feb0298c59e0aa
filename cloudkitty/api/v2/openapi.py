# SPDX-License-Identifier: Apache-2.0
"""``/v2/openapi.json``: an OpenAPI 3.1 document of v2, made from its route table.

Nothing in it is written by hand twice: paths and statuses come from the routes, parameters and
bodies from the schemas that validate them, answers from the types of what operations give, who may
call what from the policy rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypedDict

import voluptuous as vol
from oslo_policy import policy

from cloudkitty import policies, service
from cloudkitty.api import errors
from cloudkitty.api.v2 import jsonschema, schema
from cloudkitty.api.v2.routing import Call, Operation, Route

_JSON: Final = "application/json"
_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_QUERY_REFUSED: Final = "A parameter is unknown, malformed or out of bounds; the message names it."
_BODY_REFUSED: Final = "The body is no JSON or not as declared; the message says where."


class Message(TypedDict):
    """What went wrong, for people."""

    message: str


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Give the document of a route table."""
    types = jsonschema.Types()
    rules = _rules()
    paths: dict[str, Any] = {}
    for route in routes:
        paths[route.path] = {
            method.lower(): _operation(route, method, operation, rules, types)
            for method, operation in route.operations.items()
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CloudKitty",
            "summary": "What the projects of a cloud used, and what it costs.",
            "version": service.version(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"keystone": []}, {"basic": []}, {}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(types.components.items())),
            "securitySchemes": {
                "keystone": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Auth-Token",
                    "description": "A token of Keystone, with auth_strategy = keystone.",
                },
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "With auth_strategy = http_basic.",
                },
            },
        },
    }


def _operation(
    route: Route,
    method: str,
    operation: Operation,
    rules: Mapping[tuple[str, str], policy.DocumentedRuleDefault],
    types: jsonschema.Types,
) -> dict[str, Any]:
    rule = rules.get((method, _anonymous(route.path)))
    found: dict[str, Any] = {
        "operationId": _identifier(method, route.path),
        "summary": operation.summary or (rule.description if rule else ""),
        "tags": [route.path.split("/")[2]],
    }
    if rule:
        found["description"] = f"Policy rule {rule.name}, by default: {rule.check_str}."
    if parameters := [*_path(route), *_query(operation), *_headers(operation)]:
        found["parameters"] = parameters
    if operation.body is not None:
        found["requestBody"] = {
            "required": True,
            "content": {_JSON: {"schema": _body(operation.body, types)}},
        }
    found["responses"] = _responses(operation, types, authorized=rule is not None)
    return found


def _path(route: Route) -> Iterator[dict[str, Any]]:
    for name in _VARIABLE.findall(route.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
        }


def _query(operation: Operation) -> list[dict[str, Any]]:
    if isinstance(operation.query, vol.Schema):
        return jsonschema.parameters(operation.query)
    return []


def _headers(operation: Operation) -> Iterator[dict[str, Any]]:
    for marker, kind in operation.headers.schema.items() if operation.headers else ():
        yield {
            "name": str(marker),
            "in": "header",
            "description": marker.description,
            "schema": jsonschema.of_validator(kind),
        }


def _body(body: Any, types: jsonschema.Types) -> dict[str, Any]:
    if isinstance(body, schema.Typed):
        return types.of(body.model)
    return jsonschema.of_validator(body)


def _responses(
    operation: Operation,
    types: jsonschema.Types,
    *,
    authorized: bool,
) -> dict[str, Any]:
    found: dict[int, Any] = {}
    if operation.answer is None:
        found[204 if operation.status == 200 else operation.status] = {"description": "Done."}
    else:
        found[operation.status] = {
            "description": "What was asked for.",
            "content": {_JSON: {"schema": types.of(operation.answer)}},
        }
    refusals: dict[int, str] = {401: "The caller has not said who it is."}
    if operation.query is not None:
        refusals[400] = _QUERY_REFUSED
    if operation.body is not None:
        refusals[400] = _BODY_REFUSED
        refusals[413] = "The body is larger than [api] max_request_body_size."
        refusals[415] = "The body is not declared to be JSON."
    if authorized:
        refusals[403] = errors.NOT_AUTHORIZED_V2
    refusals[503] = errors.UNAVAILABLE
    refusals |= operation.refusals
    for status, text in refusals.items():
        # The filters that ask who a caller is have their own form of answers.
        shown = {} if status == 401 else types.of(Message)
        found[status] = {"description": text, "content": {_JSON: {"schema": shown}}}
    assert all(HTTPStatus(status) for status in found)
    return {str(status): found[status] for status in sorted(found)}


def _rules() -> dict[tuple[str, str], policy.DocumentedRuleDefault]:
    """Give the policy rule of each method and path."""
    return {
        (operation["method"], _anonymous(operation["path"])): rule
        for rule in policies.list_rules()
        if isinstance(rule, policy.DocumentedRuleDefault)
        for operation in rule.operations
    }


def _anonymous(path: str) -> str:
    return _VARIABLE.sub("{}", path)


def _identifier(method: str, path: str) -> str:
    words = [word for word in re.split(r"\W+", path.removeprefix("/v2")) if word]
    return "_".join([method.lower(), *words])


def _get(call: Call) -> dict[str, Any]:
    return document(call.routes)


GET: Final = Operation(
    _get,
    summary="This document.",
    answer=dict,
)
