# SPDX-License-Identifier: Apache-2.0
"""``metrics_openstack_exporter.yml``: quantities computed by hand."""

from __future__ import annotations

import pytest

from cloudkitty.tests.prometheus import Family
from cloudkitty.tests.ready_made.helpers import GIB, Usage, collector, steady

pytestmark = pytest.mark.service

FILE = "metrics_openstack_exporter.yml"
SHOP, LAB = "4bc4e6a90d1f4b5a9c7d000000000001", "4bc4e6a90d1f4b5a9c7d000000000002"
USER = "32779452fcd34ae1a53a797ac8a1e064"
PROJECTS = {SHOP: "shop", LAB: "lab"}


def _server(
    name: str, status: str, value: int, *when: int, flavor: str = "3", host: str = "h1", of=SHOP
):
    labels = {
        "address_ipv4": "203.0.113.7",
        "address_ipv6": "",
        "availability_zone": "nova",
        "flavor_id": flavor,
        "host_id": host,
        "hypervisor_hostname": host,
        "id": f"uuid-{name}",
        "instance_libvirt": "instance-00000001",
        "name": name,
        "status": status,
        "tenant_id": of,
        "user_id": USER,
        "uuid": f"uuid-{name}",
    }
    return labels, steady(value, *when)


def _volume(name: str, kind: str, size: int, *when: int, status: str = "in-use"):
    labels = {
        "availability_zone": "nova",
        "bootable": "false",
        "id": f"uuid-{name}",
        "name": name,
        "server_id": "uuid-web",
        "status": status,
        "tenant_id": SHOP,
        "user_id": USER,
        "volume_type": kind,
    }
    return labels, steady(size, *when)


def _relabelled(**labels: str) -> dict[str, str]:
    """Labels of Neutron and Octavia, after the relabelling that the file asks for."""
    return {"project_id": SHOP, "tenant_id": SHOP, **labels}


def _address(status: str, *when: int):
    labels = _relabelled(
        floating_ip_address="203.0.113.7",
        floating_network_id="net-1",
        id="uuid-ip",
        router_id="uuid-r",
        status=status,
    )
    return labels, steady(1, *when)


def _balancer(name: str, status: str, value: int):
    labels = _relabelled(
        id=f"uuid-{name}",
        name=name,
        operating_status=status,
        provider="amphora",
        provisioning_status="ACTIVE",
        vip_address="203.0.113.50",
    )
    return labels, steady(value)


