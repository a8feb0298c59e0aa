# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: valid, complete, true, and no request that fits it or not makes a 500."""

from __future__ import annotations

import json
from typing import TypedDict

import hypothesis
import openapi_spec_validator
import pytest
import schemathesis
import voluptuous as vol
from hypothesis import HealthCheck
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cloudkitty.api.v2 import jsonschema, openapi, routes, schema
from cloudkitty.tests import webapi

OPERATIONS = [
    pytest.param(route, method, id=f"{method} {route.path}")
    for route in routes.ROUTES
    for method in route.operations
]
#: Answers 401 to nobody, as the pipeline that asks who a caller is is not part of the application.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def document(api):
    return api.get("/v2/openapi.json", as_=webapi.NOBODY).json


def test_it_is_valid(document):
    openapi_spec_validator.validate(document)

    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "CloudKitty"


def test_it_has_every_path_and_method(document):
    assert {
        (path, method.upper()) for path, methods in document["paths"].items() for method in methods
    } == {(route.path, method) for route in routes.ROUTES for method in route.operations}


@pytest.mark.parametrize(("route", "method"), OPERATIONS)
def test_every_operation_says_what_it_is_for(document, route, method):
    found = document["paths"][route.path][method.lower()]

    assert found["summary"].endswith(".")
    for parameter in found.get("parameters", ()):
        assert parameter["schema"], f"no schema for {parameter['name']}"
        assert parameter["in"] == "path" or parameter.get("description"), parameter["name"]
    if method == "GET":
        assert "200" in found["responses"], "declare the type of the answer"
    if method in {"POST", "PUT", "PATCH"}:
        content = found["requestBody"]["content"]["application/json"]
        assert content["schema"], "the body has no schema"


def test_what_validates_is_what_is_documented(document):
    parameters = {
        parameter["name"]: parameter["schema"]
        for parameter in document["paths"]["/v2/dataframes"]["get"]["parameters"]
    }
    posted = document["components"]["schemas"]["PostedPoint"]

    assert parameters["offset"] == {"type": "integer", "minimum": 0, "default": 0}
    assert parameters["filters"]["items"]["pattern"] == "^[^:,]*:[^:,]*$"
    assert sorted(posted["required"]) == ["groupby", "metadata", "vol"]
    assert posted["properties"]["rating"] == {"$ref": "#/components/schemas/PostedRating"}


def test_it_needs_no_role_and_takes_no_parameters(api):
    assert api.get("/v2/openapi.json", as_={"X-Roles": "auditor"}).status_int == 200
    assert api("HEAD", "/v2/openapi.json").status_int == 200
    assert api("POST", "/v2/openapi.json").status_int == 405


class Inner(TypedDict):
    """Something inside."""

    text: str | None


class Optional(TypedDict, total=False):
    """All may be left out."""

    inner: list[Inner]


def test_types_become_schemas():
    types = jsonschema.Types()

    assert types.of(Optional) == {"$ref": "#/components/schemas/Optional"}
    assert types.components["Optional"] == {
        "type": "object",
        "description": "All may be left out.",
        "properties": {"inner": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}}},
        "additionalProperties": False,
    }
    assert types.components["Inner"]["properties"]["text"] == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }
    with pytest.raises(TypeError, match="no JSON Schema for"):
        types.of(complex)


@pytest.mark.parametrize(
    ("validator", "expected"),
    [
        (vol.Schema([str]), {"type": "array", "items": {"type": "string"}}),
        (vol.Any(str, None), {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (vol.All(int, lambda value: value), {"type": "integer"}),
        (vol.In(["a", "b"]), {"enum": ["a", "b"]}),
        (vol.Any(str, lambda value: value), {}),
        (schema.AtLeast(3), {"type": "integer", "minimum": 3}),
        (
            {vol.Required("a", description="Why."): bool, vol.Extra: object},
            {
                "type": "object",
                "properties": {"a": {"type": "boolean", "description": "Why."}},
                "required": ["a"],
                "additionalProperties": True,
            },
        ),
    ],
)
def test_validators_become_schemas(validator, expected):
    assert jsonschema.of_validator(validator) == expected


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("route", "method"), OPERATIONS)
def test_no_request_makes_a_500(api, route, method, mode):
    operation = route.operations[method]
    if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
        return  # nothing to get wrong
    period = {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00"}
    point = {"vol": {"unit": "u", "qty": 1}, "groupby": {"project_id": "a"}, "metadata": {}}
    frame = {"period": period, "usage": {"cpu": [point]}}
    assert api.post("/v2/dataframes", {"dataframes": [frame]}).status_int == 204
    scope = {"scope_id": "a", "last_processed_timestamp": "2026-11-01"}
    assert api.post("/v2/scope", scope).status_int == 200
    loaded = schemathesis.openapi.from_dict(
        json.loads(json.dumps(openapi.document(routes.ROUTES), default=str))
    )
    strategy = loaded[route.path][method].as_strategy(generation_mode=mode)

    @hypothesis.settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=strategy)
    def send(case):
        case.call_and_validate(
            app=api.wsgi, headers=webapi.ADMIN, checks=CHECKS, base_url="http://localhost"
        )

    send()
