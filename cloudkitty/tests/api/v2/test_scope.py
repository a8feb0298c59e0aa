# SPDX-License-Identifier: Apache-2.0
"""``/v2/scope``: what may be said in bodies, what comes of it, and who may say it."""

from __future__ import annotations

import pytest

from cloudkitty import messaging, timeutils
from cloudkitty.state import orders
from cloudkitty.state.scope import Origin
from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import ADMIN, ALICE

P = 3600
BODY = {"scope_id": "a", "last_processed_timestamp": "2026-01-01T00:00:00"}
#: What is no text in a JSON body.
NO_TEXTS = [None, True, 1.5, {}, [[]]]


@pytest.fixture(autouse=True)
def origin(conf):
    conf.config(collector="prometheus", scope_key="project_id", group="collect")
    conf.config(backend="source", group="fetcher")
    return Origin("project_id", "source", "prometheus")


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    return webapi.Api(conf)


def patch(api, body, **options):
    return api("PATCH", "/v2/scope", json=body, **options)


def create(api, *names, **more):
    for name in names:
        assert api.post("/v2/scope", {**BODY, "scope_id": name, **more}).status_int == 200


def reason(answer):
    assert answer.status_int == 400
    return answer.json["message"].partition("' : ")[2] or answer.json["message"]


def ordered(origin):
    return {(one.scope_id, one.to.isoformat()) for one in orders.pending(origin, P)}


# Reset


def test_a_reset_is_stored(any_api, origin):
    create(any_api, "a", "b", "c")

    body = {"scope_id": "a,b", "last_processed_timestamp": "2025-12-31T01:00:00+01:00"}
    answer = any_api.put("/v2/scope", body)

    assert (answer.status_int, answer.json) == (202, {})
    when = "2025-12-31T00:00:00+00:00"
    assert ordered(origin) == {("a", when), ("b", when)}
    scopes = any_api.get("/v2/scope").json["results"]
    assert {scope["state"] for scope in scopes} == {"2026-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ({"scope_id": ["a"]}, {"a"}),
        ({"scope_id": ["a", "b", "a", "off", "no"]}, {"a", "b"}),
        ({"all_scopes": True}, {"a", "b", "c"}),
        ({"all_scopes": "YES"}, {"a", "b", "c"}),
        ({"all_scopes": 1, "fetcher": "f"}, {"b", "c"}),
        ({"all_scopes": True, "fetcher": ["f", "source"], "collector": "x"}, {"c"}),
        ({"all_scopes": True, "scope_key": None}, {"a", "b", "c"}),
        ({"scope_id": "a,c", "scope_key": "k,l"}, {"c"}),
    ],
)
def test_which_scopes_are_reset(api, origin, selection, names):
    create(api, "a")
    create(api, "b", fetcher="f")
    create(api, "c", fetcher="f", collector="x", scope_key="k")
    create(api, "off", active=False)

    assert api.put("/v2/scope", {**selection, "state": "2026-01-01"}).status_int == 202

    assert {name for name, _when in ordered(origin)} == names


def test_more_than_a_page_of_scopes(api, origin):
    create(api, *(f"s{n}" for n in range(120)))

    body = {"all_scopes": True, "last_processed_timestamp": "2025-12-01"}
    assert api.put("/v2/scope", body).status_int == 202

    assert len(ordered(origin)) == 120


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Either all_scopes or a scope_id should be specified."),
        ({"state": "2026-01-01"}, "Either all_scopes or a scope_id should be specified."),
        (
            {"all_scopes": False, "state": "2026-01-01"},
            "Either all_scopes or a scope_id should be specified.",
        ),
        ({"scope_id": "a"}, "Variable 'last_processed_timestamp' cannot be empty/None."),
        (
            {"all_scopes": True, "scope_id": "a", "state": "2026-01-01"},
            (
                "two or more values in the same group of exclusion 'scope_selector' "
                "(path: '[<scope_selector>]')"
            ),
        ),
        (
            {"scope_id": [], "state": "2026-01-01"},
            "length of value must be at least 1 (path: '['scope_id']')",
        ),
        (
            {"all_scopes": None, "state": "2026-01-01"},
            "expected boolean (path: '['all_scopes']')",
        ),
        (
            {"scope_id": "a", "state": "2026-01-01", "last_processed_timestamp": "2026-01-02"},
            "'last_processed_timestamp' and 'state' are the same, but differ here.",
        ),
        ({"scope_id": "a", "state": None}, "not a valid date (path: '['state']')"),
        (
            {"scope_id": "a", "last_processed_timestamp": "9999-12-31T23:00:00"},
            "not a valid date (path: '['last_processed_timestamp']')",
        ),
        ({"scope_id": "a", "colour": 1}, "extra keys not allowed (path: '['colour']')"),
        ([], "expected a dictionary (path: '[]')"),
    ],
)
def test_what_is_no_reset(api, origin, body, text):
    create(api, "a")

    assert reason(api.put("/v2/scope", body)) == text
    assert ordered(origin) == set()


