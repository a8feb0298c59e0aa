# SPDX-License-Identifier: Apache-2.0
"""Scopes from a label in Prometheus (contract collect.md 3.3)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty.fetcher.base import BaseFetcher, get_fetcher
from cloudkitty.fetcher.prometheus import PrometheusFetcherError
from cloudkitty.tests import prometheus, webserver
from cloudkitty.tests.webserver import Reply


@pytest.fixture
def server() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: webserver.vector()) as running:
        yield running


def build(conf: cfg_fixture.Config, url: str, **options: Any) -> BaseFetcher:
    conf.config(backend="prometheus", group="fetcher")
    options.setdefault("metric", "openstack_identity_project_info")
    conf.config(prometheus_url=url, group="fetcher_prometheus", **options)
    return get_fetcher(conf.conf)


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, "max(openstack_identity_project_info) by (project_id)"),
        (
            {"filters": {"a": "b", "c": 'd"'}},
            'max(openstack_identity_project_info{a="b", c="d\\""}) by (project_id)',
        ),
        ({"scope_attribute": "id"}, "max(openstack_identity_project_info) by (id)"),
    ],
)
def test_the_query(
    conf: cfg_fixture.Config, server: webserver.Server, options: dict[str, Any], query: str
) -> None:
    assert build(conf, f"{server.url}/api/v1/", **options).get_tenants() == []
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/api/v1/query")
    assert request.fields == {"query": query}


def test_the_scopes(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    server.answer = lambda _request: webserver.vector(
        ({"project_id": "b"}, "1"),
        ({"project_id": "a"}, "1"),
        ({"project_id": "b", "x": "y"}, "1"),
        ({"project_id": ""}, "1"),
        ({}, "1"),
    )
    assert build(conf, server.url).get_tenants() == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"metric": None}, r"metric .*\[fetcher_prometheus\]"),
        ({"scope_attribute": "a b"}, r"\[fetcher_prometheus\] scope_attribute: not a label name"),
        ({"filters": {"a-b": "c"}}, r"\[fetcher_prometheus\] filters: not a label name: 'a-b'"),
    ],
)
def test_settings_are_checked_at_start(
    conf: cfg_fixture.Config, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(cfg.Error, match=reason):
        build(conf, "http://localhost/api/v1", **options)


def test_the_url_is_needed(conf: cfg_fixture.Config) -> None:
    with pytest.raises(cfg.Error, match=r"prometheus_url .*\[fetcher_prometheus\]"):
        build(conf, "")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500, "oops"), "Could not get a valid json response for .*oops"),
        (webserver.error("bad_data", "x"), 'Unexpected Prometheus server response ".*bad_data'),
        (Reply(200, {}), r'Unexpected Prometheus server response "{}" for "max\(open'),
        (webserver.matrix(), 'Unexpected Prometheus server response ".*matrix'),
        (webserver.vector(({}, "1"), warnings=["x"]), "the answer may be incomplete: x"),
        (
            Reply(200, {"status": "success", "data": {"resultType": "vector", "result": [{}]}}),
            "a series without labels",
        ),
        (
            Reply(200, {"status": "success", "data": {"resultType": "vector", "result": [7]}}),
            "a series without labels",
        ),
        (Reply(hang_up=True), "connection broken"),
    ],
)
def test_no_list_rather_than_a_wrong_one(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    monkeypatch: pytest.MonkeyPatch,
    reply: Reply,
    reason: str,
) -> None:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.001)
    server.answer = lambda _request: reply
    with pytest.raises(PrometheusFetcherError, match=reason):
        build(conf, server.url).get_tenants()


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, "max(last_over_time(openstack_identity_project_info[14400s])) by (project_id)"),
        (
            {"lookback": 60, "filters": {"a": "b"}, "scope_attribute": "id"},
            'max(last_over_time(openstack_identity_project_info{a="b"}[60s])) by (id)',
        ),
        ({"lookback": 0}, None),
        ({"metric": "sum(info) by (project_id)"}, None),
    ],
)
def test_the_query_for_the_recent_past(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    options: dict[str, Any],
    query: str | None,
) -> None:
    server.answer = lambda _request: webserver.vector(
        ({options.get("scope_attribute", "project_id"): "a"}, "1")
    )
    assert build(conf, server.url, **options).get_recent() == (["a"] if query else [])
    assert [r.fields for r in server.requests] == ([{"query": query}] if query else [])


@pytest.mark.service
def test_a_scope_that_ended_an_hour_ago(conf: cfg_fixture.Config, tmp_path: Path) -> None:
    """It is not there any more, but its last periods are not rated yet."""
    now = int(time.time())
    ends = {"here": 0, "ended": 3600, "long-gone": 5 * 3600}
    family = prometheus.Family(
        "info",
        [
            ({"project_id": scope}, [(now - end - k * 60, 1) for k in range(9, -1, -1)])
            for scope, end in ends.items()
        ],
    )
    with prometheus.running(prometheus.openmetrics([family]), tmp_path) as url:
        fetcher = build(conf, url, metric="info")
        assert fetcher.get_tenants() == ["here"]
        assert fetcher.get_recent() == ["ended", "here"]


@pytest.mark.service
def test_a_real_server(conf: cfg_fixture.Config, tmp_path: Path) -> None:
    # Asked without a time, the server looks at now; so the rule is an instant of long ago.
    family = prometheus.Family(
        "info",
        [({"project_id": p, "enabled": e}, [(1709632800, 1)]) for p, e in (("a", "y"), ("b", "n"))],
    )
    with prometheus.running(prometheus.openmetrics([family]), tmp_path) as url:
        at = "last_over_time(info[1h] @ 1709632860)"
        assert build(conf, url, metric=at).get_tenants() == ["a", "b"]
        assert build(conf, url, metric="info").get_tenants() == []
