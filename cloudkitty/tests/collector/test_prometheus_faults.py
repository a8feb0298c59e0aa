# SPDX-License-Identifier: Apache-2.0
"""A Prometheus that fails: nothing is lost, nothing is skipped, and the reason is told."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty.collector import BatchFailure, CollectError
from cloudkitty.collector.base import BatchQuery
from cloudkitty.tests import webserver
from cloudkitty.tests.collector.helpers import HOUR, TEN, build, flat
from cloudkitty.tests.webserver import Reply, Request

GOOD = webserver.vector(({"project_id": "a"}, "1"))
BATCH = BatchQuery(["a"], [TEN], HOUR)


@pytest.fixture
def server() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: GOOD) as running:
        yield running


def scopes_of(request: Request) -> list[str]:
    found = re.search(r'project_id=~?"([^"]*)"', request.fields["query"])
    assert found
    return found[1].split("|")


def times_of(request: Request) -> list[int]:
    if "time" in request.fields:
        return [int(request.fields["time"])]
    start, end, step = (int(request.fields[name]) for name in ("start", "end", "step"))
    return list(range(start, end + 1, step))


def honest(request: Request) -> Reply:
    """Answer with 1 for every scope and period asked for."""
    series = [
        ({"project_id": scope}, [(when, "1") for when in times_of(request)])
        for scope in scopes_of(request)
    ]
    if "time" in request.fields:
        return webserver.vector(*((labels, "1") for labels, _values in series))
    return webserver.matrix(*series)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500, "<h1>Internal\nerror</h1>"), r"HTTP 500, response: <h1>Internal error</h1>"),
        (Reply(401, "Unauthorized"), r"valid json response for \S+/query \(HTTP 401, response: Un"),
        (Reply(200, "<html>"), r"Could not get a valid json response for \S+ \(response: <html>\)"),
        (Reply(200, b"\xff\xfe"), "Could not get a valid json response"),
        (Reply(200, ""), "Could not get a valid json response"),
        (Reply(200, {}), "Unexpected answer"),
        (Reply(200, []), "Unexpected answer"),
        (Reply(200, {"status": "success"}), "Unexpected answer"),
        (Reply(200, {"status": "success", "data": {"result": {}}}), "Unexpected answer"),
        (Reply(200, '{"status":"success","data":{"resu'), "Could not get a valid json response"),
        (Reply(200, '{"status"', declared=500), "connection broken"),
        (Reply(hang_up=True), "connection broken"),
        (webserver.error("execution", "too many samples", 422), "execution: too many samples"),
        (webserver.error("bad_data", "parse error", 200), "bad_data: parse error"),
        (webserver.matrix(), "the query gives a matrix, not a vector"),
        (webserver.vector(({}, "1"), warnings=["store down"]), "may be incomplete: store down"),
        (webserver.vector(({}, "1"), isPartial=True), "the answer is incomplete"),
        (webserver.vector(({"project_id": "a"}, "one")), "a value is no number: 'one'"),
        (webserver.vector(({"project_id": "a"}, "1e9999")), "a value is out of range"),
        (webserver.vector(({"project_id": "a"}, 1.5)), "a value is not text: 1.5"),  # type: ignore[arg-type]
        (
            Reply(200, {"status": "success", "data": {"resultType": "vector", "result": [{}]}}),
            "not a series of numbers: {}",
        ),
        (
            Reply(
                200,
                {
                    "status": "success",
                    "data": {
                        "resultType": "vector",
                        "result": [{"metric": {}, "histogram": [1, {}]}],
                    },
                },
            ),
            "native histograms",
        ),
        (Reply(302, headers={"location": "/query"}), "more than 5 redirects"),
    ],
)
def test_a_bad_answer_is_an_error_that_names_metric_and_reason(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    monkeypatch: pytest.MonkeyPatch,
    reply: Reply,
    reason: str,
) -> None:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.001)
    server.answer = lambda _request: reply
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    with pytest.raises(CollectError, match=reason) as caught:
        collector.fetch_batch("vol", BATCH)
    assert "metric 'vol': " in str(caught.value)
    assert server.url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_garbage_in_a_range(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    end = TEN + HOUR
    for values in (
        [(end + 7, "1")],
        [(end, "1"), (end, "1")],
        [(end + HOUR, "1"), (end, "1")],
        [(end,)],
        7,
        None,
    ):
        server.answer = lambda _request, v=values: webserver.matrix(({}, v))  # type: ignore[misc]
        with pytest.raises(CollectError, match="metric 'vol'"):
            collector.fetch_batch("vol", BatchQuery(["a"], [TEN, end], HOUR))


def test_a_series_nobody_asked_for(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    server.answer = lambda r: (
        honest(r) if len(scopes_of(r)) == 1 else webserver.vector(({"project_id": "z"}, "1"))
    )
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    found = collector.fetch_batch("vol", BatchQuery(["a", "b"], [TEN], HOUR))
    assert [point[0] for point in flat(found)] == ["a", "b"]


def test_one_bad_scope_does_not_stop_the_others(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    scopes, begins = [f"s{i}" for i in range(50)], [TEN + i * HOUR for i in range(6)]

    def answer(request: Request) -> Reply:
        if "s17" in scopes_of(request) and begins[2] + HOUR in times_of(request):
            return webserver.error("execution", "many-to-many matching not allowed", 422)
        return honest(request)

    server.answer = answer
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("vol", BatchQuery(scopes, begins, HOUR))
    assert caught.value.failed == {
        "s17": f"metric 'vol': {server.url}: execution: many-to-many matching not allowed"
    }
    assert str(caught.value).startswith("1 scope(s) failed: metric 'vol': http")
    assert flat(caught.value.series) == sorted(
        (scope, begin, [("project_id", scope)], [], "1")
        for scope in scopes
        if scope != "s17"
        for begin in begins
    )
    assert all(len(series) == 1 for series in caught.value.series.values())
    assert len(server.requests) < 25


@pytest.mark.parametrize("most", [1, 3, 7, 40])
def test_a_source_that_can_take_only_so_much_is_asked_for_less(
    conf: cfg_fixture.Config, server: webserver.Server, most: int
) -> None:
    scopes, begins = [f"s{i}" for i in range(10)], [TEN + i * HOUR for i in range(5)]
    refused: list[int] = []

    def answer(request: Request) -> Reply:
        cells = len(scopes_of(request)) * len(times_of(request))
        if cells > most:
            refused.append(cells)
            return webserver.error("execution", "query processing would load too many samples", 422)
        return honest(request)

    server.answer = answer
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    everything = sorted(
        (scope, begin, [("project_id", scope)], [], "1") for scope in scopes for begin in begins
    )
    found = collector.fetch_batch("vol", BatchQuery(scopes, begins, HOUR))
    assert flat(found) == everything
    assert all(len(series) == 1 for series in found.values())
    refused.clear()
    assert flat(collector.fetch_batch("vol", BatchQuery(scopes, begins, HOUR))) == everything
    assert refused == [], "the second batch starts with what worked"


def test_after_a_weak_moment_the_questions_grow_again(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    scopes = [f"s{i}" for i in range(16)]
    server.answer = lambda r: (
        honest(r) if len(scopes_of(r)) <= 2 else webserver.error("timeout", "query timed out", 503)
    )
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    counts = []
    for _ in range(5):
        collector.fetch_batch("vol", BatchQuery(scopes, [TEN], HOUR))
        counts.append(len(server.requests))
        server.requests.clear()
        server.answer = honest
    assert counts == [15, 8, 4, 2, 1]


def test_a_broken_source_is_not_asked_for_every_scope(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = lambda _request: Reply(500, "oops")
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    scopes, begins = [f"s{i}" for i in range(200)], [TEN + i * HOUR for i in range(24)]
    with pytest.raises(CollectError, match=r"metric 'vol'.*HTTP 500, response: oops"):
        collector.fetch_batch("vol", BatchQuery(scopes, begins, HOUR))
    assert len(server.requests) < 25


@pytest.mark.parametrize("status", [401, 405, 407])
def test_a_refusal_is_not_tried_in_halves(
    conf: cfg_fixture.Config, server: webserver.Server, status: int
) -> None:
    server.answer = lambda _request: Reply(status, "no")
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    with pytest.raises(CollectError, match=f"HTTP {status}"):
        collector.fetch_batch("vol", BatchQuery(["a", "b", "c"], [TEN], HOUR))
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_a_gateway_that_refuses_some_scopes_does_not_stop_the_others(
    conf: cfg_fixture.Config, server: webserver.Server, status: int
) -> None:
    server.answer = lambda r: Reply(status, "no") if "s2" in scopes_of(r) else honest(r)
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    scopes = [f"s{i}" for i in range(10)]
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("vol", BatchQuery(scopes, [TEN], HOUR))
    assert set(caught.value.failed) == {"s2"}
    server.answer = lambda _request: Reply(status, "no")
    server.requests.clear()
    with pytest.raises(CollectError, match=f"HTTP {status}"):
        collector.fetch_batch("vol", BatchQuery([f"s{i}" for i in range(200)], [TEN], HOUR))
    assert len(server.requests) < 15


def test_an_answer_that_no_aggregation_gives(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    collector = build(conf, server.url, {"vol": {"unit": "GiB", "groupby": ["id"]}})
    one = ({"project_id": "a", "id": "1"}, "1")
    for reply, reason in (
        (webserver.vector(one, one), "a series twice: {'project_id': 'a', 'id': '1'}"),
        (webserver.vector(({"project_id": "z"}, "1")), "a series of scope 'z', which was not"),
        (webserver.vector(({"project_id": "a", "id": ["1"]}, "1")), "not a series of numbers"),  # type: ignore[dict-item]
    ):
        server.answer = lambda _request, reply=reply: reply  # type: ignore[misc]
        with pytest.raises(CollectError, match=f"metric 'vol': .*{re.escape(reason)}"):
            collector.fetch_batch("vol", BATCH)


def test_nobody_listens(conf: cfg_fixture.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.001)
    with webserver.serving(honest) as gone:
        url = gone.url
    collector = build(conf, url, {"vol": {"unit": "GiB"}})
    with pytest.raises(CollectError, match=f"metric 'vol': {url}/query: Connection refused"):
        collector.fetch_batch("vol", BATCH)


def test_a_source_that_goes_away_in_the_middle_keeps_what_was_had(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    def answer(request: Request) -> Reply:
        if len(scopes_of(request)) > 1:
            return webserver.error("execution", "too much", 422)
        return honest(request) if "a" in scopes_of(request) else Reply(401, "go away")

    server.answer = answer
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("vol", BatchQuery(["a", "b", "c", "d"], [TEN], HOUR))
    assert set(caught.value.failed) == {"b", "c", "d"}
    assert set(caught.value.series) == {"a"}


def _seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


@pytest.mark.parametrize(
    "reply",
    [Reply(200, "{}", pause=20), Reply(200, "x" * 200, pause=0.1, pieces=200)],
    ids=["silent", "dripping"],
)
def test_a_slow_source_does_not_hold_the_worker(
    conf: cfg_fixture.Config, server: webserver.Server, reply: Reply
) -> None:
    server.answer = lambda _request: reply
    conf.config(timeout=0.5, group="collector_prometheus")
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    collector._seconds = 1.5

    def work() -> None:
        with pytest.raises(
            CollectError, match=r"metric 'vol'.*(timeout|time given|no more questions)"
        ):
            collector.fetch_batch("vol", BatchQuery(["a", "b", "c", "d"], [TEN], HOUR))

    assert _seconds(work) < 8


def test_an_overloaded_source_is_asked_again(
    conf: cfg_fixture.Config, server: webserver.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.001)
    replies = iter([Reply(503, "busy"), Reply(hang_up=True), Reply(502, "no gateway"), GOOD])
    server.answer = lambda _request: next(replies)
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    assert len(collector.fetch_batch("vol", BATCH)["a"]) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_question_stays_the_same(
    conf: cfg_fixture.Config, server: webserver.Server, status: int
) -> None:
    server.answer = lambda r: (
        honest(r) if r.path == "/new" else Reply(status, headers={"location": "/new"})
    )
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    assert len(collector.fetch_batch("vol", BATCH)["a"]) == 1
    assert [r.method for r in server.requests] == ["POST", "POST"]
    assert server.requests[0].fields == server.requests[1].fields


def test_remarks_on_the_query_are_no_fault(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = lambda _request: webserver.vector(
        ({"project_id": "a"}, "1"),
        warnings=['PromQL info: metric might not be a counter, name does not end in _total: "x"'],
        infos=["anything"],
    )
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    assert len(collector.fetch_batch("vol", BATCH)["a"]) == 1


def test_values_that_are_none_are_counted_once_per_question(
    conf: cfg_fixture.Config, server: webserver.Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda _request: webserver.vector(
        *(({"project_id": "a", "id": str(i)}, "NaN") for i in range(7))
    )
    collector = build(conf, server.url, {"vol": {"unit": "GiB", "mutate": "FLOOR"}})
    assert flat(collector.fetch_batch("vol", BATCH)) == []
    assert caplog.text.count("metric 'vol': 7 values that are NaN or infinite left out") == 1


def test_an_answer_too_large_is_asked_for_in_parts(
    conf: cfg_fixture.Config, server: webserver.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudkitty.collector.prometheus.MAX_BYTES", 300)
    server.answer = honest
    collector = build(conf, server.url, {"vol": {"unit": "GiB"}})
    scopes = [f"s{i}" for i in range(40)]
    found = collector.fetch_batch("vol", BatchQuery(scopes, [TEN], HOUR))
    assert sorted(found) == sorted(scopes)


def test_secrets_in_the_url_are_not_told(conf: cfg_fixture.Config) -> None:
    with webserver.serving(lambda _request: Reply(500, "oops")) as server:
        url = server.url.replace("http://", "http://user:hidden@")
        collector = build(conf, url, {"vol": {"unit": "GiB"}})
        with pytest.raises(CollectError) as caught:
            collector.fetch_batch("vol", BATCH)
        assert "hidden" not in str(caught.value)
