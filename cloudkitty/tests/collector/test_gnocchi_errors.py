# SPDX-License-Identifier: Apache-2.0
"""What the Gnocchi collector does when it gets no usable answer (contract collect.md 2.1.6)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import http, timeutils
from cloudkitty.collector import BatchFailure, CollectError
from cloudkitty.collector.base import BatchQuery
from cloudkitty.collector.halving import SourceUnusable
from cloudkitty.gnocchi import client as gnocchi_client
from cloudkitty.tests import webserver
from cloudkitty.tests.collector.gnocchi_helpers import S, build, gnocchi_answers, group, refusal
from cloudkitty.tests.collector.helpers import HOUR, TEN
from cloudkitty.tests.webserver import Reply, Request

START, END = timeutils.from_epoch(TEN), timeutils.from_epoch(TEN + HOUR)


@pytest.fixture(scope="module")
def recorder() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: Reply(body=[])) as running:
        yield running


@pytest.fixture
def server(recorder: webserver.Server, monkeypatch: pytest.MonkeyPatch) -> webserver.Server:
    monkeypatch.setattr(http, "_PAUSE", 0.001)
    recorder.requests.clear()
    return recorder


def failure(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    answer: Reply | Callable[[Request], Reply],
    **definition: Any,
) -> str:
    """Give the reason why there are no points."""
    server.answer = answer if callable(answer) else lambda _request: answer
    collector = build(conf, server.url, {"cpu": definition})
    with pytest.raises(CollectError) as caught:
        collector.fetch_all("cpu", START, END, S)
    assert str(caught.value).startswith(f"metric 'cpu': {server.url}/v1/")
    reason = str(caught.value).removeprefix(f"metric 'cpu': {server.url}/v1/")
    return f"{'fatal: ' if isinstance(caught.value, SourceUnusable) else ''}{reason}"


@pytest.mark.parametrize(
    "answer",
    [
        refusal(404, "Metric ['cpu'] does not exist"),
        refusal(400, {"cause": "Metrics not found", "detail": ["cpu"]}),
        refusal(404, {"cause": "Metric not found", "detail": "cpu"}),
    ],
)
def test_idle_scopes_have_nothing(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    answer: Reply,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.answer = lambda _request: answer
    collector = build(conf, server.url, {"cpu": {"metadata": ["name"]}})
    with caplog.at_level(logging.INFO):
        assert collector.fetch_all("cpu", START, END, S) == []
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            refusal(404, {"cause": "Metrics with unknown aggregation", "detail": [["m", "p"]]}),
            (
                'aggregates: HTTP 404: Metrics with unknown aggregation: [["m","p"]] '
                "(see extra_args.aggregation_method)"
            ),
        ),
        (
            refusal(400, {"cause": "Resource type does not exist", "detail": "t"}),
            (
                "fatal: aggregates: HTTP 400: Resource type does not exist: t "
                "(see extra_args.resource_type)"
            ),
        ),
        (
            refusal(400, {"cause": "Metrics cannot be aggregated", "reason": "Granularities ..."}),
            (
                "aggregates: HTTP 400: Metrics cannot be aggregated: Granularities ... "
                "(see extra_args.force_granularity)"
            ),
        ),
        (
            refusal(400, {"cause": "Invalid input", "reason": "no", "detail": ["search"]}),
            'aggregates: HTTP 400: Invalid input: no: ["search"]',
        ),
        (
            refusal(400, {"cause": "Invalid operations", "reason": "r", "detail": "d"}),
            "fatal: aggregates: HTTP 400: Invalid operations: r: d (see extra_args.custom_query)",
        ),
        (
            refusal(400, "Invalid pagination: `Sort key supplied is invalid: foo'"),
            (
                "fatal: aggregates: HTTP 400: Invalid pagination: "
                "`Sort key supplied is invalid: foo' "
                "(see groupby, extra_args.resource_key or [collect] scope_key)"
            ),
        ),
        (
            refusal(400, "Resource type instance has no foo attribute"),
            (
                "fatal: aggregates: HTTP 400: Resource type instance has no foo attribute "
                "(see groupby, extra_args.resource_key or [collect] scope_key)"
            ),
        ),
        (refusal(403, "Insufficient"), "fatal: aggregates: HTTP 403: Insufficient"),
        (Reply(401, {"error": {"message": "no"}}), "fatal: aggregates: HTTP 401: no"),
        (Reply(404, "<html>\nnginx</html>"), "fatal: aggregates: HTTP 404: <html> nginx</html>"),
        (refusal(404, None), "fatal: aggregates: HTTP 404: No"),
        (Reply(500, "Internal Server Error"), "aggregates: HTTP 500: Internal Server Error"),
        (Reply(500, [1]), "aggregates: HTTP 500: [1]"),
        (Reply(200, '[{"group": '), 'aggregates: not valid JSON: [{"group":'),
        (Reply(200, "login"), "aggregates: not valid JSON: login"),
        (Reply(200, {"a": 1}), 'aggregates: not a list of objects: {"a": 1}'),
        (Reply(200, [1]), "aggregates: not a list of objects: [1]"),
        (Reply(200, "[]", declared=99), "aggregates: connection broken: "),
        (Reply(302), "fatal: aggregates: HTTP 302, a redirect that leads nowhere"),
        (
            Reply(302, headers={"Location": "aggregates"}),
            "fatal: aggregates: more than 5 redirects",
        ),
    ],
)
def test_the_reason_is_told(
    conf: cfg_fixture.Config, server: webserver.Server, answer: Reply, reason: str
) -> None:
    told = failure(conf, server, answer)
    assert told.startswith(reason) if reason.endswith(": ") else told == reason


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"group": {"id": "i1"}}, "KeyError: 'measures'"),
        (group("1"), "TypeError: '1' is no number"),
        ({"group": {}, "measures": {"measures": {}}}, "KeyError: 'aggregated'"),
    ],
)
def test_groups_that_are_none(
    conf: cfg_fixture.Config, server: webserver.Server, item: Any, reason: str
) -> None:
    server.answer = gnocchi_answers(lambda _request: [item])
    collector = build(conf, server.url, {"cpu": {}})
    with pytest.raises(CollectError, match=r"^metric 'cpu': not a group of measures: ") as caught:
        collector.fetch_all("cpu", START, END, S)
    assert reason in str(caught.value)


def test_the_search_for_metadata_fails(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    answer = gnocchi_answers(
        lambda _request: [group(1.0)],
        lambda _request: refusal(404, "Resource type instance does not exist"),
    )
    assert failure(conf, server, answer, metadata=["name"]) == (
        "fatal: search/resource/instance: HTTP 404: Resource type instance does not exist "
        "(see extra_args.resource_type)"
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_overloaded_server_is_asked_again(
    conf: cfg_fixture.Config, server: webserver.Server, status: int
) -> None:
    def busy(_request: Request) -> Reply:
        return refusal(status, "later") if len(server.requests) < 3 else Reply(body=[group(1.0)])

    server.answer = busy
    assert len(build(conf, server.url, {"cpu": {}}).fetch_all("cpu", START, END, S)) == 1
    server.requests.clear()
    told = failure(conf, server, refusal(status, "later"))
    assert told == f"aggregates: HTTP {status}: later"
    assert len(server.requests) == 4


def test_a_broken_connection_is_made_again(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = lambda _request: Reply(body=[group(1.0)], hang_up=len(server.requests) < 3)
    assert len(build(conf, server.url, {"cpu": {}}).fetch_all("cpu", START, END, S)) == 1
    assert len(server.requests) == 3


def test_nobody_answers(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    collector = build(conf, "http://127.0.0.1:1", {"cpu": {}})
    with pytest.raises(
        SourceUnusable,
        match=r"^metric 'cpu': http://127.0.0.1:1/v1/aggregates: Connection refused$",
    ):
        collector.fetch_all("cpu", START, END, S)
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("cpu", BatchQuery(["a", "b"], [TEN], HOUR))
    assert sorted(caught.value.failed) == ["a", "b"]


def test_a_server_that_hangs(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    conf.config(timeout=0.2, group="collector_gnocchi")
    told = failure(conf, server, Reply(body=[], pause=1))
    assert told == "aggregates: timeout while waiting for the answer"
    assert len(server.requests) == 1


def test_an_answer_that_is_too_large_is_asked_for_in_halves(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    def groups(request: Request) -> Any:
        size = 40 << 20 if b'"in"' in request.body else 1
        return Reply(body="[]".rjust(size + 2))

    server.answer = gnocchi_answers(groups)
    collector = build(conf, server.url, {"cpu": {}})
    assert collector.fetch_batch("cpu", BatchQuery(["a", "b"], [TEN], HOUR)) == {}
    assert collector.fetch_all("cpu", START, END, S) == []


def test_redirects_are_followed_and_stay_posts(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    def moved(request: Request) -> Reply:
        if request.path.startswith("/new"):
            return Reply(body=[group(1.0)])
        return Reply(301, headers={"Location": f"/new{request.target}"})

    server.answer = moved
    conf.config(http_pool_maxsize=1, group="collector_gnocchi")
    collector = build(conf, server.url, {"cpu": {}})
    for _ in range(3):
        assert len(collector.fetch_all("cpu", START, END, S)) == 1
    first, second = server.requests[:2]
    assert (second.method, second.target) == ("POST", f"/new{first.target}")
    assert second.body == first.body
    assert second.headers["Authorization"] == first.headers["Authorization"]


def test_credentials_are_not_sent_elsewhere(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    with webserver.serving(lambda _request: Reply(body=[group(1.0)])) as other:
        server.answer = lambda request: Reply(
            302, headers={"Location": f"{other.url.replace('127.0.0.1', 'localhost')}/x"}
        )
        build(conf, server.url, {"cpu": {}}).fetch_all("cpu", START, END, S)
    (request,) = other.requests
    assert "Authorization" not in request.headers


def test_answers_are_logged_for_those_who_want_to_see_them(
    conf: cfg_fixture.Config, server: webserver.Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda _request: Reply(body=[group(1.0, id="the-one")])
    with caplog.at_level(logging.DEBUG, "keystoneauth"):
        collector = build(conf, server.url, {"cpu": {}})
        assert len(collector.fetch_all("cpu", START, END, S)) == 1
    assert "the-one" in caplog.text
    # The credentials are not.
    assert "YWRtaW46" not in caplog.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"gnocchi_endpoint": ""}, "gnocchi_endpoint"),
        ({"gnocchi_endpoint": "localhost:8041"}, r"gnocchi_endpoint: not an http\(s\) URL"),
        ({"cafile": "/nowhere"}, r"\[collector_gnocchi\] cafile: no such file: /nowhere"),
        ({"interface": "nowhere"}, r"\[collector_gnocchi\] interface: 'nowhere' is no interface"),
        ({"gnocchi_auth_type": "keystone"}, r"\[collector_gnocchi\] auth_type: not set"),
    ],
)
def test_options_that_cannot_be_used(
    conf: cfg_fixture.Config, options: dict[str, Any], reason: str
) -> None:
    given = {"gnocchi_auth_type": "basic", "gnocchi_endpoint": "http://localhost", **options}
    conf.config(group="collector_gnocchi", **given)
    with pytest.raises(cfg.Error, match=reason):
        gnocchi_client.GnocchiClient.of_section(conf.conf, "collector_gnocchi")
