# SPDX-License-Identifier: Apache-2.0
"""How the Gnocchi collector asks for many scopes and periods (``gnocchi_query`` says why)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.collector import BatchFailure
from cloudkitty.collector.base import BatchQuery
from cloudkitty.collector.gnocchi_resources import Once
from cloudkitty.gnocchi.errors import GnocchiError
from cloudkitty.tests import webserver
from cloudkitty.tests.collector.gnocchi_helpers import (
    build,
    gnocchi_answers,
    group,
    no_metric,
    query,
    refusal,
    scopes_of,
)
from cloudkitty.tests.collector.helpers import HOUR, TEN, flat
from cloudkitty.tests.webserver import Reply, Request

BEGINS = [TEN + number * HOUR for number in range(3)]
SCOPES = ["a", "b", "c", "d"]
TEXTS = [timeutils.from_epoch(begin).strftime("%H") for begin in [*BEGINS, BEGINS[-1] + HOUR]]


@pytest.fixture
def server() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: Reply(body=[])) as running:
        yield running


def hours(request: Request) -> list[int]:
    """Give the periods that a question covers, by number."""
    start, stop = (int(query(request)[name][0][11:13]) for name in ("start", "stop"))
    return list(range(start - 10, stop - 10))


def one_each(request: Request) -> Any:
    """Every scope but d has one resource; its value in an hour is that hour's number."""
    found = [
        group(
            *map(float, hours(request)),
            step=HOUR,
            begin=BEGINS[hours(request)[0]],
            id=scope,
            project_id=scope,
            host="h",
        )
        for scope in scopes_of(request)
        if scope != "d"
    ]
    return found or no_metric()


def questions(server: webserver.Server) -> list[tuple[str, list[int]]]:
    """Give scopes and periods of the questions for aggregates so far."""
    asked = [one for one in server.requests if one.path.endswith("aggregates")]
    return [("".join(scopes_of(one)), hours(one)) for one in asked]


def ask(
    conf: cfg_fixture.Config, server: webserver.Server, resources: Any = (), **definition: Any
) -> Any:
    server.answer = gnocchi_answers(one_each, resources if callable(resources) else lambda _r: [])
    collector = build(conf, server.url, {"cpu": definition})
    return collector.fetch_batch("cpu", BatchQuery(SCOPES, BEGINS, HOUR))


EXPECTED = [
    (scope, begin, [("host", "h"), ("id", scope), ("project_id", scope)], [], f"{number}.0")
    for scope in "abc"
    for number, begin in enumerate(BEGINS)
]


