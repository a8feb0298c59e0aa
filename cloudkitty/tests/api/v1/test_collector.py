# SPDX-License-Identifier: Apache-2.0
"""Collector mappings and states over HTTP (contract api.md 12)."""

from __future__ import annotations

import threading
from urllib.parse import quote

import pytest

from cloudkitty import db
from cloudkitty.db import collector as store
from cloudkitty.db import module_info
from cloudkitty.rating.modules import Rating
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ALICE, fault

MAPPINGS = "/v1/collector/mappings"
STATES = "/v1/collector/states"


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    return webapi.Api(conf)


def test_mappings(any_api):
    api = any_api
    made = api.post(MAPPINGS, {"collector": "a", "service": "é 文"})
    assert (made.status_int, list(made.json.items())) == (
        200,
        [("service", "é 文"), ("collector", "a")],
    )
    assert api("POST", f"{MAPPINGS}/a/m1").json == {"service": "m1", "collector": "a"}
    assert api("POST", f"{MAPPINGS}?collector=b&service=m2/x").status_int == 200
    assert api("POST", f"{MAPPINGS}/b/m1/").json == {"service": "m1", "collector": "b"}
    assert api("POST", f"{MAPPINGS}/b/m1").json == {"service": "m1", "collector": "b"}
    assert api.get(f"{MAPPINGS}/m1").json == {"service": "m1", "collector": "b"}
    listed = api.get(f"{MAPPINGS}/?collector=b").json
    assert listed == {"mappings": [{"service": s, "collector": "b"} for s in ("m1", "m2/x")]}
    assert len(api.get(f"{MAPPINGS}?collector=").json["mappings"]) == 3

    assert api.delete(f"{MAPPINGS}/m1").body == b""
    assert api.delete(f"{MAPPINGS}?service=m2/x").status_int == 204
    assert api.delete(f"{MAPPINGS}/", json={"service": "é 文"}).status_int == 204
    for method in ("GET", "DELETE"):
        assert fault(api(method, f"{MAPPINGS}/m1"), 404) == "No mapping for service: m1"
    assert api.get(MAPPINGS).json == {"mappings": []}


def test_states(any_api):
    api = any_api
    off = {"name": "a", "enabled": False}
    for path in (f"{STATES}/a", f"{STATES}?name=a", "/v1/collector/a/states", f"{STATES}/?name=a"):
        assert api.get(path).json == off
    assert api.put("/v1/collector/a/states", {"enabled": "yes"}).json == {**off, "enabled": True}
    assert api.put(f"{STATES}?name=b", {"enabled": True, "name": "c"}).json["name"] == "b"
    assert api.put(f"{STATES}/", {"enabled": True, "name": "d"}).json["name"] == "d"
    on = [name for name in "abcd" if api.get(f"{STATES}/{name}").json["enabled"]]
    assert on == ["a", "b", "d"]
    assert api.put(f"{STATES}/a", off).json == off


def test_a_collector_is_no_rating_module(api):
    api.put(f"{STATES}/hashmap", {"enabled": True})

    assert module_info.get_state("hashmap") is False
    rating = Rating()
    rating.begin_batch()
    assert rating.version == "noop"


def test_names_like_those_of_resources(api):
    assert api("POST", f"{MAPPINGS}/x/states").status_int == 200
    assert api.get(f"{MAPPINGS}/states").json == {"service": "states", "collector": "x"}
    assert api.get(f"{STATES}/states").json == {"name": "states", "enabled": False}


BAD_MAPPINGS = [
    ({}, 'Missing argument: "collector"'),
    ({"collector": "a"}, 'Missing argument: "service"'),
    ({"collector": "a", "service": None}, 'Missing argument: "service"'),
    ({"collector": 5, "service": "s"}, "collector"),
    ({"collector": "a", "service": []}, "service"),
    ({"collector": "a" * 256, "service": "s"}, "at most 255 characters"),
    ({"collector": "a", "service": "s" * 256}, "at most 255 characters"),
    ({"collector": "a", "service": "\ud800"}, "service"),
    ({"collector": "a", "service": "\0"}, "service"),
    ({"collector": "a", "service": "s", "colour": 1}, 'Unknown argument: "colour"'),
    ([], "dict"),
]
BAD_STATES = [
    ({}, "enabled"),
    ({"enabled": None}, "enabled"),
    ({"enabled": "perhaps"}, "enabled"),
    ({"enabled": True}, 'Missing argument: "name"'),
    ({"enabled": True, "name": None}, 'Missing argument: "name"'),
    ({"enabled": True, "name": 5}, "name"),
    ({"enabled": True, "name": "n" * 246}, "at most 245 characters"),
    ({"enabled": True, "name": "\ud800"}, "name"),
    ({"enabled": True, "name": "n", "colour": 1}, "argument infos: colour"),
    (None, "infos"),
]