def test_both_names_of_the_time_when_they_agree(api, origin):
    create(api, "a")
    body = {"scope_id": "a", "state": "2025-12-01", "last_processed_timestamp": "20251201T00Z"}

    assert api.put("/v2/scope", body).status_int == 202
    assert ordered(origin) == {("a", "2025-12-01T00:00:00+00:00")}


@pytest.mark.parametrize("names", ["no", ["off"], "A"])
def test_nothing_to_reset(api, origin, names):
    create(api, "a")
    create(api, "off", active=False)

    answer = api.put("/v2/scope", {"scope_id": names, "state": "2026-01-01"})

    assert answer.status_int == 404
    assert answer.json == {"message": "No resource found for provided filters."}


def test_processors_are_told(api, monkeypatch):
    told = []
    monkeypatch.setattr(messaging, "wake_for_resets", lambda *told_: told.append(told_))
    create(api, "a")

    api.put("/v2/scope", {"scope_id": "a", "state": "2025-12-31T00:00:00+00:00"})
    api.put("/v2/scope", {"scope_id": "no", "state": "2025-12-31T00:00:00+00:00"})

    scope = {
        "scope_id": "a",
        "scope_key": "project_id",
        "fetcher": "source",
        "collector": "prometheus",
    }
    assert told == [([scope], "2025-12-31T00:00:00+00:00")]


# Create


def test_a_scope_is_created_with_what_is_configured(any_api):
    answer = any_api.post("/v2/scope", BODY)

    assert answer.status_int == 200
    toggled = answer.json.pop("scope_activation_toggle_date")
    assert toggled.endswith("+00:00")
    assert (
        answer.json.items()
        >= {
            "scope_id": "a",
            "scope_key": "project_id",
            "fetcher": "source",
            "collector": "prometheus",
            "last_processed_timestamp": "2026-01-01T00:00:00+00:00",
            "state": "2026-01-01T00:00:00+00:00",
            "active": True,
        }.items()
    )
    assert any_api.get("/v2/scope").json["results"] == [answer.json]


def test_times_are_shown_in_the_local_zone(api):
    from dateutil import tz

    timeutils.set_local_timezone(tz.gettz("America/New_York"))

    shown = api.post("/v2/scope", {**BODY, "last_processed_timestamp": "2026-07-01"}).json

    assert shown["last_processed_timestamp"] == "2026-06-30T20:00:00-04:00"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"scope_id": ["a"]}, {"scope_id": "a"}),
        ({"scope_id": 5}, {"scope_id": "5"}),
        ({"scope_id": "a,b"}, {"scope_id": "a,b"}),
        ({"scope_id": "x" * 256}, {"scope_id": "x" * 256}),
        ({"scope_key": None, "fetcher": "", "collector": ["c"]}, {"collector": "c"}),
        ({"active": None}, {"active": True}),
        ({"active": 0}, {"active": False}),
        ({"active": "oFf"}, {"active": False}),
        ({"active": ["enable"]}, {"active": True}),
    ],
)
def test_how_values_may_be_written(api, given, expected):
    shown = api.post("/v2/scope", {**BODY, **given}).json

    usual = {"scope_key": "project_id", "fetcher": "source", "collector": "prometheus"}
    for name, value in {**usual, "active": True, **expected}.items():
        assert shown[name] == value


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"scope_id": ""}, "length of value must be at least 1 (path: '['scope_id']')"),
        ({"scope_id": "x" * 257}, "too long, at most 256 characters (path: '['scope_id']')"),
        ({"scope_id": ["a", "b"]}, "length of value must be 1 (path: '['scope_id']')"),
        ({"scope_id": []}, "length of value must be 1 (path: '['scope_id']')"),
        *(({"scope_id": value}, "expected str (path: '['scope_id']')") for value in NO_TEXTS),
        ({"scope_id": "\0"}, "not a valid text (path: '['scope_id']')"),
        ({"scope_id": "\ud800"}, "not a valid text (path: '['scope_id']')"),
        ({"fetcher": "x" * 41}, "too long, at most 40 characters (path: '['fetcher']')"),
        ({"collector": {}}, "expected str (path: '['collector']')"),
        ({"active": "perhaps"}, "expected boolean (path: '['active']')"),
        ({"active": 2}, "expected boolean (path: '['active']')"),
        ({"active": []}, "length of value must be 1 (path: '['active']')"),
        ({"active": 1.0}, "expected boolean (path: '['active']')"),
        (
            {"last_processed_timestamp": None},
            "not a valid date (path: '['last_processed_timestamp']')",
        ),
        (
            {"last_processed_timestamp": "0999-12-31"},
            "not a valid date (path: '['last_processed_timestamp']')",
        ),
        ({"state": "2026-01-01"}, "extra keys not allowed (path: '['state']')"),
    ],
)
def test_what_is_no_scope(api, given, text):
    assert reason(api.post("/v2/scope", {**BODY, **given})).endswith(text)
    assert api.get("/v2/scope").status_int == 404


