# SPDX-License-Identifier: Apache-2.0
"""What the Prometheus collector asks (contract collect.md 2.2.3), and what it makes of answers."""

from __future__ import annotations

import base64
import zoneinfo
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.collector import CollectError, NoDataCollected
from cloudkitty.collector.base import BatchQuery, get_collector
from cloudkitty.tests import webserver
from cloudkitty.tests.collector.helpers import HOUR, TEN, build, flat

S = "f266f30b11f246b589fd266f85eeec39"
START, END = timeutils.from_epoch(TEN), timeutils.from_epoch(TEN + HOUR)


@pytest.fixture
def server() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: webserver.vector()) as running:
        yield running


@pytest.mark.parametrize(
    ("definition", "query"),
    [
        ({}, f'max(max_over_time(vol{{project_id="{S}"}}[3600s])) by (project_id)'),
        (
            {"groupby": ["id"], "metadata": ["flavor", "missing"]},
            (
                f'max(max_over_time(vol{{project_id="{S}"}}[3600s])) '
                "by (id, project_id, flavor, missing)"
            ),
        ),
        *(
            (
                {"extra_args": {"aggregation_method": method}},
                f'{method}({method}_over_time(vol{{project_id="{S}"}}[3600s])) by (project_id)',
            )
            for method in ("avg", "count", "min", "stddev", "stdvar", "sum")
        ),
        (
            {"extra_args": {"aggregation_method": "avg", "query_function": "abs"}},
            f'avg(abs(avg_over_time(vol{{project_id="{S}"}}[3600s]))) by (project_id)',
        ),
        (
            {"extra_args": {"aggregation_method": "sum", "range_function": "rate"}},
            f'sum(rate(vol{{project_id="{S}"}}[3600s])) by (project_id)',
        ),
        (
            {"extra_args": {"range_function": "delta", "query_function": "ceil"}},
            f'max(ceil(delta(vol{{project_id="{S}"}}[3600s]))) by (project_id)',
        ),
        (
            {"extra_args": {"query_prefix": "1 -", "query_suffix": "/ 2 > 0"}},
            f'1 - max(max_over_time(vol{{project_id="{S}"}}[3600s])) by (project_id) / 2 > 0',
        ),
    ],
)
def test_the_query_of_one_scope_and_period(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    definition: dict[str, Any],
    query: str,
) -> None:
    collector = build(conf, f"{server.url}/api/v1/", {"vol": {"unit": "GiB", **definition}})
    assert collector.fetch_all("vol", START, END, S) == []
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/api/v1/query")
    assert request.fields == {"query": query, "time": "2024-03-05T11:00:00+00:00"}
    assert request.headers["Accept"] == "*/*"
    assert "Authorization" not in request.headers
    assert "time=2024-03-05T11%3A00%3A00%2B00%3A00" in request.target


def test_local_time_across_a_change_of_the_clock(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    timeutils.set_local_timezone(zoneinfo.ZoneInfo("Europe/Paris"))
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}}, period=300)
    end = timeutils.from_epoch(1711846800)
    start = timeutils.as_local(timeutils.from_epoch(1711846800 - 300))
    collector.fetch_all("vol", start, end, S)
    assert server.requests[0].fields == {
        "query": f'max(max_over_time(vol{{project_id="{S}"}}[300s])) by (project_id)',
        "time": "2024-03-31T03:00:00+02:00",
    }


