# SPDX-License-Identifier: Apache-2.0
"""What the Gnocchi collector asks for one scope and period (contract collect.md 2.1.2, 2.1.3)."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.tests import webserver
from cloudkitty.tests.collector.gnocchi_helpers import (
    S,
    assembled,
    build,
    gnocchi_answers,
    group,
    query,
)
from cloudkitty.tests.collector.helpers import HOUR, TEN
from cloudkitty.tests.webserver import Reply, Request

START, END = timeutils.from_epoch(TEN), timeutils.from_epoch(TEN + HOUR)
T = (
    "start=2024-03-05T10%3A00%3A00%2B00%3A00&stop=2024-03-05T11%3A00%3A00%2B00%3A00"
    "&use_history=True"
)
MINE = {"and": [{"=": {"type": "instance"}}, {"=": {"project_id": S}}]}
SHIPPED = {
    "alt_name": "instance",
    "groupby": ["id", "user_id", "project_id"],
    "metadata": ["flavor_name", "flavor_id", "vcpus"],
    "mutate": "NUMBOOL",
    "extra_args": {"aggregation_method": "mean", "force_granularity": 300},
}
CUSTOM = "(/ (aggregate RE_AGGREGATION_METHOD (metric METRIC_NAME AGGREGATION_METHOD)) 60)"


@pytest.fixture
def server() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: Reply(body=[])) as running:
        yield running


def operations(outer: str = "max", inner: str = "max") -> list[Any]:
    return ["aggregate", outer, ["metric", "cpu", inner]]


@pytest.mark.parametrize(
    ("definition", "target", "asked"),
    [
        pytest.param(
            {},
            f"details=False&granularity=3600&groupby=project_id&groupby=id&{T}",
            operations(),
            id="1",
        ),
        pytest.param(
            SHIPPED,
            f"details=False&granularity=300&groupby=id&groupby=user_id&groupby=project_id&{T}",
            operations(inner="mean"),
            id="2",
        ),
        pytest.param(
            {"extra_args": {"aggregation_method": "rate:mean"}},
            f"details=False&granularity=3600&groupby=project_id&groupby=id&{T}",
            operations(inner="rate:mean"),
            id="3",
        ),
        pytest.param(
            {"extra_args": {"re_aggregation_method": "rate:max", "force_granularity": 300}},
            "details=False&granularity=300&groupby=project_id&groupby=id"
            "&start=2024-03-05T09%3A55%3A00%2B00%3A00&stop=2024-03-05T11%3A00%3A00%2B00%3A00"
            "&use_history=True",
            operations("rate:max"),
            id="4",
        ),
        pytest.param(
            {"extra_args": {"force_granularity": 0}},
            f"details=False&groupby=project_id&groupby=id&{T}",
            operations(),
            id="5",
        ),
        pytest.param(
            {
                "extra_args": {
                    "custom_query": CUSTOM,
                    "aggregation_method": "last",
                    "re_aggregation_method": "mean",
                }
            },
            f"details=False&granularity=3600&groupby=project_id&groupby=id&{T}",
            "(/ (aggregate mean (metric cpu last)) 60)",
            id="6",
        ),
        pytest.param(
            {"metadata": ["name"], "extra_args": {"resource_key": "original_resource_id"}},
            f"details=False&granularity=3600&groupby=project_id&groupby=original_resource_id&{T}",
            operations(),
            id="7",
        ),
        pytest.param(
            {"alt_name": "b", "groupby": ["flavor"]},
            f"details=False&granularity=3600&groupby=flavor&groupby=project_id&groupby=id&{T}",
            operations(),
            id="13",
        ),
        pytest.param(
            {"extra_args": {"use_all_resource_revisions": False}},
            "details=False&granularity=3600&groupby=project_id&groupby=id"
            f"&groupby=revision_start&{T}",
            operations(),
            id="last revision",
        ),
        pytest.param(
            {
                "groupby": ["revision_start"],
                "extra_args": {"use_all_resource_revisions": False},
            },
            "details=False&granularity=3600&groupby=revision_start&groupby=project_id&groupby=id"
            f"&{T}",
            operations(),
            id="last revision, listed",
        ),
    ],
)
def test_the_aggregates_of_one_scope_and_period(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    definition: dict[str, Any],
    target: str,
    asked: Any,
) -> None:
    collector = build(conf, server.url, {"cpu": definition})
    (key,) = collector.conf
    assert collector.fetch_all(key, START, END, S) == []
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", f"/v1/aggregates?{target}")
    body = {"operations": asked, "search": MINE, "resource_type": "instance"}
    assert json.loads(request.body) == body
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["accept"] == headers["content-type"] == "application/json"
    assert headers["authorization"].lower() == "basic ywrtaw46"
    # What is shown to people is what is asked.
    shown = collector.explain_request(key, START, END, S)
    assert shown.startswith("POST /v1/aggregates?details=False&")
    assert json.loads(shown.partition(" {")[2].join(("{", ""))) == body
    assert len(server.requests) == 1


def search(*conditions: Any) -> dict[str, Any]:
    ended = {"or": [{"=": {"ended_at": None}}, {">=": {"ended_at": "2024-03-05T09:00:00+00:00"}}]}
    return {"and": [ended, {"<=": {"started_at": "2024-03-05T12:00:00+00:00"}}, *conditions]}


@pytest.mark.parametrize(
    ("key", "sort"), [("id", "id"), ("original_resource_id", "original_resource_id")]
)
def test_metadata_are_searched_page_by_page(
    conf: cfg_fixture.Config, server: webserver.Server, key: str, sort: str
) -> None:
    """Rows 2, 7 and 12; with a limit, and no request for an empty page at the end."""
    count = 1001

    def pages(request: Request) -> list[dict[str, Any]]:
        first = int(query(request).get("marker", ["i0"])[0][1:])
        numbers = range(first + 1, min(first + 1000, count) + 1)
        return [{"id": f"i{one}", "original_resource_id": f"r{one}"} for one in numbers]

    server.answer = gnocchi_answers(
        lambda _request: [group(1.0, **{key: "i1001" if key == "id" else "r1001"})], pages
    )
    definition = {"metadata": ["flavor_name"], "extra_args": {"resource_key": key}}
    collector = build(conf, server.url, {"cpu": definition})

    (point,) = collector.fetch_all("cpu", START, END, S)

    assert point.metadata == {"flavor_name": ""}
    searches = [one for one in server.requests if not one.path.endswith("aggregates")]
    assert [one.target for one in searches] == [
        f"/v1/search/resource/instance?limit=1000&sort={sort}%3Aasc",
        f"/v1/search/resource/instance?limit=1000&marker=i1000&sort={sort}%3Aasc",
    ]
    assert {one.body for one in searches} == {searches[0].body}
    assert json.loads(searches[0].body) == search({"=": {"project_id": S}})


def test_a_lower_limit_of_the_server_leaves_nothing_out(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    def page(request: Request) -> Reply:
        number = int(query(request).get("marker", ["i0"])[0][1:]) + 1
        link = f'<{server.url}/v1/search/resource/instance?limit=1&marker=i{number}>; rel="next"'
        body = [{"id": f"i{number}", "flavor_name": "small"}]
        return Reply(body=body, headers={"Link": link} if number < 3 else {})

    server.answer = gnocchi_answers(lambda _request: [group(1.0, id="i3")], page)
    collector = build(conf, server.url, {"cpu": {"metadata": ["flavor_name"]}})

    (point,) = collector.fetch_all("cpu", START, END, S)

    assert point.metadata == {"flavor_name": "small"}
    assert len(server.requests) == 4


def test_a_further_condition_and_no_scope(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    """Rows 8 and 9."""
    server.answer = gnocchi_answers(
        lambda _request: [group(1.0, project_id="anybody")],
        lambda _request: [{"id": "i1", "project_id": "anybody", "name": "n"}],
    )
    collector = build(conf, server.url, {"cpu": {"metadata": ["name"]}})
    condition = {"=": {"a": "b"}}

    assert len(collector.fetch_all("cpu", START, END, S, q_filter=condition)) == 1
    aggregates, resources = server.requests
    assert json.loads(aggregates.body)["search"] == {"and": [*MINE["and"], condition]}
    assert json.loads(resources.body) == search({"=": {"project_id": S}}, condition)

    server.requests.clear()
    (point,) = collector.fetch_all("cpu", START, END, None)
    assert point.groupby["project_id"] == "anybody"
    assert point.metadata == {"name": "n"}
    aggregates, resources = server.requests
    assert json.loads(aggregates.body)["search"] == {"=": {"type": "instance"}}
    assert json.loads(resources.body) == search()


def test_another_scope_key(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    """Row 10."""
    build(conf, server.url, {"cpu": {}}, scope_key="domain_id").fetch_all("cpu", START, END, "d1")
    (request,) = server.requests
    assert query(request)["groupby"] == ["domain_id", "id"]
    assert json.loads(request.body)["search"]["and"][1] == {"=": {"domain_id": "d1"}}


def test_times_have_the_local_offset(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    """Row 11."""
    paris = zoneinfo.ZoneInfo("Europe/Paris")
    timeutils.set_local_timezone(paris)
    start, end = (dt.datetime(2024, 3, 31, hour, tzinfo=paris) for hour in (1, 3))
    build(conf, server.url, {"cpu": {}}).fetch_all("cpu", start, end, S)
    assert server.requests[0].target.endswith(
        "start=2024-03-31T01%3A00%3A00%2B01%3A00&stop=2024-03-31T03%3A00%3A00%2B02%3A00"
        "&use_history=True"
    )


def test_a_path_in_the_endpoint(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    """Row 14."""
    build(conf, f"{server.url}/metric/", {"cpu": {}}).fetch_all("cpu", START, END, S)
    assert server.requests[0].path == "/metric/v1/aggregates"


def test_with_keystone(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    """Row 15: the endpoint is the catalogue's, and the token is used until it is rejected."""
    keystone = f"{server.url}/identity/v3"
    issued: list[str] = []
    endpoints = [
        {"interface": name, "region_id": region, "region": region, "url": url, "id": name}
        for name, region, url in (
            ("public", "RegionOne", f"{server.url}/public"),
            ("internal", "RegionOne", f"{server.url}/metric"),
            ("internal", "RegionTwo", f"{server.url}/elsewhere"),
        )
    ]

    def answer(request: Request) -> Reply:
        if request.path.endswith("/auth/tokens"):
            issued.append(f"token{len(issued) + 1}")
            token = {
                "methods": ["password"],
                "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2024-01-01T00:00:00.000000Z",
                "catalog": [{"type": "metric", "name": "gnocchi", "endpoints": endpoints}],
            }
            return Reply(201, {"token": token}, {"X-Subject-Token": issued[-1]})
        if request.method == "GET":
            version = {
                "id": "v3.14",
                "status": "stable",
                "links": [{"rel": "self", "href": keystone}],
            }
            return Reply(body={"version": version})
        # The first token has expired when it is used for the second time.
        uses = sum(one.path.startswith("/metric") for one in server.requests)
        if request.headers.get("X-Auth-Token") != issued[-1] or uses == 2:
            return Reply(401, {"error": {"message": "no"}})
        return Reply(body=[group(1.0)])

    server.answer = answer
    conf.config(collector="gnocchi", group="collect")
    conf.load_raw_values(
        group="collector_gnocchi",
        auth_type="password",
        auth_url=keystone,
        username="cloudkitty",
        password="secret",
        user_domain_id="default",
    )
    collector = assembled(conf, {"cpu": {}})
    assert server.requests == []

    for _ in range(3):
        assert len(collector.fetch_all("cpu", START, END, S)) == 1

    assert [(one.method, one.path) for one in server.requests] == [
        ("GET", "/identity/v3"),
        ("POST", "/identity/v3/auth/tokens"),
        ("POST", "/metric/v1/aggregates"),
        ("POST", "/metric/v1/aggregates"),
        ("POST", "/identity/v3/auth/tokens"),
        ("POST", "/metric/v1/aggregates"),
        ("POST", "/metric/v1/aggregates"),
    ]
