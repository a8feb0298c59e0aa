# SPDX-License-Identifier: Apache-2.0
"""What is asked of Prometheus for a join, and what is not asked again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty.collector.base import BatchFailure, BatchQuery
from cloudkitty.collector.joins import prometheus as joins
from cloudkitty.tests import webserver
from cloudkitty.tests.collector.helpers import HOUR, TEN, build, flat

OWNER = {
    "source": "prometheus",
    "metric": "info",
    "on": ["domain"],
    "groupby": ["project_id"],
    "metadata": {"flavor": "flavor_name"},
}
METRICS = {name: {"unit": "u", "joins": [OWNER]} for name in ("cpu", "ram")}
COUNT = "sum(count_over_time(info{{{}}}[3600s])) by (domain, flavor_name, project_id)"
BY_SCOPE = COUNT.format('project_id=~"pa|pb"')
BY_DOMAIN = COUNT.format('domain=~"d1|d2|d3"')
BATCH = BatchQuery(["pa", "pb"], [TEN], HOUR)


def labels(domain: str, project: str, flavor: str) -> dict[str, str]:
    return {"domain": domain, "project_id": project, "flavor_name": flavor}


INFO = [
    (labels("d1", "pa", "s"), "60"),
    (labels("d2", "pb", "s"), "20"),
    (labels("d2", "pb", "l"), "40"),
    (labels("d3", "pb", "s"), "25"),
    # Of a scope that is not asked for, for longer.
    (labels("d3", "pc", "s"), "35"),
]


class Prometheus:
    """Answers by what is asked; `broken` are texts that no question may have together."""

    broken = ("nothing",)

    def __call__(self, request: webserver.Request) -> webserver.Reply:
        query = request.fields["query"]
        if all(text in query for text in self.broken):
            return webserver.error("execution", "too many samples", 422)
        if "info{project_id" in query:
            return webserver.vector(*(one for one in INFO if one[0]["project_id"] in query))
        if "info{domain" in query:
            return webserver.vector(*(one for one in INFO if one[0]["domain"] in query))
        domains = [name for name in ("d1", "d2", "d3") if name in query]
        return webserver.vector(*(({"domain": name}, name[1:]) for name in domains))


@pytest.fixture
def source() -> Prometheus:
    return Prometheus()


@pytest.fixture
def server(source: Prometheus) -> Iterator[webserver.Server]:
    with webserver.serving(source) as running:
        yield running


def asked(server: webserver.Server) -> list[str]:
    return [request.fields["query"] for request in server.requests]


def test_metrics_share_what_is_looked_up(
    conf: cfg_fixture.Config, server: webserver.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = build(conf, server.url, METRICS)
    expected = [
        ("pa", TEN, [("domain", "d1"), ("project_id", "pa")], [("flavor", "s")], "1"),
        ("pb", TEN, [("domain", "d2"), ("project_id", "pb")], [("flavor", "l")], "2"),
    ]
    usage = 'max(max_over_time({}{{domain=~"d1|d2|d3"}}[3600s])) by (domain)'
    assert flat(collector.fetch_batch("cpu", BATCH)) == expected
    assert asked(server) == [BY_SCOPE, BY_DOMAIN, usage.format("cpu")]
    assert {request.fields["time"] for request in server.requests} == {str(TEN + HOUR)}
    assert flat(collector.fetch_batch("ram", BATCH)) == expected
    assert asked(server)[3:] == [usage.format("ram")]
    # Fewer scopes of the same periods: all is known.
    collector.fetch_batch("ram", BatchQuery(["pb"], [TEN], HOUR))
    assert len(server.requests) == 5
    # Others, other periods, or later: it is asked again.
    collector.fetch_batch("ram", BatchQuery(["pb", "pc"], [TEN], HOUR))
    assert asked(server)[5] == COUNT.format('project_id="pc"')
    collector.fetch_batch("ram", BatchQuery(["pa"], [TEN - HOUR], HOUR))
    assert asked(server)[-3] == COUNT.format('project_id="pa"')
    monkeypatch.setattr(joins, "_KEEP", -1)
    collector.fetch_batch("ram", BATCH)
    assert asked(server)[-3:] == [BY_SCOPE, BY_DOMAIN, usage.format("ram")]


@pytest.mark.parametrize(
    "broken", [("info{project_id", "pb"), ("info{domain", "d2"), ("cpu{domain", "d2")]
)
def test_a_scope_that_prometheus_chokes_on_fails_alone(
    conf: cfg_fixture.Config,
    source: Prometheus,
    server: webserver.Server,
    broken: tuple[str, ...],
) -> None:
    source.broken = broken
    collector = build(conf, server.url, METRICS)
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("cpu", BATCH)
    assert list(caught.value.failed) == ["pb"]
    assert "too many samples" in caught.value.failed["pb"]
    assert caught.value.failed["pb"].startswith("metric 'cpu': ")
    assert list(caught.value.series) == ["pa"]
    # It is better the next time.
    source.broken = ("nothing",)
    assert list(collector.fetch_batch("cpu", BATCH)) == ["pa", "pb"]


def test_labels_are_asked_for_by_what_the_usage_has(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    join: dict[str, Any] = {**OWNER, "groupby": [], "missing": "?"}
    collector = build(conf, server.url, {"cpu": {"unit": "u", "joins": [join]}})
    usage = [
        ({"project_id": "pa", "domain": "d1"}, "1"),
        ({"project_id": "pb", "domain": "d9"}, "2"),
        ({"project_id": "pb"}, "3"),
    ]
    info = [({"domain": "d1", "flavor_name": "s"}, "60")]

    def answer(request: webserver.Request) -> webserver.Reply:
        return webserver.vector(*(info if "info" in request.fields["query"] else usage))

    server.answer = answer
    found = flat(collector.fetch_batch("cpu", BATCH))
    assert [(dict(point[2])["domain"], dict(point[3])["flavor"]) for point in found] == [
        ("d1", "s"),
        ("", "?"),
        ("d9", "?"),
    ]
    assert asked(server)[1:] == [
        'sum(count_over_time(info{domain=~"d1|d9"}[3600s])) by (domain, flavor_name)'
    ]
