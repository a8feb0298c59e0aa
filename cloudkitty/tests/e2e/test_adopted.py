# SPDX-License-Identifier: Apache-2.0
"""A database of CloudKitty 25.0.0 is taken over, and the product goes on where that has stopped."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from cloudkitty import timeutils
from cloudkitty.tests.db import old_databases, old_rows
from cloudkitty.tests.db.old_rows import insert, moment, number, uuid
from cloudkitty.tests.e2e import cloud as clouds
from cloudkitty.tests.e2e import outcome
from cloudkitty.tests.e2e.cloud import PERIOD, Cloud
from cloudkitty.tests.e2e.processes import Site
from cloudkitty.tests.e2e.test_api import PASTE, Api, serving

pytestmark = pytest.mark.e2e

#: What 25.0.0 leaves on each engine.
STATES = {"sqlite": "half, no scripts", "postgresql": "half", "mysql": "head"}
OPTIONS = f"""
[storage]
backend = sqlalchemy
[DEFAULT]
auth_strategy = noauth
api_paste_config = {PASTE}
"""


def fill(cloud: Cloud, *, windows: bool) -> dict[str, int]:
    """Write rules and states as 25.0.0 did; gives how far each scope is."""
    insert("modules_state", {"name": "hashmap", "state": True, "priority": 3})
    names = ("instance", "volume_size", "traffic")
    insert(
        "hashmap_services",
        *({"id": n, "service_id": uuid(n), "name": name} for n, name in enumerate(names, 1)),
    )
    fields = enumerate(("flavor", "volume_type"), 1)
    insert(
        "hashmap_fields",
        *({"id": n, "field_id": uuid(10 + n), "name": f, "service_id": n} for n, f in fields),
    )
    rules = [(1, value, cost, "flat") for value, cost in clouds.FLAVORS.items()]
    rules += [(2, value, cost, "rate") for value, cost in clouds.VOLUME_RATES.items()]
    mappings = [
        {"field_id": field, "service_id": None, "value": value, "cost": cost, "map_type": kind}
        for field, value, cost, kind in rules
    ]
    mappings += [
        {"field_id": None, "service_id": n, "value": None, "cost": cost, "map_type": "flat"}
        for n, cost in ((2, clouds.VOLUME), (3, clouds.TRAFFIC))
    ]
    for index, row in enumerate(mappings, 100):
        row |= {"id": index, "mapping_id": uuid(index), "cost": number(str(row["cost"]))}
        if windows:
            row |= {"name": f"rule {index}", "start": moment("1970-01-01"), "created_by": "admin"}
    insert("hashmap_mappings", *mappings)
    return _fill_states(cloud)


def _fill_states(cloud: Cloud) -> dict[str, int]:
    last = {name: cloud.newest - PERIOD * (1 + n % 3) for n, name in enumerate(cloud.names)}
    insert("cloudkitty_storage_states", *(
        {
            "identifier": name,
            **dict(zip(("scope_key", "fetcher", "collector"), origin, strict=True)),
            "last_processed_timestamp": timeutils.naive_utc(timeutils.from_epoch(last[name])),
            "active": name != cloud.names[2],
        }
        # The second is older than 2019.
        for name in cloud.names
        for origin in ([None] * 3 if name == cloud.names[1] else
                       ["project_id", "source", "prometheus"],)
    ))  # fmt: skip
    return last


def test_the_product_goes_on_with_an_adopted_database(
    empty_database: str, engine_name: str, cloud: Cloud, source: str, tmp_path: Path
) -> None:
    site = Site(tmp_path / "site", empty_database, sources=cloud.names, prometheus=source)
    site.metrics.write_text(clouds.METRICS)
    site.write(OPTIONS)
    old_databases.build(STATES[engine_name])
    last = fill(cloud, windows=engine_name == "mysql")
    before = old_rows.dump()
    for program, arguments in (("cloudkitty-dbsync", ["upgrade"]), ("cloudkitty-storage-init", [])):
        done = site.run(program, *arguments)
        assert done.returncode == 0, done.stderr
    old_rows.kept(before)
    active = [name for name in cloud.names if name != cloud.names[2]]

    with site.processor():
        outcome.wait(cloud, 40, active)
    with serving(site) as api:
        check_rules(api)
        check_scopes(api, cloud, last)
        check_sums(api, cloud, last)


def check_rules(api: Api) -> None:
    modules = {module["module_id"]: module for module in api.get("/v1/rating/modules")["modules"]}
    assert (modules["hashmap"]["enabled"], modules["hashmap"]["priority"]) == (True, 3)
    module = api.get("/v2/rating/modules/hashmap")
    assert (module["enabled"], module["priority"]) == (True, 3)
    path = "/v1/rating/module_config/hashmap"
    services = api.get(f"{path}/services")["services"]
    assert {one["name"]: one["service_id"] for one in services}["instance"] == uuid(1)
    mappings = api.get(f"{path}/mappings", ("field_id", uuid(11)))["mappings"]
    found = {one["value"]: (one["mapping_id"], Decimal(one["cost"])) for one in mappings}
    assert found == {"small": (uuid(100), Decimal("0.25")), "large": (uuid(101), Decimal("1.1"))}


def check_scopes(api: Api, cloud: Cloud, last: dict[str, int]) -> None:
    """All but the inactive one have gone on, by every period after their last one."""
    scopes = {scope["scope_id"]: scope for scope in api.get("/v2/scope")["results"]}
    assert scopes.keys() == set(cloud.names)
    for name, scope in scopes.items():
        at = moment(scope["last_processed_timestamp"]).timestamp()
        if name == cloud.names[2]:
            assert (scope["active"], at) == (False, last[name])
            continue
        assert (scope["active"], scope["fetcher"]) == (True, "source")
        assert at >= cloud.newest
        first = timeutils.to_epoch(outcome.first_period(name))
        assert first == last[name] + PERIOD


def check_sums(api: Api, cloud: Cloud, last: dict[str, int]) -> None:
    prices: dict[str, Decimal] = defaultdict(Decimal)
    for point in cloud.points():
        if point.begin > last[point.project] and point.project != cloud.names[2]:
            prices[point.project] += point.price
    answer = api.get(
        "/v2/summary",
        ("begin", timeutils.from_epoch(cloud.before).isoformat()),
        ("end", timeutils.from_epoch(cloud.newest + PERIOD).isoformat()),
        ("groupby", "project_id"),
    )
    rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["results"]]
    assert {row["project_id"]: row["rate"] for row in rows} == prices
