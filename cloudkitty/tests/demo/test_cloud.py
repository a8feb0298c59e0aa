# SPDX-License-Identifier: Apache-2.0
"""The demo cloud: the same every time, and its past does not change."""

from __future__ import annotations

from cloudkitty.demo.cloud import DAY, PROJECTS, Cloud

START = 1_790_812_800  # 2026-10-01
NOW = START + 40 * DAY + 12345


def test_it_follows_from_the_seed() -> None:
    first = Cloud("kitty", START).series(NOW)

    assert first == Cloud("kitty", START).series(NOW)
    assert first != Cloud("puss", START).series(NOW)


def test_every_project_has_something_of_most_kinds() -> None:
    cloud = Cloud("kitty", START).series(NOW)

    for metric in (
        "openstack_identity_project_info",
        "openstack_nova_server_status",
        "openstack_cinder_volume_gb",
        "openstack_glance_image_bytes",
        "openstack_object_store_bytes",
    ):
        assert {one.labels["project_name"] for one in cloud[metric]} == set(PROJECTS), metric
    assert cloud["openstack_neutron_floating_ip"]


def test_the_past_stays_as_it_was() -> None:
    earlier = Cloud("kitty", START).series(NOW)
    later = Cloud("kitty", START + 31 * DAY).series(NOW + 5 * DAY)

    def values(cloud: dict, metric: str) -> dict:
        return {
            one.labels["id"]: [one.at(at, NOW) for at in range(START + 32 * DAY, NOW, 7200)]
            for one in cloud[metric]
            if one.end > START + 32 * DAY and one.times[0] < NOW
        }

    for metric in ("openstack_nova_server_status", "openstack_cinder_volume_gb"):
        assert values(earlier, metric) == values(later, metric), metric


def test_servers_come_and_go() -> None:
    servers = Cloud("kitty", START).series(NOW)["openstack_nova_server_status"]

    gone = [one for one in servers if one.end < NOW]
    assert len(gone) > 100
    assert all(one.window(one.end, one.end + 3600, NOW) == [] for one in gone)
    assert len({one.labels["id"] for one in servers}) == len(servers)


def test_nothing_is_known_of_the_future() -> None:
    (metric,) = {"openstack_object_store_bytes"}
    series = Cloud("kitty", START).series(NOW)[metric][0]

    assert series.at(NOW + 200, NOW) is not None  # the last sample, looked back at
    assert series.at(NOW + 600, NOW) is None
    assert series.window(NOW + 60, NOW + 3600, NOW) == []
