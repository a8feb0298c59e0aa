# SPDX-License-Identifier: Apache-2.0
"""Texts that MySQL's usual collations take for one another are different ones on every database.

Rating tells them apart, so both have to be creatable (contract api.md D15, sql-schema.md 6).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from cloudkitty import db
from cloudkitty.tests import services, webapi
from cloudkitty.tests.db import old_databases
from cloudkitty.tests.db.test_migrations import upgrade_all

NAMES = ["small", "Small", "small ", "smáll"]
HASHMAP = "/v1/rating/module_config/hashmap"
SCRIPTS = "/v1/rating/module_config/pyscripts/scripts"
COLLECTOR = "/v1/collector"
ADOPTED = ("mysql", "adopted")


@pytest.fixture(
    params=[
        pytest.param((engine, made), marks=[] if engine == "sqlite" else [pytest.mark.service])
        for engine, made in (
            *((engine, "new") for engine in services.ENGINES),
            ("mysql", "adopted"),
        )
    ],
    ids="-".join,
)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def engine_name(case: tuple[str, str]) -> str:
    return case[0]


@pytest.fixture
def api(case, empty_database, conf) -> Iterator[webapi.Api]:
    if case[1] == "adopted":
        old_databases.build("head")
        old_databases.build_storages()
    upgrade_all()
    yield webapi.Api(conf)
    db.reset()


def made(api, path, *bodies):
    """Make one of each; each of them once. Gives them."""
    answers = [api.post(path, body) for body in bodies]
    assert [answer.status_int for answer in answers] == [201] * len(bodies), answers
    for body in bodies:
        assert api.post(path, body).status_int == 409
    return [answer.json for answer in answers]


def test_rules(api):
    services_ = made(api, f"{HASHMAP}/services", *({"name": name} for name in NAMES))
    service = services_[0]["service_id"]
    parent = {"service_id": service}
    fields = made(api, f"{HASHMAP}/fields", *({"name": name, **parent} for name in NAMES))
    made(api, f"{HASHMAP}/groups", *({"name": name} for name in NAMES))
    made(api, SCRIPTS, *({"name": name, "data": ""} for name in NAMES))
    made(
        api,
        f"{HASHMAP}/thresholds",
        *({"level": "99", "cost": "1", "tenant_id": name, **parent} for name in NAMES),
    )
    # By name, by tenant, by value.
    other = {"service_id": services_[1]["service_id"]}
    made(
        api,
        f"{HASHMAP}/mappings",
        *({"cost": "0", "tenant_id": name, "name": name, **other} for name in NAMES),
    )
    rule = {"field_id": fields[0]["field_id"], "start": "2020-01-01"}
    costs = dict(zip(NAMES, ["1", "20", "300", "4000"], strict=True))
    made(
        api,
        f"{HASHMAP}/mappings?force=true",
        *({"cost": cost, "value": value, **rule} for value, cost in costs.items()),
    )
    assert api.put("/v2/rating/modules/hashmap", {"enabled": True}).status_int == 204
    for value, cost in (costs | {"SMALL": "0"}).items():
        resource = {"service": "small", "volume": "1", "desc": {"metadata": {"small": value}}}
        assert api.post("/v1/rating/quote", {"resources": [resource]}).json == cost
    for name, tenant in itertools.product(NAMES, [*NAMES, "SMALL"]):
        found = api.get(
            f"{HASHMAP}/mappings?filter_tenant=true&service_id={other['service_id']}"
            f"&tenant_id={quote(tenant)}"
        ).json["mappings"]
        assert (name in {one["name"] for one in found}) == (name == tenant)


def test_rows_of_the_collector_calls(api):
    for number, name in enumerate(NAMES):
        path = f"{COLLECTOR}/mappings/{quote(NAMES[number - 1])}/{quote(name)}"
        assert api("POST", path).status_int == 200
        body = {"enabled": number % 2 == 0}
        assert api.put(f"{COLLECTOR}/states/{quote(name)}", body).status_int == 200

    for number, name in enumerate(NAMES):
        mapping = {"service": name, "collector": NAMES[number - 1]}
        assert api.get(f"{COLLECTOR}/mappings/{quote(name)}").json == mapping
        listed = api.get(f"{COLLECTOR}/mappings?collector={quote(NAMES[number - 1])}").json
        assert listed == {"mappings": [mapping]}
        state = {"name": name, "enabled": number % 2 == 0}
        assert api.get(f"{COLLECTOR}/states/{quote(name)}").json == state
    assert api.get(f"{COLLECTOR}/mappings/SMALL").status_int == 404
    assert api.delete(f"{COLLECTOR}/mappings/{quote('small ')}").status_int == 204
    assert api.get(f"{COLLECTOR}/mappings/small").status_int == 200


def test_scopes(api):
    date = "2026-11-01T00:00:00+00:00"
    for name in NAMES:
        body = {"scope_id": name, "last_processed_timestamp": date}
        assert api.post("/v2/scope", body).status_int == 200
        assert api.post("/v2/scope", body).status_int == 409
    for name in NAMES:
        found = api.get(f"/v2/scope?scope_id={quote(name)}").json["results"]
        assert [one["scope_id"] for one in found] == [name]
        body = {"scope_id": name, "last_processed_timestamp": "2026-10-01T00:00:00+00:00"}
        assert api.put("/v2/scope", body).status_int == 202
