# SPDX-License-Identifier: Apache-2.0
"""What the Aetos collector asks (contract collect.md 2.3); tokens are of a real Keystone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from keystoneauth1 import exceptions
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import keystone as ck_keystone
from cloudkitty import timeutils
from cloudkitty.collector import CollectError
from cloudkitty.collector.base import BaseCollector, BatchQuery, get_collector
from cloudkitty.tests import keystone, prometheus, proxy, webserver
from cloudkitty.tests.aetos import UNAUTHORIZED
from cloudkitty.tests.collector.helpers import HOUR, TEN
from cloudkitty.tests.keystone import Cloud, User
from cloudkitty.tests.webserver import Reply, Request

pytestmark = pytest.mark.service

START, END = timeutils.from_epoch(TEN), timeutils.from_epoch(TEN + HOUR)
BATCH = BatchQuery(["p1", "p2"], [TEN], HOUR)
VOL = 'vol{project_id="p1"}[3600s]'


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with keystone.cloud() as found:
        yield found


@pytest.fixture(scope="module")
def service(cloud: Cloud) -> User:
    return cloud.user(cloud.project(), ["service"], name="cloudkitty")


@pytest.fixture(scope="module")
def recorder() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: webserver.vector()) as running:
        yield running


@pytest.fixture(scope="module")
def region(cloud: Cloud, recorder: webserver.Server) -> str:
    urls = {"public": "/pub", "internal": "/int", "admin": "/adm/"}
    endpoints = {name: f"{recorder.url}{path}" for name, path in urls.items()}
    return cloud.endpoint("metric-storage", endpoints)


@pytest.fixture
def server(recorder: webserver.Server) -> webserver.Server:
    recorder.requests.clear()
    recorder.answer = lambda _request: webserver.vector()
    return recorder


Build = Callable[..., BaseCollector]


@pytest.fixture
def build(conf: cfg_fixture.Config, service: User, region: str) -> Build:
    """Give the collector, through its entry point."""

    def made(definition: dict[str, Any] | None = None, url: str = "", **options: Any) -> Any:
        conf.config(collector="aetos", group="collect")
        credentials = service.options() | ({"auth_url": url} if url else {})
        conf.load_raw_values(group="authinfos", **credentials)
        options = {"auth_section": "authinfos", "region_name": region, **options}
        conf.config(group="collector_aetos", **options)
        metrics = {"vol": {"unit": "GiB", **(definition or {})}}
        return get_collector(conf.conf, {"metrics": metrics})

    return made


def extra(**arguments: str) -> dict[str, Any]:
    return {"extra_args": arguments}


@pytest.mark.parametrize(
    ("definition", "query"),
    [
        (
            {"groupby": ["id"], "metadata": ["flavor"]},
            f"max(max_over_time({VOL})) by (id, project_id, flavor)",
        ),
        *(
            (extra(aggregation_method=m), f"{m}({m}_over_time({VOL})) by (project_id)")
            for m in ("avg", "count", "min", "stddev", "stdvar", "sum")
        ),
        (extra(query_function="ceil"), f"max(ceil(max_over_time({VOL}))) by (project_id)"),
        (
            extra(aggregation_method="sum", range_function="rate"),
            f"sum(rate({VOL})) by (project_id)",
        ),
        (
            extra(query_prefix="2 *", query_suffix="+ 1"),
            f"2 * max(max_over_time({VOL})) by (project_id) + 1",
        ),
    ],
)
def test_the_query(
    server: webserver.Server,
    build: Build,
    monkeypatch: pytest.MonkeyPatch,
    definition: dict[str, Any],
    query: str,
) -> None:
    # Keystone takes its time, and the token is the same.
    monkeypatch.setattr(ck_keystone, "first_try", lambda *_args: None)
    collector = build(definition)
    collector.fetch_all("vol", START, END, "p1")
    (request,) = server.requests
    assert request.fields == {"query": query, "time": "2024-03-05T11:00:00+00:00"}


def test_the_whole_request(cloud: Cloud, server: webserver.Server, build: Build) -> None:
    with proxy.before(cloud.url) as front:
        collector: Any = build({"alt_name": "z"}, front.url)
        assert front.lines() == ["GET /v3", "POST /v3/auth/tokens"]
        server.answer = lambda _request: webserver.vector(({"project_id": "p1"}, "1"))
        name, points = collector.retrieve("vol@#z", START, END, "p1")
        assert front.lines() == []
    assert (name, len(points)) == ("z", 1)
    (request,) = server.requests
    assert request.method == "GET"
    assert request.target == (
        "/pub/api/v1/query?query=max%28max_over_time%28vol%7Bproject_id%3D%22p1%22%7D%5B3600s%5D"
        "%29%29+by+%28project_id%29&time=2024-03-05T11%3A00%3A00%2B00%3A00"
    )
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["x-auth-token"] == collector._client._session.get_token()
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(("interface", "path"), [("internal", "/int"), ("admin", "/adm")])
def test_interfaces(server: webserver.Server, build: Build, interface: str, path: str) -> None:
    build(interface=interface).fetch_all("vol", START, END, "p1")
    assert [request.path for request in server.requests] == [f"{path}/api/v1/query"]


def test_a_rejected_token_is_renewed_once(server: webserver.Server, build: Build) -> None:
    replies = iter([UNAUTHORIZED, webserver.vector(({"project_id": "p1"}, "1"))])
    server.answer = lambda _request: next(replies)
    collector = build()
    assert len(collector.fetch_all("vol", START, END, "p1")) == 1
    first, second = server.requests
    assert first.target == second.target
    assert first.headers["X-Auth-Token"] != second.headers["X-Auth-Token"]
    server.answer = lambda _request: UNAUTHORIZED
    server.requests.clear()
    with pytest.raises(CollectError, match=r"HTTP 401, .*requires authentication"):
        collector.fetch_batch("vol", BATCH)
    assert len(server.requests) == 2


def test_no_such_endpoint(build: Build, region: str) -> None:
    with pytest.raises(
        exceptions.EndpointNotFound,
        match=r"^public endpoint for metric-storage service in nowhere region not found$",
    ):
        build(region_name="nowhere")


def test_a_wrong_password(conf: cfg_fixture.Config, cloud: Cloud, service: User) -> None:
    conf.config(collector="aetos", group="collect")
    conf.load_raw_values(group="collector_aetos", **service.options() | {"password": "s3cret!"})
    with pytest.raises(
        cfg.Error, match=rf"\[collector_aetos\]: Keystone at {cloud.url} refuses: .*401"
    ) as caught:
        get_collector(conf.conf, {"metrics": {"vol": {"unit": "GiB"}}})
    assert "s3cret" not in str(caught.value)


FAILURES = [
    (webserver.error("bad_data", "parse error"), "HTTP 400, bad_data: parse error"),
    (webserver.error("execution", "too many samples", 422), "HTTP 422, execution: too many samp"),
    (webserver.error("timeout", "query timed out", 503), "HTTP 503, timeout: query timed out"),
    (webserver.error("bad_data", "x", 200), "HTTP 200, bad_data: x"),
    (Reply(500, "oops"), "Could not get a valid json response for .*HTTP 500, response: oops"),
    (Reply(200, "<html>"), "Could not get a valid json response for .*response: <html>"),
    (Reply(200, {}), "Unexpected answer from .*HTTP 200, {}"),
    (Reply(403, {"error": {"code": 403, "message": "no"}}), r"HTTP 403, .*\"message\": \"no\""),
    (Reply(404, "no"), r"HTTP 404, response: no"),
    (Reply(302, headers={"location": "/pub"}), "more than 5 redirects"),
    (Reply(200, "{", declared=99), "connection broken"),
    (Reply(hang_up=True), "connection broken"),
    (webserver.vector(({}, "one")), "a value is no number: 'one'"),
]


def test_failures(server: webserver.Server, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.001)
    collector = build()
    for reply, reason in FAILURES:
        server.answer = lambda _request, x=reply: x  # type: ignore[misc]
        with pytest.raises(CollectError, match=reason):
            collector.fetch_all("vol", START, END, "p1")
        with pytest.raises(CollectError, match=f"metric 'vol': .*{reason}") as caught:
            collector.fetch_batch("vol", BATCH)
        assert "\n" not in str(caught.value)
        assert server.url in str(caught.value)


def test_the_token_goes_to_nobody_else(server: webserver.Server, build: Build) -> None:
    with webserver.serving(lambda _request: webserver.vector()) as stranger:
        target = stranger.url.replace("127.0.0.1", "localhost")
        server.answer = lambda _request: Reply(302, headers={"location": f"{target}/x"})
        build().fetch_all("vol", START, END, "p1")
    assert "X-Auth-Token" in server.requests[0].headers
    assert "X-Auth-Token" not in stranger.requests[0].headers


def test_keystone_may_be_away(
    cloud: Cloud,
    server: webserver.Server,
    build: Build,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("cloudkitty.keystone._PAUSE", 0.001)
    port = prometheus.free_port()
    collector = build(url=f"http://127.0.0.1:{port}/v3")
    assert "Keystone cannot be used now, trying again later" in caplog.text
    for _ in range(2):
        with pytest.raises(CollectError, match=r"metric 'vol'.*no endpoint.*Connection refused"):
            collector.fetch_batch("vol", BATCH)
    assert server.requests == []
    with proxy.before(cloud.url, port=port) as front:
        assert collector.fetch_batch("vol", BATCH) == {}
        # Connections that are open outlive the server.
        front.refuse = lambda _request: Reply(hang_up=True)
    # It has a token now, and needs Keystone no more until that is rejected.
    assert collector.fetch_batch("vol", BATCH) == {}
    server.answer = lambda _request: UNAUTHORIZED
    with pytest.raises(CollectError, match=r"metric 'vol'.*no token: .*Connection refused"):
        collector.fetch_batch("vol", BATCH)


def test_a_long_question_is_cut_for_a_get(server: webserver.Server, build: Build) -> None:
    """A proxy without POST: URLs stay below what web servers take."""

    def answer(request: Request) -> Reply:
        return webserver.vector() if request.method == "GET" else Reply(405, "no")

    server.answer = answer
    collector = build()
    scopes = [f"{number:032x}" for number in range(1000)]
    assert collector.fetch_batch("vol", BatchQuery(scopes, [TEN], HOUR)) == {}
    asked = [r for r in server.requests if r.method == "GET"]
    assert max(len(r.target) for r in asked) < 8000
    assert len(asked) < 12
    assert sorted(s for r in asked for s in r.fields["query"].split('"')[1].split("|")) == scopes
    # What is learned stays.
    server.requests.clear()
    assert collector.fetch_batch("vol", BatchQuery(scopes, [TEN], HOUR)) == {}
    assert {r.method for r in server.requests} == {"GET"}