def test_one_question_when_nothing_has_changed(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    found = ask(conf, server)
    assert flat(found) == EXPECTED
    assert [len(series) for series in found.values()] == [1, 1, 1]
    changes, aggregates = server.requests
    assert questions(server) == [("abcd", [0, 1, 2])]
    assert json.loads(aggregates.body)["search"]["and"][1] == {"in": {"project_id": SCOPES}}
    assert query(changes)["history"] == ["True"]
    assert json.loads(changes.body) == {
        "and": [
            {"in": {"project_id": SCOPES}},
            {">": {"revision_start": "2024-03-05T10:00:00+00:00"}},
            {"<": {"revision_start": "2024-03-05T13:00:00+00:00"}},
        ]
    }


def changed(*owned: tuple[str, str]) -> Any:
    """Give what answers searches: (name of a resource, scope) that have changed."""

    def answer(request: Request) -> list[dict[str, str]]:
        body = request.body.decode()
        begun = [one for one in owned if one[1] != "a"] if '">"' in body else owned
        return [{"original_resource_id": name, "project_id": scope} for name, scope in begun]

    return answer


def test_scopes_that_change_are_asked_for_period_by_period(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    assert flat(ask(conf, server, changed(("r1", "b"), ("r2", "c")))) == EXPECTED
    assert questions(server) == [("ad", [0, 1, 2]), ("bc", [0]), ("bc", [1]), ("bc", [2])]


def test_scopes_that_share_a_resource_are_asked_for_one_by_one(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    """A resource of scope a is given to b: a does not change, but has it too."""
    assert flat(ask(conf, server, changed(("r1", "a"), ("r1", "b"), ("r2", "c")))) == EXPECTED
    assert questions(server) == [
        ("d", [0, 1, 2]),
        *((scopes, [hour]) for hour in range(3) for scopes in ("c", "a", "b")),
    ]


@pytest.mark.parametrize(
    ("definition", "asked"),
    [
        ({"extra_args": {"force_granularity": 0}}, ["abcd"]),
        ({"extra_args": {"force_granularity": 7200}}, ["abcd"]),
        ({"extra_args": {"resource_key": "host"}}, ["abcd"]),
        ({"metadata": ["name"], "extra_args": {"resource_key": "host"}}, ["abcd"]),
        ({"extra_args": {"custom_query": "(aggregate mean (metric cpu mean))"}}, SCOPES),
    ],
)
def test_where_several_periods_are_not_exact(
    conf: cfg_fixture.Config, server: webserver.Server, definition: dict[str, Any], asked: list[str]
) -> None:
    ask(conf, server, **definition)
    assert sorted(questions(server)) == sorted((s, [hour]) for s in asked for hour in range(3))


def test_a_rate_begins_before_the_period(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = gnocchi_answers(lambda _request: [])
    extra = {"re_aggregation_method": "rate:max", "force_granularity": 300}
    collector = build(conf, server.url, {"cpu": {"extra_args": extra}})
    collector.fetch_batch("cpu", BatchQuery(SCOPES, BEGINS[:1], HOUR))
    changes, aggregates = server.requests
    assert query(aggregates)["start"] == ["2024-03-05T09:55:00+00:00"]
    assert json.loads(changes.body)["and"][1] == {
        ">": {"revision_start": "2024-03-05T09:55:00+00:00"}
    }


def test_periods_that_begin_within_a_slot(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = gnocchi_answers(lambda _request: [])
    collector = build(conf, server.url, {"cpu": {}}, period=HOUR)
    begins = [begin + 1800 for begin in BEGINS]
    collector.fetch_batch("cpu", BatchQuery(SCOPES, begins, HOUR))
    assert [query(one)["start"][0][11:16] for one in server.requests if "agg" in one.path] == [
        "10:30",
        "11:30",
        "12:30",
    ]


def test_one_scope_and_period_needs_no_search(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = gnocchi_answers(one_each)
    collector = build(conf, server.url, {"cpu": {}})
    collector.fetch_batch("cpu", BatchQuery(["a"], BEGINS[:1], HOUR))
    assert questions(server) == [("a", [0])]
    assert len(server.requests) == 1


def test_metadata_of_many_scopes(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    """One search; each scope sees its own resources, and each period those of its time."""
    ended = {"a": "2024-03-05T10:00:00+00:00", "b": None}

    def resources(request: Request) -> list[dict[str, Any]]:
        if "history" in query(request):
            return []
        assert query(request)["attrs"] == ["ended_at", "id", "name", "project_id", "started_at"]
        return [
            {
                "id": scope,
                "project_id": scope,
                "name": f"of {scope}",
                "ended_at": ended[scope],
                "started_at": "2024-03-01T00:00:00+00:00",
            }
            for scope in "ab"
        ] + [{"id": "c", "project_id": "d"}]

    found = ask(conf, server, resources, metadata=["name"])

    points = [(scope, begin, metadata) for scope, begin, _, metadata, _ in flat(found)]
    assert points == [
        *(("a", begin, [("name", "of a")]) for begin in BEGINS[:2]),
        *(("b", begin, [("name", "of b")]) for begin in BEGINS),
    ]


def test_metrics_of_a_type_share_what_has_changed(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = gnocchi_answers(lambda _request: [])
    collector = build(conf, server.url, {"cpu": {}, "memory": {}})
    for key in ("cpu", "memory"):
        collector.fetch_batch(key, BatchQuery(SCOPES, BEGINS, HOUR))
    assert len(server.requests) == 3


def test_a_scope_at_fault_does_not_block_others(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    cause = {"cause": "Metrics cannot be aggregated", "reason": "Granularities are missing"}

    def groups(request: Request) -> Any:
        return refusal(400, cause) if "b" in scopes_of(request) else one_each(request)

    server.answer = gnocchi_answers(groups)
    collector = build(conf, server.url, {"cpu": {}})
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("cpu", BatchQuery(SCOPES, BEGINS, HOUR))

    assert flat(caught.value.series) == [one for one in EXPECTED if one[0] != "b"]
    assert list(caught.value.failed) == ["b"]
    assert caught.value.failed["b"].startswith("metric 'cpu': http://127.0.0.1:")
    assert caught.value.failed["b"].endswith(
        "HTTP 400: Metrics cannot be aggregated: Granularities are missing "
        "(see extra_args.force_granularity)"
    )
    # The next batch begins with what could be answered, and asks for more after that.
    server.answer, before = gnocchi_answers(one_each), len(questions(server))
    assert flat(collector.fetch_batch("cpu", BatchQuery(SCOPES, BEGINS, HOUR))) == EXPECTED
    assert flat(collector.fetch_batch("cpu", BatchQuery(SCOPES, BEGINS, HOUR))) == EXPECTED
    assert [len(scopes) for scopes, _ in questions(server)[before:]] == [2, 2, 4]


@pytest.mark.parametrize("strange", ["e", None])
def test_a_scope_that_was_not_asked_for_is_refused(
    conf: cfg_fixture.Config, server: webserver.Server, strange: Any
) -> None:
    """But in the answer for one scope everything is that scope's."""

    def groups(request: Request) -> Any:
        return [group(1.0, project_id=strange if one == "b" else one) for one in scopes_of(request)]

    server.answer = gnocchi_answers(groups)
    collector = build(conf, server.url, {"cpu": {}})
    found = collector.fetch_batch("cpu", BatchQuery(SCOPES, BEGINS[:1], HOUR))
    assert {scope: len(series) for scope, series in found.items()} == dict.fromkeys(SCOPES, 1)
    assert found["b"][0].groupby["project_id"] == strange


def test_what_is_being_found_out_is_waited_for_and_failures_are_not_kept() -> None:
    once, asked, go = Once(), [], threading.Event()

    def find() -> int:
        asked.append(1)
        go.wait(10)
        if len(asked) == 1:
            raise GnocchiError("no")
        return len(asked)

    with ThreadPoolExecutor(4) as pool:
        some = [pool.submit(once.get, "key", find) for _ in range(4)]
        go.set()
        failed = [one.exception() for one in some]
    # Whoever came after the failure has asked anew.
    assert isinstance(failed[0], GnocchiError)
    assert once.get("key", find) == len(asked)
    before = len(asked)
    assert once.get("key", find) == before == len(asked)
