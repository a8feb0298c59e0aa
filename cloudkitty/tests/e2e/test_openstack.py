# SPDX-License-Identifier: Apache-2.0
"""The whole way in an OpenStack cloud: a real Keystone and a real Gnocchi, the shipped metrics.yml.

Expected are the numbers that were written into Gnocchi, worked out by hand.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from oslo_config import fixture as cfg_fixture

import cloudkitty
from cloudkitty import timeutils
from cloudkitty.tests import gnocchi, keystone
from cloudkitty.tests.e2e.processes import Site
from cloudkitty.tests.webapi import Api

pytestmark = [pytest.mark.e2e, pytest.mark.service]

SHIPPED = Path(cloudkitty.__file__).parents[1] / "etc" / "cloudkitty" / "metrics.yml"
HOUR = 3600
HOURS = 5
#: Prices of a unit.
PRICES = {"instance": "0.5", "volume.size": "0.1"}
MIB = 1024 * 1024


@dataclass
class Cloud:
    """Two projects that are rated, and one that is not."""

    demo: str
    alt_demo: str
    unrated: str
    #: Begin of the first period, and of the last, which has just become due.
    first: int
    last: int
    #: Type of resources of which each rated project has one, and no other has any.
    own_type: str
    #: How to log in, of a section with credentials for Keystone.
    credentials: Mapping[str, str]
    region: str
    gnocchi_url: str

    def usage(self) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
        """Give (project, type) -> quantity and price over all periods."""
        sizes = {self.demo: 10, self.alt_demo: 20}
        found = {}
        for project, size in sizes.items():
            # Two instances, whatever their load; one volume.
            for kind, per_hour in (("instance", 2), ("volume.size", size)):
                qty = Decimal(per_hour * HOURS)
                found[project, kind] = (qty, qty * Decimal(PRICES[kind]))
        # Nobody has said what these cost. 1000 bytes per second are 3.6 MB per hour.
        found[self.demo, "image.size"] = (Decimal(50 * HOURS), Decimal(0))
        found[self.demo, "network.outgoing.bytes.rate"] = (Decimal("3.6") * HOURS, Decimal(0))
        return found


@pytest.fixture(scope="module")
def cloud(gnocchi_server: gnocchi.Server) -> Iterator[Cloud]:
    with keystone.cloud() as identity:
        user = identity.user(identity.project("service"), ["admin"], name="cloudkitty")
        demo, alt_demo = identity.project("demo"), identity.project("alt-demo")
        for project in (demo, alt_demo):
            identity.grant(user.id, project, "rating")
        last = (int(time.time()) - 1) // HOUR * HOUR - HOUR
        made = Cloud(
            demo=demo,
            alt_demo=alt_demo,
            unrated=identity.project("unrated"),
            first=last - (HOURS - 1) * HOUR,
            last=last,
            own_type=f"tenant-{gnocchi_server.suffix}",
            credentials=user.options(),
            region=identity.endpoint("metric", gnocchi_server.keystone_url),
            gnocchi_url=gnocchi_server.url,
        )
        _write(made, gnocchi_server)
        yield made


def _write(cloud: Cloud, source: gnocchi.Server) -> None:
    begin, end = cloud.first - HOUR, cloud.last + 2 * HOUR
    source.resource_type(cloud.own_type, [])
    for project, size in ((cloud.demo, 10), (cloud.alt_demo, 20), (cloud.unrated, 30)):
        for flavor in ("small", "large"):
            # Both are given another flavor in the midst of a period, which makes no second point.
            source.resource(
                "instance",
                project,
                started=begin,
                attributes={"flavor_name": flavor, "flavor_id": "1", "vcpus": "1"},
                metrics={"cpu": gnocchi.constant(7.5, begin, end)},
                revisions=[(cloud.first + HOUR + 1200, {"flavor_name": "huge"})],
            )
        source.resource(
            "volume",
            project,
            started=begin,
            attributes={"volume_type": "ssd"},
            metrics={"volume.size": gnocchi.constant(size, begin, end)},
        )
    source.resource(
        "image",
        cloud.demo,
        started=begin,
        metrics={"image.size": gnocchi.constant(50 * MIB, begin, end)},
    )
    source.resource(
        "instance_network_interface",
        cloud.demo,
        started=begin,
        metrics={"network.outgoing.bytes.rate": gnocchi.constant(1000, begin, end)},
    )
    for project in (cloud.demo, cloud.alt_demo):
        source.resource(cloud.own_type, project, started=begin)
    source.write()


def _with_keystone(cloud: Cloud) -> str:
    credentials = "\n".join(f"{name} = {value}" for name, value in cloud.credentials.items())
    return f"""
