# SPDX-License-Identifier: Apache-2.0
"""Rating modules over HTTP (contract api.md 6.1 to 6.3, D16, D23, D24, D26)."""

from __future__ import annotations

import threading

import pytest

from cloudkitty.db import module_info
from cloudkitty.rating import RatingProcessorBase, installed, modules
from cloudkitty.rating.noop import Noop
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ALICE, fault

MODULES = "/v1/rating/modules"
HASHMAP = {
    "module_id": "hashmap",
    "description": "HashMap rating module.",
    "enabled": False,
    "hot-config": True,
    "priority": 1,
}


class Broken(RatingProcessorBase):
    """Cannot be made."""

    module_name = "broken"

    def __init__(self, tenant_id=None):
        raise RuntimeError("no licence")

    def process(self, data):
        return data

    def reload_config(self, start=None):
        pass


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    return webapi.Api(conf)


def test_the_stock_modules(api):
    listed = api.get(MODULES).json["modules"]
    assert [module["module_id"] for module in listed] == sorted(m["module_id"] for m in listed)
    assert list(listed[0]) == list(HASHMAP)
    assert HASHMAP in listed
    assert api.get(f"{MODULES}/hashmap?module_id=hashmap").json == HASHMAP
    assert api.get("/v1/billing/modules/hashmap").json == HASHMAP
    assert api.get(f"{MODULES}/noop").json["enabled"] is True
    assert fault(api.get(f"{MODULES}/none"), 404) == "Module not found."
    assert fault(api.put(f"{MODULES}/none", {"module_id": "x"}), 404) == "Module not found."


def test_a_change(any_api):
    url = f"{MODULES}/hashmap"
    answer = any_api.put(url, {**HASHMAP, "enabled": True, "description": "x", "hot-config": False})
    assert (answer.status_int, answer.text) == (302, "null")
    assert answer.headers["Location"] == f"http://localhost{url}"
    assert any_api.get(url).json == {**HASHMAP, "enabled": True}
    assert any_api.put(MODULES, {"module_id": "hashmap", "priority": "7"}).status_int == 302
    assert any_api.put(url, {"module_id": "noop", "enabled": 1}).status_int == 302
    assert any_api.get(url).json == {**HASHMAP, "enabled": True, "priority": 7}
    assert any_api.put(url, {"module_id": "hashmap", "priority": 9.5}).status_int == 302
    assert any_api.get(url).json["priority"] == 9


def test_what_is_as_it_was_is_not_written(api):
    assert api.put(f"{MODULES}/hashmap", HASHMAP).status_int == 302
    assert module_info.all_states() == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("priority", [None, 0, -1, "high", "", [], {}, 2**31, 10**400, float("nan"), float("inf"),
                      "1" * 5000, "\ud800"]),
        ("enabled", [None, "maybe", "", [], {}, 1.5, float("nan"), "TRUE?", "\ud800"]),
        ("module_id", [None, 5, [], {}]),
        ("colour", ["red"]),
    ],
)  # fmt: skip
def test_bad_values_are_named_and_nothing_is_written(any_api, name, values):
    for value in values:
        body = {"module_id": "hashmap", "priority": 5, "enabled": True, name: value}
        assert name in fault(any_api.put(f"{MODULES}/hashmap", body), 400)
    assert "module_id" in fault(any_api.put(f"{MODULES}/hashmap", {}), 400)
    for body in (b"", b"null", b"[]", b"{"):
        headers = {"Content-Type": "application/json"}
        fault(any_api("PUT", f"{MODULES}/hashmap", body=body, headers=headers), 400)
    assert module_info.all_states() == {}


def test_a_small_priority_of_an_old_database_may_come_back(api):
    module_info.set_priority("hashmap", -5)
    shown = api.get(f"{MODULES}/hashmap").json
    assert shown["priority"] == -5
    assert api.put(f"{MODULES}/hashmap", {**shown, "enabled": True}).status_int == 302
    assert module_info.all_states() == {"hashmap": (True, -5)}
    fault(api.put(f"{MODULES}/hashmap", {**shown, "priority": -6}), 400)


def test_many_first_changes_at_once(database):
    barrier = threading.Barrier(4)
    errors = []

    def change(priority):
        try:
            barrier.wait(10)
            installed.change("hashmap", enabled=True, priority=priority)
        except Exception as exc:  # noqa: BLE001 - shown below
            errors.append(exc)

    threads = [threading.Thread(target=change, args=(n,)) for n in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert module_info.get_state("hashmap") is True


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_module_without_configuration(api, method):
    for path in ("/v1/rating/module_config/noop", "/v1/rating/module_config/noop/"):
        text = fault(api(method, path, body=b"{"), 409)
        assert text == "Module is not configurable"
        fault(api(method, path, as_=ALICE), 403)
    fault(api(method, "/v1/rating/module_config/noop/x"), 404)
    fault(api(method, "/v1/rating/module_config/nothing"), 405)
    fault(api(method, "/v1/rating/module_config"), 405)


def test_members_may_do_nothing(api):
    for method, path, rule in (
        ("GET", MODULES, "list_modules"),
        ("GET", f"{MODULES}/none", "get_module"),
        ("PUT", f"{MODULES}/none", "update_module"),
        ("GET", "/v1/rating/reload_modules", "module_config"),
    ):
        options = {"json": HASHMAP} if method == "PUT" else {}
        text = fault(api(method, path, as_=ALICE, **options), 403)
        assert text == f"Policy doesn't allow rating:{rule} to be performed."


def test_modules_are_looked_up_again(api, monkeypatch, caplog):
    found = modules.Modules({"broken": Broken, "noop": Noop}, {"missing": ImportError("x")})
    monkeypatch.setattr(modules, "find", lambda: found)
    assert api.get(f"{MODULES}/hashmap").status_int == 200
    answer = api.get("/v1/rating/reload_modules/")
    assert (answer.status_int, answer.body) == (204, b"")
    assert [m["module_id"] for m in api.get(MODULES).json["modules"]] == ["noop"]
    assert "broken" in caplog.text
    assert "missing" in caplog.text
    fault(api.get("/v1/rating/module_config/hashmap/services"), 405)
    fault(api.post("/v1/rating/reload_modules", {}), 405)


@pytest.mark.parametrize(
    "path",
    ["nothing", "modules/a/b", "__class__", "module_config/__class__", "module_config/_lookup"],
)
def test_nothing_below_the_calls(api, path):
    assert api.get(f"/v1/rating/{path}").status_int in {404, 405}