def test_what_is_bad_is_refused_and_nothing_is_written(any_api):
    for body, text in BAD_MAPPINGS:
        assert text in fault(any_api.post(MAPPINGS, body), 400)
    for body, text in BAD_STATES:
        assert text in fault(any_api.put(STATES, body), 400)
    assert store.list_mappings() == []
    assert module_info.all_states() == {}


def test_the_longest_names(any_api):
    mapping = {"collector": "c" * 255, "service": "s" * 255}
    assert any_api.post(MAPPINGS, mapping).json == mapping
    state = {"name": "n" * 245, "enabled": True}
    assert any_api.put(STATES, state).json == state
    fault(any_api.get(f"{MAPPINGS}/{'s' * 256}"), 404)
    assert any_api.get(f"{STATES}/{'n' * 300}").json["enabled"] is False


@pytest.mark.parametrize("engine_name", [pytest.param("mysql", marks=pytest.mark.service)])
def test_characters_that_an_old_table_has_not(database, conf):
    with db.get_engine().begin() as connection:
        for table in ("modules_state", "service_to_collector_mappings"):
            connection.exec_driver_sql(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb3")
    api = webapi.Api(conf)
    for method, path in (
        ("GET", f"{MAPPINGS}/😀"),
        ("GET", f"{MAPPINGS}?collector=😀"),
        ("POST", f"{MAPPINGS}/a/😀"),
        ("POST", f"{MAPPINGS}/😀/a"),
        ("DELETE", f"{MAPPINGS}/😀"),
        ("GET", f"{STATES}/😀"),
        ("PUT", f"{STATES}/😀"),
    ):
        options = {"json": {"enabled": True}} if method == "PUT" else {}
        text = fault(api(method, quote(path, safe="/?="), **options), 400)
        assert text == "The database cannot store one of the values."
    assert store.list_mappings() == []


def test_routing(api):
    for path in ("/v1/collector", "/v1/collector/"):
        answer = api.get(path)
        assert (answer.status_int, answer.body) == (204, b"")
        assert api.get(path, as_=ALICE).status_int == 204
        fault(api("DELETE", path), 405)
    for method, path, status in (
        ("GET", "/v1/collector/a", 405),
        ("GET", f"{STATES}/a/b", 404),
        ("GET", "/v1/collector/a/states/b", 404),
        ("GET", f"{MAPPINGS}/a/b", 404),
        ("POST", f"{MAPPINGS}/a/b/c", 404),
        ("PUT", f"{MAPPINGS}/a", 405),
        ("POST", f"{STATES}/a", 405),
        ("DELETE", f"{STATES}/a", 405),
    ):
        fault(api(method, path), status)
    assert fault(api.get(STATES), 400) == 'Missing argument: "name"'


def test_members_may_do_nothing(api):
    for method, path, rule in (
        ("GET", MAPPINGS, "list_mappings"),
        ("GET", f"{MAPPINGS}/none", "get_mapping"),
        ("POST", f"{MAPPINGS}/a/b", "manage_mapping"),
        ("DELETE", f"{MAPPINGS}/none", "manage_mapping"),
        ("GET", f"{STATES}/a", "get_state"),
        ("PUT", f"{STATES}/a", "update_state"),
    ):
        options = {"json": {"enabled": True}} if method == "PUT" else {}
        text = fault(api(method, path, as_=ALICE, **options), 403)
        assert text == f"Policy doesn't allow collector:{rule} to be performed."
    assert store.list_mappings() == []
    assert module_info.all_states() == {}


def test_many_first_writes_at_once(database):
    barrier = threading.Barrier(4)
    errors = []

    def write(number):
        try:
            barrier.wait(10)
            store.set_mapping("service", f"collector-{number}")
            store.set_state("collector", enabled=True)
        except Exception as exc:  # noqa: BLE001 - shown below
            errors.append(exc)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.list_mappings()) == 1
    assert store.get_state("collector") is True
