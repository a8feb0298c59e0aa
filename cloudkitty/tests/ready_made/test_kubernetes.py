# SPDX-License-Identifier: Apache-2.0
"""``metrics_kubernetes.yml``: quantities computed by hand."""

from __future__ import annotations

import pytest

from cloudkitty.tests.prometheus import Family
from cloudkitty.tests.ready_made.helpers import GIB, Usage, collector, growing, steady

pytestmark = pytest.mark.service

FILE = "metrics_kubernetes.yml"
#: Pod -> when it ran; "cron" from 10:10 to 10:20.
RAN = {"web": (-30, 90), "cron": (10, 20)}
MIB = 1 << 20


def _kubelet(pod: str, container: str, **labels: str) -> dict[str, str]:
    """Labels of cAdvisor; without a container it is the sum of the pod."""
    return {
        "container": container,
        "id": f"/kubepods/pod-{pod}/{container}",
        "image": f"registry/{container}:1" if container else "",
        "instance": "10.0.0.1:10250",
        "job": "kubelet",
        "metrics_path": "/metrics/cadvisor",
        "name": "5f3a" if container else "",
        "namespace": "shop",
        "node": "n1",
        "pod": pod,
        **labels,
    }


def _cpu(pod: str, container: str, per_minute: float):
    return _kubelet(pod, container, cpu="total"), growing(per_minute, *RAN[pod])


def _traffic(name: str) -> Family:
    series = [
        (_kubelet("web", "", interface=card), growing(per_minute))
        for card, per_minute in [("eth0", 2_000_000.0), ("eth1", 1_000_000.0)]
    ]
    series.append((_kubelet("agent", "", interface="eth0"), growing(9_000_000.0)))
    return Family(name, series, "counter")


def _state(**labels: str) -> dict[str, str]:
    """Labels of kube-state-metrics, scraped with honor_labels."""
    return {"instance": "10.0.0.9:8080", "job": "kube-state-metrics", "namespace": "shop", **labels}


def _request(pod: str, container: str, resource: str, value: float, *when: int):
    unit = {"cpu": "core", "memory": "byte"}[resource]
    labels = {"container": container, "node": "n1", "pod": pod, "resource": resource, "unit": unit}
    return _state(uid=f"uid-{pod}", **labels), steady(value, *when)


def _pod(pod: str, host_network: str):
    labels = {
        "created_by_kind": "ReplicaSet",
        "created_by_name": pod,
        "host_ip": "10.0.0.1",
        "host_network": host_network,
        "node": "n1",
        "pod_ip": "10.1.0.1",
        "priority_class": "",
        "uid": f"uid-{pod}",
    }
    return _state(pod=pod, **labels), steady(1)


def history() -> list[Family]:
    claim = {"persistentvolumeclaim": "data"}
    return [
        Family("kube_namespace_created", [(_state(), steady(1700000000))]),
        Family(
            "container_cpu_usage_seconds_total",
            [
                _cpu("web", "app", 15.0),
                _cpu("web", "sidecar", 3.0),
                _cpu("web", "", 18.0),
                _cpu("web", "POD", 0.0),
            ],
            "counter",
        ),
        Family(
            "container_memory_working_set_bytes",
            [
                (_kubelet("web", "app"), steady(512 * MIB)),
                (_kubelet("web", "sidecar"), steady(256 * MIB)),
                (_kubelet("web", ""), steady(768 * MIB)),
                (_kubelet("cron", "job"), steady(GIB, *RAN["cron"])),
            ],
        ),
        Family(
            "kube_pod_container_resource_requests",
            [
                _request("web", "app", "cpu", 0.5),
                _request("web", "app", "memory", GIB),
                _request("web", "sidecar", "memory", 256 * MIB),
                # Ended at 10:20, still listed.
                _request("cron", "job", "cpu", 1, 10),
                # Ended yesterday, still listed.
                _request("done", "job", "cpu", 2),
                _request("done", "job", "memory", GIB),
            ],
        ),
        Family("kube_pod_info", [_pod("web", "false"), _pod("agent", "true")]),
        Family(
            "kube_persistentvolumeclaim_resource_requests_storage_bytes",
            [
                (_state(**claim), steady(10 * GIB)),
                # Made at 10:30, ten times as large.
                (_state(persistentvolumeclaim="scratch"), steady(100 * GIB, 30)),
            ],
        ),
        Family(
            "kube_persistentvolumeclaim_info",
            [
                (
                    _state(storageclass=kind, volumename=f"pvc-{name}", persistentvolumeclaim=name),
                    steady(1),
                )
                for name, kind in [("data", "fast"), ("scratch", "slow")]
            ],
        ),
        Family(
            "kube_service_status_load_balancer_ingress",
            [
                (_state(hostname="", ip=ip, service="front", uid="uid-front"), steady(1))
                for ip in ("203.0.113.9", "2001:db8::9")
            ],
        ),
        _traffic("container_network_receive_bytes_total"),
        _traffic("container_network_transmit_bytes_total"),
    ]


@pytest.fixture
def found(conf, ready_made_url):
    return Usage(collector(conf, ready_made_url, FILE, "namespace"), "shop")


def test_what_containers_use(found):
    # 15 and 3 s of every minute.
    assert found.of("cpu.used", "pod", "container") == {
        ("web", "app"): "0.25 core",
        ("web", "sidecar"): "0.05 core",
    }
    assert found.of("memory.used", "pod", "container") == {
        ("web", "app"): "0.5 GiB",
        ("web", "sidecar"): "0.25 GiB",
        # Met by the looks from 10:11 to 10:24: the last sample, of 10:19:30, is seen for five
        # minutes. (Where scrapes go on, the end of a series is noticed by the next one.)
        ("cron", "job"): f"{round(14 / 60, 9)} GiB",
    }


def test_what_is_set_aside(found):
    assert found.of("cpu.requested", "pod", "container") == {
        ("web", "app"): "0.5 core",
        # Listed from 10:11 on; in the next hour it does not count.
        ("cron", "job"): f"{round(50 / 60, 9)} core",
    }
    assert found.of("memory.requested", "pod", "container", "image") == {
        ("web", "app", "registry/app:1"): "1 GiB",
        ("web", "sidecar", "registry/sidecar:1"): "0.25 GiB",
    }


def test_claims_balancers_and_traffic(found):
    assert found.of("volume.size", "persistentvolumeclaim", "storageclass") == {
        ("data", "fast"): "10 GiB",
        # Half of the hour: the looks from 10:31 to 11:00.
        ("scratch", "slow"): "50 GiB",
    }
    assert found.of("load_balancer", "service") == {("front",): "1 lb"}
    for name in ("network.incoming", "network.outgoing"):
        assert found.of(name, "pod") == {("web",): "0.18 GB"}
