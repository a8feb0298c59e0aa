# SPDX-License-Identifier: Apache-2.0
"""v2 over a real storage: what each resource answers, and to whom."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from cloudkitty import db, timeutils
from cloudkitty.state.models import IdentifierState
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ADMIN, ALICE, NOBODY

READER_WITHOUT_PROJECT = {"X-Roles": "reader"}
SYSTEM = {"X-Roles": "admin,reader", "OpenStack-System-Scope": "all"}


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    """The API on each SQL engine in turn."""
    return webapi.Api(conf)


def point(project, price="0.1", qty="1", **metadata):
    return {
        "vol": {"unit": "u", "qty": qty},
        "rating": {"price": price},
        "groupby": {"id": f"r-{project}", "project_id": project},
        "metadata": metadata,
    }


def post(api, *points, metric="cpu", **options):
    period = {"begin": "2026-11-01T00:00:00", "end": "2026-11-01T01:00:00"}
    body = {"dataframes": [{"period": period, "usage": {metric: list(points)}}]}
    return api.post("/v2/dataframes", body, **options)


NOVEMBER = "begin=2026-11-01&end=2026-12-01"


def test_sums_are_exact_numbers(any_api):
    assert post(any_api, *(point(f"p{n}") for n in range(3))).status_int == 204
    tiny = "0.0000000000000000000000000001"
    assert post(any_api, point("p3", price=tiny), metric="tiny").status_int == 204

    body = any_api.get(f"/v2/summary?{NOVEMBER}").text

    row = json.loads(body, parse_float=Decimal)["results"][0]
    assert row[2:] == [Decimal(4), Decimal("0.3") + Decimal(tiny)]


def test_posted_is_what_is_read(any_api):
    sent = point("a", flavor="é", vcpus=2, big=10**30, share=0.25, on=True)
    answer = post(any_api, sent)
    assert (answer.status_int, answer.body) == (204, b"")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Length"] == "0"

    found = any_api.get(f"/v2/dataframes?{NOVEMBER}").json

    assert found == {
        "total": 1,
        "dataframes": [
            {
                "period": {
                    "begin": "2026-11-01T00:00:00+00:00",
                    "end": "2026-11-01T01:00:00+00:00",
                },
                "usage": {
                    "cpu": [{**sent, "vol": {"unit": "u", "qty": 1}, "rating": {"price": 0.1}}]
                },
            }
        ],
    }


def test_all_or_nothing(any_api):
    answer = post(any_api, point("a"), point("b", price="9" * 40))

    assert answer.status_int == 400
    assert answer.json["message"].startswith("Invalid dataframes: price of a point of 'cpu'")
    assert any_api.get(f"/v2/dataframes?{NOVEMBER}").status_int == 404


@pytest.mark.parametrize(
    ("who", "total"),
    [(ADMIN, 2), (ALICE, 1), (READER_WITHOUT_PROJECT, 0)],
)
def test_who_sees_what(api, who, total):
    post(api, point("project-a"), point("project-b"))

    frames = api.get(f"/v2/dataframes?{NOVEMBER}", as_=who).json
    summary = api.get(f"/v2/summary?{NOVEMBER}&groupby=project_id", as_=who).json

    assert (frames["total"], summary["total"]) == (total, total)


@pytest.mark.parametrize(
    "filters",
    [
        "project_id:project-b",
        "project_id:project-a,project_id:project-b",
        "id:r-project-b",
        'id:x" OR 1=1 --',
        "type:cpu",
    ],
)
@pytest.mark.parametrize("metric", ["cpu", "disk"])
def test_no_filter_shows_the_data_of_others(api, filters, metric):
    post(api, point("project-b"), metric=metric)

    query = f"/v2/summary?{NOVEMBER}&filters={filters}"

    assert api.get(query, as_=ALICE).json["total"] == 0


def test_reader_without_project_gets_no_format(api):
    answer = api.get("/v2/summary", as_=READER_WITHOUT_PROJECT)

    assert answer.json == {"total": 0, "columns": [], "results": []}


@pytest.mark.parametrize("who", [NOBODY, SYSTEM, {"X-Project-Id": "a", "X-Roles": "auditor"}])
@pytest.mark.parametrize("path", ["/v2/summary", "/v2/dataframes", "/v2/scope"])
def test_who_sees_nothing(api, who, path):
    answer = api.get(path, as_=who)

    assert answer.status_int == 403
    assert answer.json == {"message": "You are not authorized to perform this action"}


def test_table_and_object(api):
    post(api, point("a"), point("b"))
    query = f"/v2/summary?{NOVEMBER}&groupby=project_id,type"

    table = api.get(f"{query}&limit=1").json
    objects = api.get(f"{query}&limit=1&response_format=object").json

    assert table["columns"] == ["begin", "end", "qty", "rate", "project_id", "type"]
    row = ["2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00", 1.0, 0.1, "a", "cpu"]
    assert table == {"total": 2, "columns": table["columns"], "results": [row], "format": "table"}
    assert objects == {
        "total": 2,
        "results": [dict(zip(table["columns"], row, strict=True))],
        "format": "object",
    }


def test_custom_fields(api):
    post(api, point("a", qty=2), point("b", qty=5))

    answer = api.get(f"/v2/summary?{NOVEMBER}&custom_fields=MAX(qty) AS top,COUNT(qty)").json

    assert answer["columns"][2:] == ["top", "count"]
    assert answer["results"][0][2:] == [5, 2]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "response_format=xml",
            "Invalid response format [xml]. Valid formats are ['table', 'object'].",
        ),
        (
            "groupby=time-h",
            "Invalid groupby time option. There is no groupby processing for [time-h].",
        ),
        (
            "begin=x",
            "Invalid data '{'begin': ['x']}' : not a valid date (path: '['begin']')",
        ),
    ],
)
def test_summary_refuses(api, query, message):
    answer = api.get(f"/v2/summary?{query}")

    assert (answer.status_int, answer.json) == (400, {"message": message})


@pytest.mark.parametrize("fields", ["select", "SUM(price) FROM x --", "SLEEP(qty)", "price"])
def test_custom_fields_are_no_queries(api, fields):
    assert api.get(f"/v2/summary?custom_fields={fields}").status_int == 400


def test_schema_before_policy_before_storage(api, conf):
    conf.config(group="database", connection="sqlite:////nonexistent/directory/ck")
    db.reset()

    assert api.get("/v2/summary?limit=0", as_=NOBODY).status_int == 400
    assert api.get("/v2/summary", as_=NOBODY).status_int == 403
    answer = api.get("/v2/summary")
    assert answer.status_int == 503
    assert "nonexistent" not in answer.text


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.x+json; charset=utf-8"])
def test_json_types(api, kind):
    answer = api(
        "POST", "/v2/dataframes", body=b'{"dataframes": []}', headers={"Content-Type": kind}
    )

    assert answer.json == {"message": "Parameter dataframes must not be empty."}


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a=b", 415),
        ("application/json", b"", 400),
        ("application/json", b"{", 400),
        ("application/json", b"\xff", 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b"null", 400),
    ],
)
def test_bodies_that_are_none(api, kind, body, status):
    answer = api("POST", "/v2/dataframes", body=body, headers={"Content-Type": kind})

    assert answer.status_int == status
    assert isinstance(answer.json["message"], str)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2", 404),
        ("GET", "/v2/summary/", 404),
        ("GET", "/v2/nothing", 404),
        ("DELETE", "/v2/summary", 405),
        ("OPTIONS", "/v2/summary", 200),
        ("HEAD", "/v2/summary", 200),
    ],
)
def test_routes(api, method, path, status):
    answer = api(method, path)

    assert answer.status_int == status
    assert answer.content_type == "application/json"
    if status == 405 or method == "OPTIONS":
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def add_scopes(*rows):
    with db.session_for_write() as session:
        for number, values in enumerate(rows, 1):
            when = timeutils.naive_utc(timeutils.parse_iso(f"2026-01-0{number}"))
            session.add(
                IdentifierState(
                    **{
                        "scope_key": "project_id",
                        "fetcher": "f",
                        "collector": "c",
                        "last_processed_timestamp": when,
                        "scope_activation_toggle_date": when,
                        **values,
                    }
                )
            )


def ids(answer):
    return [scope["scope_id"] for scope in answer.json["results"]]


def test_scopes(any_api):
    add_scopes({"identifier": "a"}, {"identifier": "b", "active": False})

    answer = any_api.get("/v2/scope?scope_id=a")

    assert answer.json == {
        "results": [
            {
                "scope_id": "a",
                "scope_key": "project_id",
                "fetcher": "f",
                "collector": "c",
                "last_processed_timestamp": "2026-01-01T00:00:00+00:00",
                "state": "2026-01-01T00:00:00+00:00",
                "active": True,
                "scope_activation_toggle_date": "2026-01-01T00:00:00+00:00",
            }
        ]
    }
    assert ids(any_api.get("/v2/scope")) == ["a", "b"]
    assert ids(any_api.get("/v2/scope?limit=1&offset=1")) == ["b"]
    assert ids(any_api.get("/v2/scope?active=0")) == ["b"]
    assert ids(any_api.get("/v2/scope?active=0,1&scope_id=b,c&scope_id=a")) == ["a", "b"]
    for query in ("active=7", "scope_id=x", "offset=2", "fetcher=g"):
        assert any_api.get(f"/v2/scope?{query}").status_int == 404, query
    assert any_api.get("/v2/scope?active=true").status_int == 400


def test_scopes_without_origin_show_the_configured_one(api, conf):
    add_scopes({"identifier": "old", "scope_key": None, "fetcher": None, "collector": None})

    shown = api.get("/v2/scope").json["results"][0]

    assert (shown["scope_key"], shown["collector"]) == ("project_id", "gnocchi")
