# SPDX-License-Identifier: Apache-2.0
"""``metrics.yml`` with a real Gnocchi: quantities computed by hand, and ``collect check``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudkitty import timeutils
from cloudkitty.cli import collect_check
from cloudkitty.cli.collect_check import Level
from cloudkitty.collector import metrics
from cloudkitty.collector.base import get_collector
from cloudkitty.tests import gnocchi
from cloudkitty.tests.ready_made.helpers import ETC, GIB, HOUR, TEN, Usage

pytestmark = pytest.mark.service

FILE = str(ETC / "metrics.yml")


@pytest.fixture(scope="module")
def source() -> Iterator[tuple[gnocchi.Server, str]]:
    """A Gnocchi where a project has one of each, of which nothing changes."""
    with gnocchi.server() as server:
        project = server.project("shop")
        common = {"started": TEN - HOUR, "user": "eve"}
        for kind, attributes, measured in [
            ("instance", {"flavor_name": "m1.large", "flavor_id": "4", "vcpus": "4"}, ("cpu", 7)),
            ("image", {"container_format": "bare", "disk_format": "raw"}, ("image.size", GIB)),
            ("volume", {"volume_type": "ssd"}, ("volume.size", 20)),
            ("network", {"state": "ACTIVE"}, ("ip.floating", 1)),
            ("ceph_account", {}, ("radosgw.objects.size", 5 * GIB)),
        ]:
            name, value = measured
            series = {name: gnocchi.constant(value, TEN - HOUR, TEN + 2 * HOUR)}
            server.resource(kind, project, attributes=attributes, metrics=series, **common)
        # Bytes per second.
        rates = {
            f"network.{way}.bytes.rate": gnocchi.constant(rate, TEN - HOUR, TEN + 2 * HOUR)
            for way, rate in [("outgoing", 1000), ("incoming", 50_000)]
        }
        server.resource(
            "instance_network_interface",
            project,
            attributes={"instance_id": "uuid-web"},
            metrics=rates,
            **common,
        )
        server.write()
        yield server, project


@pytest.fixture
def project(conf, source) -> str:
    server, project = source
    conf.config(collector="gnocchi", metrics_conf=FILE, group="collect")
    conf.config(
        gnocchi_auth_type="basic",
        gnocchi_user="admin",
        gnocchi_endpoint=server.url,
        group="collector_gnocchi",
    )
    conf.config(backend="source", group="fetcher")
    conf.config(sources=[project], group="fetcher_source")
    return project


def test_quantities(conf, project):
    found = Usage(get_collector(conf.conf, metrics.load(FILE)), project)

    assert found.of("instance", "flavor_name", "vcpus") == {("m1.large", "4"): "1 instance"}
    assert found.of("image.size", "disk_format") == {("raw",): "1024 MiB"}
    assert found.of("volume.size", "volume_type") == {("ssd",): "20 GiB"}
    # 3600 s of 1000 and of 50,000 bytes.
    assert found.of("network.outgoing.bytes.rate", "instance_id") == {("uuid-web",): "3.6 MB"}
    assert found.of("network.incoming.bytes.rate", "instance_id") == {("uuid-web",): "180 MB"}
    assert found.of("ip.floating", "state") == {("ACTIVE",): "1 ip"}
    assert found.of("radosgw.objects.size", "project_id") == {(project,): "5 GiB"}


def test_check(conf, project, source):
    now = timeutils.from_epoch(TEN + HOUR + 600)
    report = collect_check.check(conf.conf, None, None, now)

    assert [(one.name, one.points, one.findings) for one in report.metrics] == [
        (name, 1, [])
        for name in (
            "instance",
            "image.size",
            "volume.size",
            "network.outgoing.bytes.rate",
            "network.incoming.bytes.rate",
            "ip.floating",
            "radosgw.objects.size",
        )
    ]
    assert (report.level, report.findings, report.scope) == (Level.FINE, [], project)
    assert "/v1/aggregates" in report.metrics[0].request

    nobody = collect_check.check(conf.conf, "nobody", timeutils.from_epoch(TEN), now)
    assert nobody.level == Level.WARNING
    assert nobody.metrics[0].findings[0].text == f"no points in this scope; {project} has some"

    early = collect_check.check(conf.conf, project, timeutils.from_epoch(TEN - 9 * HOUR), now)
    assert (
        early.metrics[0]
        .findings[0]
        .text.startswith(
            "no points: there are resources of type instance with the metric cpu, but no"
        )
    )
