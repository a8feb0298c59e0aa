# SPDX-License-Identifier: Apache-2.0
"""``/v2/rating/audit``: what was done through either API is told, to administrators."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from cloudkitty import db
from cloudkitty.db import changes
from cloudkitty.db.changes import Actor, Change
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ADMIN, ALICE

URL = "/v2/rating/audit"
HASHMAP = "/v1/rating/module_config/hashmap"
SCRIPTS = "/v1/rating/module_config/pyscripts/scripts"


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    return webapi.Api(conf)


def listed(api, query=""):
    answer = api.get(f"{URL}?{query}")
    assert answer.status_int == 200, answer.text
    return answer.json["results"]


def made(answer, key):
    assert answer.status_int == 201, answer.text
    return answer.json[key]


def names(entries):
    return [(one["kind"], one["action"]) for one in entries]


def test_who_did_what_when_from_what_to_what(any_api):
    before = dt.datetime.now(dt.UTC)
    service = made(any_api.post(f"{HASHMAP}/services", {"name": "cpu"}), "service_id")
    group = made(any_api.post(f"{HASHMAP}/groups", {"name": "g"}), "group_id")
    rule = {"service_id": service, "group_id": group, "cost": "0.25", "type": "flat"}
    mapping = made(any_api.post(f"{HASHMAP}/mappings", rule), "mapping_id")
    assert any_api.delete(f"{HASHMAP}/mappings/{mapping}").status_int == 204

    deleted, created, *_ = found = listed(any_api)

    assert names(found) == [
        ("hashmap mapping", "delete"),
        ("hashmap mapping", "create"),
        ("hashmap group", "create"),
        ("hashmap service", "create"),
    ]
    assert [one["id"] for one in found] == sorted((one["id"] for one in found), reverse=True)
    assert before <= dt.datetime.fromisoformat(deleted["time"]) <= dt.datetime.now(dt.UTC)
    for one in found:
        assert (one["user_id"], one["project_id"]) == ("user-admin", "project-admin")
        assert one["way"] == "api v1"
        assert one["request_id"].startswith("req-")
    assert len({one["request_id"] for one in found}) == 4
    assert created["object_id"] == deleted["object_id"] == mapping
    assert (created["before"], deleted["after"]) == (None, None)
    assert created["after"] == deleted["before"]
    shown = created["after"]
    assert {name: shown[name] for name in ("service", "field", "group", "cost", "type")} == {
        "service": "cpu",
        "field": None,
        "group": "g",
        "cost": "0.25",
        "type": "flat",
    }


def test_modules_are_told_by_either_api(api):
    v1 = {"module_id": "hashmap", "enabled": True, "priority": 3}
    assert api.put("/v1/rating/modules/hashmap", v1).status_int == 302
    assert api.put("/v2/rating/modules/hashmap", {"priority": 3}).status_int == 204
    assert api.put("/v2/rating/modules/hashmap", {"enabled": False}).status_int == 204

    found = listed(api, "kind=module&object_id=hashmap")

    assert [(one["way"], one["before"], one["after"]) for one in found] == [
        ("api v2", {"enabled": True, "priority": 3}, {"enabled": False, "priority": 3}),
        ("api v1", {"enabled": True, "priority": 1}, {"enabled": True, "priority": 3}),
        ("api v1", {"enabled": False, "priority": 1}, {"enabled": True, "priority": 1}),
    ]


def test_what_is_refused_or_changes_nothing_is_not_told(api):
    assert api.post(f"{HASHMAP}/services", {"name": "cpu"}).status_int == 201
    told = listed(api)
    assert api.post(f"{HASHMAP}/services", {"name": "cpu"}).status_int == 409
    assert api.put("/v2/rating/modules/hashmap", {"enabled": False}).status_int == 204
    assert api.post(f"{HASHMAP}/services", {"name": "x"}, as_=ALICE).status_int == 403
    assert listed(api) == told


def test_everything_below_a_service_is_told(api):
    service = made(api.post(f"{HASHMAP}/services", {"name": "cpu"}), "service_id")
    body = {"service_id": service, "name": "flavor"}
    field = made(api.post(f"{HASHMAP}/fields", body), "field_id")
    rule = {"field_id": field, "value": "x", "cost": "1"}
    made(api.post(f"{HASHMAP}/mappings", rule), "mapping_id")
    made(api.post(f"{HASHMAP}/thresholds", {"service_id": service, "level": 1, "cost": 2}), "level")
    made(api.post(f"{HASHMAP}/thresholds", {"field_id": field, "level": 1, "cost": 2}), "level")

    assert api.delete(f"{HASHMAP}/services/{service}").status_int == 204

    found = listed(api, "action=delete")
    assert sorted(names(found)) == [
        ("hashmap field", "delete"),
        ("hashmap mapping", "delete"),
        ("hashmap service", "delete"),
        ("hashmap threshold", "delete"),
        ("hashmap threshold", "delete"),
    ]
    assert len({(one["time"], one["request_id"]) for one in found}) == 1
    assert {one["before"].get("service", "cpu") for one in found} == {"cpu"}


def test_scripts_have_their_sources_apart(any_api):
    text = "data = data  # Größe \N{GRINNING FACE}"
    body = {"name": "x", "data": text}
    script = made(any_api.post(SCRIPTS, body), "script_id")
    assert any_api.delete(f"{SCRIPTS}/{script}").status_int == 204
    made(any_api.post(SCRIPTS, body), "script_id")

    newest, deleted, created = listed(any_api, "kind=pyscript")

    checksum = created["after"]["checksum"]
    assert "data" not in created["after"]
    assert deleted["before"]["checksum"] == newest["after"]["checksum"] == checksum
    answer = any_api.get(f"{URL}/sources/{checksum}")
    assert answer.json == {"checksum": checksum, "source": text}
    assert any_api.get(f"{URL}/sources/{checksum}", as_=ALICE).status_int == 403
    assert any_api.get(f"{URL}/sources/x").status_int == 404


@pytest.fixture
def told(api):
    """Five changes by two users, an hour after each other."""
    start = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    for n in range(5):
        user, object_id = f"user {n % 2}", f"id{n // 2}"
        with (
            changes.acting(Actor(changes.API_V2, user)),
            db.session_for_write() as session,
        ):
            session.info["cloudkitty_instant"] = changes.writing.microseconds(
                start + dt.timedelta(hours=n, microseconds=7)
            )
            before = {"n": n} if n % 2 else None
            changes.record(session, [Change("thing", object_id, before, {"n": n + 1})])


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1, 0]),
        ("kind=thing,other", [4, 3, 2, 1, 0]),
        ("kind=other", []),
        ("object_id=id0&object_id=id2", [4, 1, 0]),
        ("user_id=user 1", [3, 1]),
        ("action=create", [4, 2, 0]),
        ("action=create,delete&user_id=user 1", []),
        ("begin=2026-11-01T01:00:00", [4, 3, 2, 1]),
        ("begin=2026-11-01T01:00:00&end=2026-11-01T03:00:00%2B00:00", [2, 1]),
        ("limit=2", [4, 3]),
        ("limit=2&marker=4", [2, 1]),
        ("marker=0", []),
    ],
)
def test_filters_and_pages(api, query, expected):
    assert [one["after"]["n"] - 1 for one in listed(api, query)] == expected


@pytest.mark.usefixtures("told")
def test_times_have_microseconds(api):
    assert listed(api, "limit=1")[0]["time"] == "2026-11-01T04:00:00.000007+00:00"


@pytest.mark.parametrize(
    "query",
    [
        "action=drop",
        "limit=0",
        "marker=x",
        "begin=then",
        "colour=red",
        "kind=%00",
        "limit=1&limit=2",
    ],
)
def test_what_is_no_question(api, query):
    assert api.get(f"{URL}?{query}").status_int == 400


def test_a_page_is_bounded(api, conf):
    conf.config(max_page_size=3, group="api")

    assert api.get(f"{URL}?limit=4").status_int == 400


def test_others_may_not_look(api):
    answer = api.get(URL, as_=ALICE)

    assert answer.status_int == 403
    assert answer.json == {"message": "You are not authorized to perform this action"}
    assert api.get(URL, as_=ADMIN).json == {"results": []}


def test_many_entries_are_streamed(api):
    with db.session_for_write() as session:
        changes.record(
            session, [Change("thing", str(n), None, {"text": "x" * 200}) for n in range(2500)]
        )

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": URL,
        "QUERY_STRING": "limit=100000",
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "HTTP_X_ROLES": "admin",
    }
    body = api.wsgi(environ, lambda *_args: None)
    pieces = list(body)
    body.close()

    assert len(pieces) > 2
    shown = json.loads(b"".join(pieces))["results"]
    assert [one["object_id"] for one in shown] == [str(n) for n in reversed(range(2500))]