def history() -> list[Family]:
    return [
        Family(
            "openstack_identity_project_info",
            [
                (
                    {
                        "description": "",
                        "domain_id": "default",
                        "enabled": "true",
                        "id": project,
                        "is_domain": "false",
                        "name": name,
                        "parent_id": "default",
                        "tags": "",
                    },
                    steady(1),
                )
                for project, name in PROJECTS.items()
            ],
        ),
        Family(
            "openstack_nova_flavor",
            [
                (
                    {
                        "disk": "80",
                        "id": number,
                        "is_public": "true",
                        "name": name,
                        "ram": ram,
                        "vcpus": vcpus,
                    },
                    steady(1),
                )
                for number, name, ram, vcpus in [
                    ("3", "m1.medium", "4096", "2"),
                    ("4", "m1.large", "8192", "4"),
                ]
            ],
        ),
        Family(
            "openstack_nova_server_status",
            [
                _server("web", "ACTIVE", 0),
                # Switched off at 10:20, and still there.
                _server("off", "ACTIVE", 0, -30, 20),
                _server("off", "SHUTOFF", 11, 20, 90),
                # There from 10:05 to 10:10.
                _server("short", "ACTIVE", 0, 5, 10),
                # Moved to another host at 10:30.
                _server("moved", "ACTIVE", 0, -30, 30),
                _server("moved", "ACTIVE", 0, 30, 90, host="h2"),
                # From a medium to a large one at 10:40.
                _server("grown", "ACTIVE", 0, -30, 40),
                _server("grown", "ACTIVE", 0, 40, 90, flavor="4"),
                _server("broken", "ERROR", 4),
                _server("shelf", "SHELVED_OFFLOADED", 19),
                _server("gone", "ACTIVE", 0, -30, -5),
                _server("other", "ACTIVE", 0, of=LAB),
            ],
        ),
        Family(
            "openstack_cinder_volume_gb",
            [
                # Extended at 10:30, detached at 10:45.
                _volume("data", "ssd", 20, -30, 30),
                _volume("data", "ssd", 30, 30, 45),
                _volume("data", "ssd", 30, 45, 90, status="available"),
                _volume("old", "hdd", 100),
            ],
        ),
        Family(
            "openstack_cinder_limits_backup_used_gb",
            [
                ({"tenant": "shop", "tenant_id": SHOP}, steady(12)),
                ({"tenant": "lab", "tenant_id": LAB}, steady(0)),
            ],
        ),
        Family(
            "openstack_glance_image_bytes",
            [
                ({"id": "uuid-img", "name": "golden", "tenant_id": SHOP}, steady(5 * GIB // 2)),
                ({"id": "uuid-tiny", "name": "tiny", "tenant_id": SHOP}, steady(GIB // 4)),
            ],
        ),
        # Detached from its server at 10:10.
        Family(
            "openstack_neutron_floating_ip", [_address("ACTIVE", -30, 10), _address("DOWN", 10)]
        ),
        Family(
            "openstack_neutron_router",
            [
                (
                    _relabelled(
                        admin_state_up="true",
                        external_network_id="net-1",
                        id="uuid-r",
                        name="gateway",
                        status="ACTIVE",
                    ),
                    steady(1),
                )
            ],
        ),
        Family(
            "openstack_loadbalancer_loadbalancer_status",
            [_balancer("front", "ONLINE", 0), _balancer("back", "DEGRADED", 3)],
        ),
        Family(
            "openstack_object_store_bytes",
            [
                (
                    {"container_name": "logs", "tenant_id": SHOP},
                    # Half an hour of 1 GiB, half an hour of 3.
                    steady(GIB, -30, 30) + steady(3 * GIB, 30, 90),
                )
            ],
        ),
    ]


@pytest.fixture
def usage(conf, ready_made_url):
    source = collector(conf, ready_made_url, FILE, "tenant_id")
    return lambda scope: Usage(source, scope)


def test_servers(usage):
    found = usage(SHOP)

    assert found.of("instance", "name", "flavor_name", "vcpus") == {
        ("web", "m1.medium", "2"): "1 instance",
        ("off", "m1.medium", "2"): "1 instance",
        ("short", "m1.medium", "2"): "1 instance",
        ("moved", "m1.medium", "2"): "1 instance",
        # In this hour both flavors were used.
        ("grown", "m1.medium", "2"): "1 instance",
        ("grown", "m1.large", "4"): "1 instance",
    }
    assert usage(LAB).of("instance", "id", "project_name") == {("uuid-other", "lab"): "1 instance"}


def test_volumes_backups_and_images(usage):
    found = usage(SHOP)

    assert found.of("volume.size", "id", "volume_type", "name") == {
        ("uuid-data", "ssd", "data"): "30 GiB",
        ("uuid-old", "hdd", "old"): "100 GiB",
    }
    assert found.of("backup.size") == {(): "12 GiB"}
    assert usage(LAB).of("backup.size") == {}
    assert found.of("image.size", "name") == {("golden",): "2.5 GiB", ("tiny",): "0.25 GiB"}


def test_networking_and_objects(usage):
    found = usage(SHOP)

    assert found.of("ip.floating", "floating_ip_address") == {("203.0.113.7",): "1 ip"}
    assert found.of("router", "name") == {("gateway",): "1 router"}
    assert found.of("load_balancer", "name", "provider") == {
        ("front", "amphora"): "1 lb",
        ("back", "amphora"): "1 lb",
    }
    assert found.of("storage.objects", "container_name") == {("logs",): "2 GiB"}
    assert found.labels("storage.objects")["project_name"] == "shop"