def test_basic_auth_needs_user_and_password(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    conf.config(prometheus_user="u", group="collector_prometheus")
    build(conf, server.url, {"vol": {"unit": "GiB"}}).fetch_all("vol", START, END, S)
    conf.config(prometheus_password="p", group="collector_prometheus")
    build(conf, server.url, {"vol": {"unit": "GiB"}}).fetch_all("vol", START, END, S)
    assert "Authorization" not in server.requests[0].headers
    assert server.requests[1].headers["Authorization"] == "Basic dTpw"
    assert base64.b64decode("dTpw") == b"u:p"


def test_the_points_of_an_answer(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    server.answer = lambda _request: webserver.vector(
        ({"project_id": S, "id": "i1", "flavor": "big"}, "1048576"),
        ({"id": "i2"}, "123456789.123456789"),
        ({"project_id": S, "id": "i2"}, "NaN"),
        ({"project_id": S, "id": "i2"}, "+Inf"),
    )
    definition = {
        "unit": "MiB",
        "alt_name": "storage",
        "factor": "1/1048576",
        "groupby": ["id"],
        "metadata": ["flavor"],
        "description": "space",
    }
    collector = build(conf, server.url, {"vol": definition})
    name, points = collector.retrieve("vol@#storage", START, END, S)
    assert name == "storage"
    assert [str(p.qty) for p in points] == ["1", "117.7375689730232133865356445"]
    assert points[0].groupby == {
        "project_id": S,
        "id": "i1",
        "week_of_the_year": "09",
        "day_of_the_year": "65",
        "month": "3",
        "year": "2024",
    }
    assert points[0].metadata == {"flavor": "big"}
    assert points[1].groupby["project_id"] == S, "an absent scope label keeps the asked scope"
    assert points[1].metadata == {"flavor": ""}
    assert points[0].price == Decimal(0)
    assert points[0].description == "space"
    assert server.requests[0].fields["query"].startswith("max(max_over_time(vol{")


def test_nothing_found(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    collector = build(conf, server.url, {"vol": {"unit": "GiB", "alt_name": "storage"}})
    with pytest.raises(NoDataCollected) as caught:
        collector.retrieve("vol@#storage", START, END, S)
    assert str(caught.value) == "Collector 'prometheus' returned no data for resource 'storage'"


def test_a_hostile_scope_stays_a_value(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    collector.fetch_all("vol", START, END, 'weird"}\\x\n')
    assert server.requests[0].fields["query"] == (
        'max(max_over_time(vol{project_id="weird\\"}\\\\x\\n"}[3600s])) by (project_id)'
    )


def test_one_question_for_all_scopes_and_periods(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = lambda _request: webserver.matrix(
        ({"project_id": "a.b", "id": "1"}, [(TEN + HOUR, "1"), (TEN + 2 * HOUR, "2.50")]),
        ({"project_id": "c", "id": "2"}, [(TEN + 2 * HOUR, "NaN")]),
        ({"project_id": "c", "id": "3"}, [(TEN + HOUR, "-Inf"), (TEN + 2.0 * HOUR, "3")]),
    )
    collector = build(conf, server.url, {"vol": {"unit": "GiB", "groupby": ["id"]}})
    found = collector.fetch_batch("vol", BatchQuery(["a.b", "c", "d"], [TEN, TEN + HOUR], HOUR))
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/query_range")
    assert request.fields == {
        "query": 'max(max_over_time(vol{project_id=~"a\\\\.b|c|d"}[3600s])) by (id, project_id)',
        "start": str(TEN + HOUR),
        "end": str(TEN + 2 * HOUR),
        "step": "3600",
    }
    assert flat(found) == [
        ("a.b", TEN, [("id", "1"), ("project_id", "a.b")], [], "1"),
        ("a.b", TEN + HOUR, [("id", "1"), ("project_id", "a.b")], [], "2.50"),
        ("c", TEN + HOUR, [("id", "3"), ("project_id", "c")], [], "3"),
    ]
    assert all(s.calendar and s.prices == [0] * len(s.qtys) for s in found["a.b"])


def test_one_period_is_an_instant(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    server.answer = lambda _request: webserver.vector(({"project_id": "a"}, "1"))
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    found = collector.fetch_batch("vol", BatchQuery(["a", "b"], [TEN], HOUR))
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/query")
    assert request.fields == {
        "query": 'max(max_over_time(vol{project_id=~"a|b"}[3600s])) by (project_id)',
        "time": str(TEN + HOUR),
    }
    assert flat(found) == [("a", TEN, [("project_id", "a")], [], "1")]


def test_text_around_the_query_means_one_question_per_scope(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = lambda _request: webserver.matrix(({}, [(TEN + HOUR, "1")]))
    definition = {"unit": "GiB", "extra_args": {"query_prefix": "1 -"}}
    collector = build(conf, server.url, {"vol": definition})
    found = collector.fetch_batch("vol", BatchQuery(["a", "b"], [TEN, TEN + HOUR], HOUR))
    assert {r.fields["query"] for r in server.requests} == {
        '1 - max(max_over_time(vol{project_id="a"}[3600s])) by (project_id)',
        '1 - max(max_over_time(vol{project_id="b"}[3600s])) by (project_id)',
    }
    assert flat(found) == [(s, TEN, [("project_id", s)], [], "1") for s in ("a", "b")]


def test_text_tied_to_the_end_of_the_range_means_one_period_each(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = lambda request: webserver.vector(({}, request.fields["time"]))
    definition = {"unit": "GiB", "extra_args": {"query_suffix": "- (x @ end())"}}
    collector = build(conf, server.url, {"vol": definition})
    found = collector.fetch_batch("vol", BatchQuery(["a"], [TEN, TEN + HOUR], HOUR))
    assert [point[-1] for point in flat(found)] == [str(TEN + HOUR), str(TEN + 2 * HOUR)]
    assert len(found["a"]) == 1


def test_connections_are_kept(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    for _ in range(10):
        collector.fetch_batch("vol", BatchQuery(["a"], [TEN], HOUR))
    assert len(server.requests) == 10
    assert server.connections == 1


def test_no_question_for_nothing(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    assert collector.fetch_batch("vol", BatchQuery([], [TEN], HOUR)) == {}
    assert collector.fetch_batch("vol", BatchQuery(["a"], [], HOUR)) == {}
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "prometheus_url"),
        ("localhost:9090", "prometheus_url: not an http"),
        ("http://", "prometheus_url: not an http"),
        ("http://h:port/api/v1", "prometheus_url: not an http"),
    ],
)
def test_the_url_is_checked_at_start(conf: cfg_fixture.Config, url: str, reason: str) -> None:
    with pytest.raises(cfg.Error, match=reason) as caught:
        build(conf, url, {"vol": {"unit": "GiB"}})
    assert "[collector_prometheus]" in str(caught.value)


def test_the_ca_file_is_checked_at_start(conf: cfg_fixture.Config) -> None:
    conf.config(cafile="/nowhere/ca.pem", group="collector_prometheus")
    with pytest.raises(cfg.Error, match=r"\[collector_prometheus\] cafile: no such file: /nowhere"):
        build(conf, "https://localhost", {"vol": {"unit": "GiB"}})


def test_an_unknown_collector_is_named(conf: cfg_fixture.Config) -> None:
    conf.config(collector="nope", group="collect")
    with pytest.raises(Exception, match="looking for 'nope'"):
        get_collector(conf.conf, {"metrics": {"a": {"unit": "u"}}})


def test_errors_are_told_in_the_server_s_words(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = lambda _request: webserver.error("bad_data", "parse error: x")
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    with pytest.raises(CollectError) as caught:
        collector.fetch_all("vol", START, END, S)
    assert str(caught.value) == "bad_data: parse error: x"