@pytest.mark.parametrize("missing", list(BODY))
def test_what_a_scope_needs(api, missing):
    body = {name: value for name, value in BODY.items() if name != missing}

    answer = api.post("/v2/scope", body)

    assert reason(answer) == f"required key not provided (path: '['{missing}']')"


@pytest.mark.parametrize("active", [True, False])
def test_an_id_exists_once(any_api, active):
    create(any_api, "a", active=active)

    answer = any_api.post("/v2/scope", {**BODY, "scope_key": "another"})

    assert answer.status_int == 409
    text = "Cannot create a scope with an already existing scope_id: a."
    assert answer.json == {"message": text}
    assert len(any_api.get("/v2/scope").json["results"]) == 1


# Change


def test_a_scope_is_switched_and_renamed(any_api):
    create(any_api, "a", "b")

    answer = patch(any_api, {"scope_id": ["a"], "active": "false", "collector": "x", "fetcher": ""})

    assert answer.status_int == 200
    assert (answer.json["active"], answer.json["collector"]) == (False, "x")
    assert (answer.json["fetcher"], answer.json["scope_key"]) == ("source", "project_id")
    assert any_api.get("/v2/scope?scope_id=a").json["results"] == [answer.json]
    assert any_api.get("/v2/scope?active=1").json["results"][0]["scope_id"] == "b"
    same = patch(any_api, {"scope_id": "a", "active": None, "scope_key": None})
    assert same.json == answer.json


def test_which_scopes_cannot_be_changed(api, conf):
    create(api, "a")
    assert patch(api, {"scope_id": "no", "active": True}).json == {
        "message": "No resource found for provided filters."
    }
    conf.config(collector="gnocchi", group="collect")
    from cloudkitty.tests.state.test_scope import OTHER, add

    add("a", origin=OTHER)

    answer = patch(api, {"scope_id": "a", "active": True})

    assert answer.status_int == 404
    assert answer.json == {"message": "Too many resources found with the same scope_id: a."}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"last_processed_timestamp": "2026-01-01"}, "extra keys not allowed"),
        ({"scope_key": "x" * 41}, "too long, at most 40 characters"),
        ({"active": "x"}, "expected boolean"),
        ({"active": [True, False]}, "length of value must be 1"),
    ],
)
def test_what_is_no_change(api, given, text):
    create(api, "a")
    before = api.get("/v2/scope").json

    (name,) = given
    assert reason(patch(api, {"scope_id": "a", **given})) == f"{text} (path: '['{name}']')"
    assert api.get("/v2/scope").json == before


# Who may


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("PUT", {"scope_id": "project-a", "state": "2020-01-01"}),
        ("PUT", {"all_scopes": True, "state": "2020-01-01"}),
        ("PATCH", {"scope_id": "project-a", "active": False}),
        ("POST", BODY),
    ],
)
@pytest.mark.parametrize(
    "who",
    [
        ALICE,
        webapi.NOBODY,
        {"X-Roles": "admin,reader", "OpenStack-System-Scope": "all"},
        {"X-Roles": "admin,reader", "X-Domain-Id": "d"},
    ],
)
def test_only_administrators_of_a_project_may(api, origin, method, body, who):
    create(api, "project-a")
    before = api.get("/v2/scope").json

    answer = api(method, "/v2/scope", json=body, as_=who)

    assert answer.status_int == 403
    assert answer.json == {"message": "You are not authorized to perform this action"}
    assert api.get("/v2/scope").json == before
    assert ordered(origin) == set()


@pytest.mark.parametrize(
    ("rule", "method", "body"),
    [
        ("scope:patch_state", "PATCH", {"scope_id": "project-a", "active": False}),
        ("scope:post_state", "POST", {**BODY, "scope_id": "project-a"}),
    ],
)
def test_a_policy_may_look_at_the_scope(api, conf, tmp_path, rule, method, body):
    create(api, "project-b")
    if method == "PATCH":
        create(api, "project-a")
    policy = tmp_path / "policy.yaml"
    policy.write_text(f'"{rule}": "project_id:%(tenant_id)s"\n')
    conf.config(policy_file=str(policy), group="oslo_policy")
    api = webapi.Api(conf)

    assert api(method, "/v2/scope", json=body, as_=ALICE).status_int == 200
    other = {**body, "scope_id": "project-b"}
    assert api(method, "/v2/scope", json=other, as_=ALICE).status_int == 403


def test_the_body_is_read_before_the_policy(api):
    assert api.put("/v2/scope", {"colour": 1}, as_=ALICE).status_int == 400
    assert api.put("/v2/scope", {}, as_=ALICE).status_int == 403
    assert api("PUT", "/v2/scope", as_=ADMIN).status_int == 415


def test_other_methods(api):
    answer = api.delete("/v2/scope")

    assert answer.status_int == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, PATCH, POST, PUT"
