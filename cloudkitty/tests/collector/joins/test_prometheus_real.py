# SPDX-License-Identifier: Apache-2.0
"""Joins against a real Prometheus: a libvirt exporter's history, and one of kube-state-metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.collector import CollectError
from cloudkitty.collector.base import BaseCollector, BatchQuery, get_collector
from cloudkitty.tests import prometheus
from cloudkitty.tests.collector.helpers import HOUR, TEN, build, flat

pytestmark = pytest.mark.service

HOURS = 5
BEGINS = [TEN + i * HOUR for i in range(HOURS)]
SCOPES = ["alpha", "beta", "gam|ma", "idle"]
Samples = list[tuple[float, object]]


def during(begin: float, end: float, value: object = 1, step: int = 60) -> Samples:
    """Samples every minute from `begin` hours until before `end` hours."""
    return [(TEN + t, value) for t in range(int(begin * HOUR) + 30, int(end * HOUR), step)]


def info(domain: str, project: str, flavor: str, begin: float, end: float) -> Any:
    labels = {"domain": domain, "flavor_name": flavor, "instance_name": f"vm-{domain}"}
    # A label without a value is none.
    return ({**labels, **({"project_id": project} if project else {})}, during(begin, end))


INFO = [
    info("d1", "alpha", "small", 0, HOURS),
    # Resized twice in the second hour: big, the least of the names, for most of it.
    info("d2", "alpha", "small", 0, 1.1),
    info("d2", "alpha", "tiny", 1.1, 1.3),
    info("d2", "alpha", "big", 1.3, HOURS),
    # Transferred in the third hour, the greater part of which is beta's.
    info("d3", "gam|ma", "small", 0, 2.4),
    info("d3", "beta", "small", 2.4, HOURS),
    # Two projects for the same time: the greater name's.
    info("d4", "alpha", "small", 0, 2),
    info("d4", "beta", "small", 0, 2),
    # Nobody's, then beta's, for two minutes.
    info("d5", "", "small", 0, 2),
    info("d5", "beta", "short", 3.5, 3.53),
]
USAGE = [
    *(
        ({"domain": f"d{n}", "target": t}, during(0, HOURS, n * 10))
        for n in range(1, 6)
        for t in "ab"
    ),
    ({"domain": "unknown", "target": "a"}, during(0, HOURS, 99)),
]
POD = ["shop", "pod"]
KUBE = [
    prometheus.Family(
        "container_memory_bytes",
        [
            ({"namespace": "shop", "pod": f"web-{n}", "container": c}, during(0, 2, n + 1))
            for n in range(3)
            for c in ("app", "proxy")
        ]
        + [({"namespace": "shop", "container": "none"}, during(0, 2, 7))],
    ),
    prometheus.Family(
        "kube_pod_labels",
        [
            ({"namespace": "shop", "pod": "web-0", "label_app": "web"}, during(0, 2)),
            # A new version of the pod's labels in the second hour.
            ({"namespace": "shop", "pod": "web-1", "label_app": "v1"}, during(0, 1)),
            ({"namespace": "shop", "pod": "web-1", "label_app": "v2"}, during(1, 2)),
            ({"namespace": "other", "pod": "web-2", "label_app": "wrong"}, during(0, 2)),
        ],
    ),
    prometheus.Family(
        "kube_namespace_labels",
        [({"namespace": "shop", "label_cost_center": "4711"}, during(0, 2))],
    ),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    text = prometheus.openmetrics(
        [
            prometheus.Family("libvirt_domain_openstack_info", INFO),
            prometheus.Family("libvirt_vcpus", USAGE),
            *KUBE,
        ]
    )
    with prometheus.running(text, tmp_path_factory.mktemp("prometheus")) as running:
        yield running


LIBVIRT: dict[str, Any] = {
    "unit": "vcpu",
    "groupby": ["domain"],
    "joins": [
        {
            "source": "prometheus",
            "metric": "libvirt_domain_openstack_info",
            "on": ["domain"],
            "groupby": {"project_id": "project_id"},
            "metadata": {"flavor": "flavor_name", "name": "instance_name"},
        }
    ],
}


def libvirt(**changes: Any) -> dict[str, Any]:
    return {"libvirt_vcpus": {**LIBVIRT, **changes}}


def rated(found: Mapping[str, Any]) -> set[tuple[Any, ...]]:
    """(scope, domain, hour, flavor) of every point."""
    return {
        (scope, dict(groupby)["domain"], (begin - TEN) // HOUR, dict(metadata)["flavor"])
        for scope, begin, groupby, metadata, _qty in flat(dict(found))
    }


def test_usage_is_its_project_s_at_that_time(conf: cfg_fixture.Config, url: str) -> None:
    collector = build(conf, url, libvirt())
    found = collector.fetch_batch("libvirt_vcpus", BatchQuery(SCOPES, BEGINS, HOUR))
    assert rated(found) == {
        *(("alpha", "d1", hour, "small") for hour in range(5)),
        ("alpha", "d2", 0, "small"),
        *(("alpha", "d2", hour, "big") for hour in range(1, 5)),
        *(("gam|ma", "d3", hour, "small") for hour in range(2)),
        *(("beta", "d3", hour, "small") for hour in range(2, 5)),
        *(("beta", "d4", hour, "small") for hour in range(2)),
        ("beta", "d5", 3, "short"),
    }
    assert all(
        series.groupby["project_id"] == scope for scope, some in found.items() for series in some
    )
    assert len(flat(found)) == 18


def test_through_aetos(conf: cfg_fixture.Config, url: str) -> None:
    query = BatchQuery(SCOPES, BEGINS, HOUR)
    expected = flat(build(conf, url, libvirt()).fetch_batch("libvirt_vcpus", query))
    conf.config(collector="aetos", group="collect")
    endpoint = url.removesuffix("/api/v1")
    conf.load_raw_values(group="collector_aetos", auth_type="none", endpoint=endpoint)
    join = {**LIBVIRT["joins"][0], "source": "aetos"}
    collector = get_collector(conf.conf, {"metrics": libvirt(joins=[join])})
    assert flat(collector.fetch_batch("libvirt_vcpus", query)) == expected


def test_why_there_is_nothing(conf: cfg_fixture.Config, url: str) -> None:
    collector = build(conf, url, libvirt())
    period = timeutils.from_epoch(TEN + 3 * HOUR), timeutils.from_epoch(TEN + 4 * HOUR)
    join = "join with prometheus 'libvirt_domain_openstack_info'"
    assert collector.explain_absence("libvirt_vcpus", *period, "idle") == (
        f"{join}: nothing there has project_id idle"
    )
    assert "libvirt_vcpus" in collector.explain_absence("libvirt_vcpus", *period, "alpha")
    asked = collector.explain_request("libvirt_vcpus", *period, "alpha")
    assert 'libvirt_vcpus{domain="<domain of alpha>"}[3600s]' in asked
    assert asked.endswith(f", for each domain that the {join} has for alpha")


def test_one_by_one_sends_the_same(conf: cfg_fixture.Config, url: str) -> None:
    collector = build(conf, url, libvirt())
    query = BatchQuery(SCOPES, BEGINS, HOUR)
    whole = flat(collector.fetch_batch("libvirt_vcpus", query))
    again = build(conf, url, libvirt())
    assert flat(BaseCollector.fetch_batch(again, "libvirt_vcpus", query)) == whole


def test_the_classic_form_gives_points(conf: cfg_fixture.Config, url: str) -> None:
    collector = build(conf, url, libvirt())
    start, end = timeutils.from_epoch(TEN), timeutils.from_epoch(TEN + HOUR)
    name, points = collector.retrieve("libvirt_vcpus", start, end, "gam|ma")
    assert name == "libvirt_vcpus"
    assert [str(point.qty) for point in points] == ["30"]
    assert points[0].groupby["project_id"] == "gam|ma"
    assert points[0].groupby["day_of_the_year"] == "65"
    assert points[0].metadata == {"flavor": "small", "name": "vm-d3"}


@pytest.mark.parametrize(
    "changes",
    [
        {"groupby": ["domain", "target"]},
        {"groupby": [], "metadata": ["target"]},
        {"extra_args": {"query_suffix": "> 15"}},
    ],
    ids=["labels", "implicit", "suffix"],
)
def test_other_definitions_too(conf: cfg_fixture.Config, url: str, changes: dict[str, Any]) -> None:
    collector = build(conf, url, libvirt(**changes))
    query = BatchQuery(SCOPES, BEGINS[:3], HOUR)
    found = flat(collector.fetch_batch("libvirt_vcpus", query))
    assert found
    assert found == flat(BaseCollector.fetch_batch(collector, "libvirt_vcpus", query))


@given(
    scopes=st.lists(st.sampled_from(SCOPES), min_size=1, unique=True),
    first=st.integers(0, HOURS - 1),
    count=st.integers(1, HOURS),
)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_asked_together_does_not_matter(
    conf: cfg_fixture.Config, url: str, scopes: list[str], first: int, count: int
) -> None:
    collector = build(conf, url, libvirt())
    everything = flat(collector.fetch_batch("libvirt_vcpus", BatchQuery(SCOPES, BEGINS, HOUR)))
    begins = BEGINS[first : first + count]
    part = flat(
        build(conf, url, libvirt()).fetch_batch("libvirt_vcpus", BatchQuery(scopes, begins, HOUR))
    )
    assert part == [p for p in everything if p[0] in scopes and p[1] in begins]


def kube(*joins: dict[str, Any]) -> dict[str, Any]:
    return {
        "container_memory_bytes": {
            "unit": "B",
            "groupby": ["pod", "container"],
            "joins": list(joins),
        }
    }


def test_labels_of_pods_and_namespaces(conf: cfg_fixture.Config, url: str) -> None:
    pods = {
        "source": "prometheus",
        "metric": "kube_pod_labels",
        "on": ["namespace", "pod"],
        "groupby": {"app": "label_app"},
        "missing": "unlabelled",
    }
    namespaces = {
        "source": "prometheus",
        "metric": "kube_namespace_labels",
        "on": ["namespace"],
        "metadata": {"cost_center": "label_cost_center", "team": "label_team"},
    }
    collector = build(conf, url, kube(pods, namespaces), scope_key="namespace")
    query = BatchQuery(["shop", "empty"], BEGINS[:3], HOUR)
    found = collector.fetch_batch("container_memory_bytes", query)
    assert flat(found) == flat(
        BaseCollector.fetch_batch(collector, "container_memory_bytes", query)
    )
    apps = {
        (dict(groupby)["pod"], (begin - TEN) // HOUR): dict(groupby)["app"]
        for _scope, begin, groupby, _metadata, _qty in flat(found)
    }
    assert apps == {
        **{("web-0", hour): "web" for hour in range(2)},
        ("web-1", 0): "v1",
        ("web-1", 1): "v2",
        **{("web-2", hour): "unlabelled" for hour in range(2)},
        **{("", hour): "unlabelled" for hour in range(2)},
    }
    assert len(flat(found)) == 14
    assert {dict(point[3])["cost_center"] for point in flat(found)} == {"4711"}
    assert {dict(point[3])["team"] for point in flat(found)} == {""}


def test_a_metric_that_cannot_be_asked_for(conf: cfg_fixture.Config, url: str) -> None:
    collector = build(conf, f"{url}/nowhere", libvirt())
    reason = r"metric 'libvirt_vcpus': join with prometheus 'libvirt_domain_openstack_info'.*404"
    with pytest.raises(CollectError, match=reason):
        collector.fetch_batch("libvirt_vcpus", BatchQuery(SCOPES, BEGINS, HOUR))
