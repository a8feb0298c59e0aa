# SPDX-License-Identifier: Apache-2.0
"""``metrics_libvirt_exporter.yml``: quantities computed by hand."""

from __future__ import annotations

import pytest

from cloudkitty.tests.prometheus import Family
from cloudkitty.tests.ready_made.helpers import GIB, Usage, collector, growing, steady

pytestmark = pytest.mark.service

FILE = "metrics_libvirt_exporter.yml"
SHOP, LAB = "5bc4e6a90d1f4b5a9c7d000000000001", "5bc4e6a90d1f4b5a9c7d000000000002"
#: Domain -> whose, name, flavor.
DOMAINS = {
    "instance-00000001": (SHOP, "shop", "web", "m1.large"),
    "instance-00000002": (SHOP, "shop", "db", "m1.medium"),
    "instance-00000003": (LAB, "lab", "try", "m1.small"),
}
WEB, DB, TRY = DOMAINS
#: Domain and host -> when it was there: one of them is moved at 10:30.
PLACES = {
    (WEB, "host1"): (-30, 90),
    (DB, "host1"): (-30, 30),
    (DB, "host2"): (30, 90),
    (TRY, "host2"): (-30, 90),
}


def _target(domain: str, host: str, **labels: str) -> dict[str, str]:
    return {"domain": domain, "instance": f"{host}:9177", "job": "libvirt", **labels}


def _gauge(name: str, values: dict[str, int]) -> Family:
    return Family(
        name,
        [(_target(*place), steady(values[place[0]], *when)) for place, when in PLACES.items()],
    )


def _counter(name: str, per_minute: dict[str, float], **labels: str) -> Family:
    return Family(
        name,
        [
            (_target(*place, **labels), _growing(per_minute[place[0]], when))
            for place, when in PLACES.items()
        ],
        "counter",
    )


def _growing(per_minute: float, when: tuple[int, int]) -> list[tuple[float, object]]:
    """On its new host a domain begins anew, at full time: half a minute before the first scrape."""
    start = 10**9 if when[0] < 0 else -per_minute / 2
    return growing(per_minute, *when, start=start)


def history() -> list[Family]:
    owners = [
        (
            _target(
                *place,
                flavor_name=DOMAINS[place[0]][3],
                instance_id=f"uuid-{DOMAINS[place[0]][2]}",
                instance_name=DOMAINS[place[0]][2],
                project_id=DOMAINS[place[0]][0],
                project_name=DOMAINS[place[0]][1],
                user_id="uuid-user",
                user_name="eve",
            ),
            steady(1, *when),
        )
        for place, when in PLACES.items()
    ]
    cpu = {WEB: 30.0, DB: 60.0, TRY: 6.0}
    megabytes = {WEB: 1_000_000.0, DB: 500_000.0, TRY: 0.0}
    requests = {WEB: 1200.0, DB: 600.0, TRY: 0.0}
    block = "libvirt_domain_block_stats"
    net = "libvirt_domain_interface_stats"
    disk = {"source_file": "vms/disk", "target_device": "vda"}
    tap = {"source_bridge": "qbr1", "target_device": "tap1"}
    return [
        Family("libvirt_domain_openstack_info", owners),
        _gauge("libvirt_domain_info_virtual_cpus", {WEB: 4, DB: 2, TRY: 1}),
        _gauge(
            "libvirt_domain_info_maximum_memory_bytes", {WEB: 8 * GIB, DB: 4 * GIB, TRY: GIB // 2}
        ),
        _counter("libvirt_domain_info_cpu_time_seconds_total", cpu),
        _counter(f"{block}_read_bytes_total", megabytes, **disk),
        _counter(f"{block}_write_bytes_total", megabytes, **disk),
        _counter(f"{block}_read_requests_total", requests, **disk),
        _counter(f"{block}_write_requests_total", requests, **disk),
        _counter(f"{net}_receive_bytes_total", megabytes, **tap),
        _counter(f"{net}_transmit_bytes_total", megabytes, **tap),
    ]


@pytest.fixture
def usage(conf, ready_made_url):
    source = collector(conf, ready_made_url, FILE, "project_id")
    return lambda scope: Usage(source, scope)


def test_what_domains_have(usage):
    found = usage(SHOP)

    assert found.of("vcpu", "instance_name", "flavor_name") == {
        ("web", "m1.large"): "4 vcpu",
        # On two hosts in this hour, but one.
        ("db", "m1.medium"): "2 vcpu",
    }
    assert found.of("memory", "instance_id") == {("uuid-web",): "8 GiB", ("uuid-db",): "4 GiB"}
    assert usage(LAB).of("memory", "instance_name") == {("try",): "0.5 GiB"}


def test_what_domains_do(usage):
    found = usage(SHOP)

    # 30 s of every minute; 60 s of every minute, half an hour on each host.
    assert found.of("cpu.used", "instance_name", "project_name") == {
        ("web", "shop"): "0.5 core",
        ("db", "shop"): "1 core",
    }
    # 60 minutes of 1 MB and of half.
    for name in ("disk.read", "disk.written"):
        assert found.of(name, "instance_name", "target_device") == {
            ("web", "vda"): "0.06 GB",
            ("db", "vda"): "0.03 GB",
        }
    for name in ("network.incoming", "network.outgoing"):
        assert found.of(name, "instance_name") == {("web",): "0.06 GB", ("db",): "0.03 GB"}
    # 60 minutes of 1200 and of 600.
    for name in ("disk.reads", "disk.writes"):
        assert found.of(name, "instance_name") == {("web",): "0.072 M", ("db",): "0.036 M"}
    assert usage(LAB).of("cpu.used", "instance_name", "user_id") == {
        ("try", "uuid-user"): "0.1 core"
    }