[fetcher]
backend = keystone
[fetcher_keystone]
auth_section = cloud
[collect]
collector = gnocchi
[collector_gnocchi]
auth_section = cloud
region_name = {cloud.region}
[cloud]
{credentials}
"""


def _without(cloud: Cloud) -> str:
    login = f"""
gnocchi_auth_type = basic
gnocchi_user = admin
gnocchi_endpoint = {cloud.gnocchi_url}
"""
    return f"""
[fetcher]
backend = gnocchi
[fetcher_gnocchi]
resource_types = {cloud.own_type}
{login}
[collect]
collector = gnocchi
[collector_gnocchi]
{login}
"""


def _prepare(api: Api, cloud: Cloud, fetcher: str) -> None:
    """Say what things cost, and that the projects have been rated until the first period."""
    hashmap = "/v1/rating/module_config/hashmap"
    assert api.put(
        "/v1/rating/modules", {"module_id": "hashmap", "enabled": True, "priority": 1}
    ).status_int in {200, 302}
    for name, price in PRICES.items():
        service = api.post(f"{hashmap}/services", {"name": name}).json["service_id"]
        rule = {"service_id": service, "type": "flat", "cost": price, "start": "2020-01-01"}
        made = api.post(f"{hashmap}/mappings?force=true", rule)
        assert made.status_int == 201, made.text
    for project in (cloud.demo, cloud.alt_demo):
        scope = {
            "scope_id": project,
            "scope_key": "project_id",
            "fetcher": fetcher,
            "collector": "gnocchi",
            "last_processed_timestamp": timeutils.from_epoch(cloud.first - HOUR).isoformat(),
        }
        made = api.post("/v2/scope", scope)
        assert made.status_int == 200, made.text


def _wait(api: Api, cloud: Cloud, site: Site) -> None:
    """Wait until both projects have been rated to the end."""
    end = timeutils.from_epoch(cloud.last)
    deadline = time.monotonic() + 60
    while True:
        scopes = api.get("/v2/scope").json["results"]
        done = [
            scope["scope_id"]
            for scope in scopes
            if timeutils.parse_iso(scope["last_processed_timestamp"]) >= end
        ]
        if sorted(done) == sorted([cloud.demo, cloud.alt_demo]):
            return
        assert time.monotonic() < deadline, f"{scopes}\n{site.output()}"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("fetcher", "options"), [("keystone", _with_keystone), ("gnocchi", _without)]
)
def test_what_was_used_and_what_it_costs(
    cloud: Cloud,
    conf: cfg_fixture.Config,
    sqlite_database: str,
    tmp_path: Path,
    fetcher: str,
    options: Callable[[Cloud], str],
) -> None:
    site = Site(tmp_path / "site", sqlite_database)
    site.write(options(cloud))
    shutil.copy(SHIPPED, site.metrics)
    api = Api(conf)
    _prepare(api, cloud, fetcher)
    with site.processor():
        _wait(api, cloud, site)
    begin = timeutils.from_epoch(cloud.first - HOUR).isoformat()
    end = timeutils.from_epoch(cloud.last + HOUR).isoformat()
    answer = api.get(
        f"/v2/summary?groupby=project_id&groupby=type&begin={begin}&end={end}".replace("+", "%2B")
    ).json
    rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["results"]]
    assert {
        (row["project_id"], row["type"]): (Decimal(str(row["qty"])), Decimal(str(row["rate"])))
        for row in rows
    } == cloud.usage()
    assert "ERROR" not in site.output()
