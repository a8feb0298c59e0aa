# SPDX-License-Identifier: Apache-2.0
"""``metrics_node_exporter.yml``: quantities computed by hand."""

from __future__ import annotations

import pytest

from cloudkitty.tests.prometheus import Family
from cloudkitty.tests.ready_made.helpers import GIB, Usage, collector, growing, steady

pytestmark = pytest.mark.service

FILE = "metrics_node_exporter.yml"
DB = "db1:9100"
#: Seconds of a minute that each of the two cores spends so.
MODES = {
    "idle": 40.0,
    "iowait": 2.0,
    "irq": 0.0,
    "nice": 0.0,
    "softirq": 0.6,
    "steal": 1.4,
    "system": 4.0,
    "user": 12.0,
}


def _node(**labels: str) -> dict[str, str]:
    return {"instance": DB, "job": "node", "tenant": "shop", **labels}


def _bytes(name: str, **per_minute: float) -> Family:
    return Family(
        name,
        [(_node(device=device.replace("_", "-")), growing(n)) for device, n in per_minute.items()],
        "counter",
    )


def history() -> list[Family]:
    disks = {"vda": 5_000_000.0, "dm_0": 5_000_000.0, "zram0": 10.0}
    cards = {"eth0": 3_000_000.0, "lo": 8_000_000.0, "veth12": 3_000_000.0, "docker0": 1.0}
    mounts = [
        ("/dev/vda1", "ext4", "/", 100 * GIB),
        ("/dev/vda1", "ext4", "/var/lib/docker", 100 * GIB),
        ("/dev/vdb", "xfs", "/data", 500 * GIB),
        ("tmpfs", "tmpfs", "/run", GIB),
    ]
    uname = {
        "domainname": "(none)",
        "machine": "x86_64",
        "nodename": "db1",
        "release": "6.1.0",
        "sysname": "Linux",
        "version": "#1 SMP",
    }
    return [
        Family("node_uname_info", [(_node(**uname), steady(1))]),
        Family(
            "node_cpu_seconds_total",
            [
                (_node(cpu=cpu, mode=mode), growing(seconds))
                for cpu in ("0", "1")
                for mode, seconds in MODES.items()
            ],
            "counter",
        ),
        Family("node_memory_MemTotal_bytes", [(_node(), steady(16 * GIB))]),
        Family(
            "node_filesystem_size_bytes",
            [
                (_node(device=device, fstype=kind, mountpoint=where), steady(size))
                for device, kind, where, size in mounts
            ],
        ),
        _bytes("node_disk_read_bytes_total", **disks),
        _bytes("node_disk_written_bytes_total", **disks),
        _bytes("node_network_receive_bytes_total", **cards),
        _bytes("node_network_transmit_bytes_total", **cards),
    ]


@pytest.mark.parametrize(("scope_key", "scope"), [("instance", DB), ("tenant", "shop")])
def test_machines(conf, ready_made_url, scope_key, scope):
    found = Usage(collector(conf, ready_made_url, FILE, scope_key), scope)

    assert found.of("cpu.cores", "instance") == {(DB,): "2 core"}
    # Of two cores: 12 s, 4 s and 0.6 s of every minute.
    assert found.of("cpu.used", "mode") == {
        ("user",): "0.4 core",
        ("system",): f"{round(8 / 60, 9)} core",
        ("softirq",): "0.02 core",
        ("irq",): "0 core",
        ("nice",): "0 core",
    }
    assert found.of("memory", "instance") == {(DB,): "16 GiB"}
    assert found.of("disk.size", "device", "fstype") == {
        ("/dev/vda1", "ext4"): "100 GiB",
        ("/dev/vdb", "xfs"): "500 GiB",
    }
    # 60 minutes of 5 MB and of 3 MB.
    for name in ("disk.read", "disk.written"):
        assert found.of(name, "device") == {("vda",): "0.3 GB"}
    for name in ("network.incoming", "network.outgoing"):
        assert found.of(name, "device") == {("eth0",): "0.18 GB"}
