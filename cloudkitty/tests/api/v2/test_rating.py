# SPDX-License-Identifier: Apache-2.0
"""``/v2/rating/modules``: shown, switched, ranked."""

from __future__ import annotations

import pytest

from cloudkitty import messaging
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ALICE

URL = "/v2/rating/modules"


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    return webapi.Api(conf)


@pytest.fixture
def told(monkeypatch):
    found = []
    monkeypatch.setattr(messaging, "module_changed", found.append)
    monkeypatch.setattr(
        messaging, "module_switched", lambda name, *, enabled: found.append((name, enabled))
    )
    return found


def shown(api, name="hashmap"):
    return api.get(f"{URL}/{name}").json


def test_the_list_and_one(api):
    modules = api.get(URL).json["modules"]

    assert shown(api) in modules
    assert shown(api) == {
        "module_id": "hashmap",
        "description": "HashMap rating module.",
        "enabled": False,
        "hot_config": True,
        "priority": 1,
    }
    assert api.get(f"{URL}?colour=red&limit=0").json["modules"] == modules
    assert api.get(f"{URL}/hashmap?colour=red").json == shown(api)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"enabled": True}, {"enabled": True}),
        ({"enabled": "on", "priority": 7}, {"enabled": True, "priority": 7}),
        ({"priority": 2**31 - 1}, {"priority": 2**31 - 1}),
    ],
)
def test_a_module_is_changed(any_api, body, expected):
    before = shown(any_api)

    answer = any_api.put(f"{URL}/hashmap", body)

    assert (answer.status_int, answer.body) == (204, b"")
    assert shown(any_api) == {**before, **expected}
    v1 = any_api.get("/v1/rating/modules/hashmap").json
    assert v1["enabled"] == shown(any_api)["enabled"]
    assert v1["priority"] == shown(any_api)["priority"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"priority": "7"}, "expected int (path: '['priority']')"),
        ({"priority": 1.5}, "expected int (path: '['priority']')"),
        ({"priority": None}, "expected int (path: '['priority']')"),
        ({"priority": True}, "expected int (path: '['priority']')"),
        ({"priority": 0}, "value must be at least 1 (path: '['priority']')"),
        ({"priority": 2**31}, "value must be at most 2147483647 (path: '['priority']')"),
        ({"enabled": None}, "expected boolean (path: '['enabled']')"),
        ({"enabled": []}, "expected boolean (path: '['enabled']')"),
        ({"enabled": "perhaps"}, "expected boolean (path: '['enabled']')"),
        ({"enabled": True, "module_id": "x"}, "extra keys not allowed (path: '['module_id']')"),
        ([], "expected a dictionary (path: '[]')"),
    ],
)
def test_what_is_no_change(api, told, body, text):
    before = shown(api)

    answer = api.put(f"{URL}/hashmap", body)

    assert answer.status_int == 400
    assert answer.json["message"].endswith(f"' : {text}")
    assert shown(api) == before
    assert told == []


def test_processors_are_told_what_is_new(api, told):
    api.put(f"{URL}/hashmap", {"enabled": True, "priority": 1})
    assert told == [("hashmap", True)]
    api.put(f"{URL}/hashmap", {"enabled": True, "priority": 3})
    assert told[1:] == ["hashmap"]
    api.put(f"{URL}/hashmap", {"enabled": True, "priority": 3})
    assert len(told) == 2


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_unknown_module(api, method):
    answer = api(method, f"{URL}/nothing", json={})

    assert answer.status_int == 404
    assert answer.json == {"message": "Module 'nothing' not found"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", URL), ("GET", f"{URL}/noop"), ("PUT", f"{URL}/noop"), ("PUT", f"{URL}/nothing")],
)
@pytest.mark.parametrize("who", [ALICE, webapi.NOBODY])
def test_only_administrators_may(api, method, path, who):
    before = shown(api, "noop")

    answer = api(method, path, json={"enabled": False, "priority": 9}, as_=who)

    assert answer.status_int == 403
    assert answer.json == {"message": "You are not authorized to perform this action"}
    assert shown(api, "noop") == before
