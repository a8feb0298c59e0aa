# SPDX-License-Identifier: Apache-2.0
"""Whatever a caller sends, the answer is a 4xx that names what is wrong (api.md D3, D10)."""

from __future__ import annotations

import json

import pytest

from cloudkitty.rating.hashmap.controllers import HashMapConfigController
from cloudkitty.tests.rating.hashmap.controllers.conftest import H, make, tree
from cloudkitty.tests.webapi import fault

DEAD = "00000000-0000-4000-8000-00000000dead"

TEXTS = [5, 1.5, True, [], {}, ["x"], {"x": 1}, "x" * 100_000, "a\x00b", "\ud800"]
UUIDS = [5, 0.1, False, [], {}, "", "zzz", DEAD + "0", "x" * 100_000, "\x00", "\ud800"]
NUMBERS = [
    None, "", " ", "abc", "NaN", "sNaN", "Infinity", "-inf", "1e12", "1000000000000", "1e999999",
    "1e99999999999999999999", "0x10", "1,5", "--1", [], {}, [1], True, "9" * 5000, "\x00",
    float("nan"), float("inf"), 10**400, 1e300, "999999999999.99999999999999999999999999999",
]  # fmt: skip
DATES = [
    5, 1.5, True, [], {}, "", "junk", "2030", "2030-01", "2030-13-01", "2030-01-32",
    "2030-01-01T25:00", "01/02/2030", "tomorrow", "2030-01-01T00:00:00+99:00", "\x00", "\ud800",
    "0000-01-01", "10000-01-01", "x" * 100_000,
]  # fmt: skip
TYPES = [5, True, [], {}, "", "FLAT", "weird", "\ud800"]
TYPES_OR_NULL = [*TYPES, None]


def _mapping(api, **attributes):
    service, _, _ = tree(api)
    return make(api, "mappings", service_id=service, cost="1", **attributes)


BAD = {
    "services": {"name": [*TEXTS, "", None], "service_id": UUIDS},
    "groups": {"name": [*TEXTS, "", None], "group_id": UUIDS},
    "fields": {"name": [*TEXTS, "", None], "service_id": [*UUIDS, None], "field_id": UUIDS},
    "mappings": {
        "value": TEXTS,
        "cost": NUMBERS,
        "type": TYPES_OR_NULL,
        "service_id": UUIDS,
        "field_id": UUIDS,
        "group_id": UUIDS,
        "mapping_id": UUIDS,
        "tenant_id": TEXTS,
        "name": TEXTS,
        "description": TEXTS,
        "start": DATES,
        "end": DATES,
        "created_at": DATES,
        "deleted": DATES,
        "created_by": [5, [], {}],
    },
    "thresholds": {
        "level": NUMBERS,
        "cost": NUMBERS,
        "type": TYPES_OR_NULL,
        "service_id": UUIDS,
        "field_id": UUIDS,
        "group_id": UUIDS,
        "threshold_id": UUIDS,
        "tenant_id": TEXTS,
    },
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_attributes_of_new_objects(any_api, kind):
    service, field, _ = tree(any_api)
    good = {
        "services": {"name": "new"},
        "groups": {"name": "new"},
        "fields": {"name": "new", "service_id": service},
        "mappings": {"field_id": field, "value": "v", "cost": "1"},
        "thresholds": {"field_id": field, "level": "1", "cost": "1"},
    }[kind]
    lists = f"{H}/{kind}" + (f"?service_id={service}" if kind == "fields" else "")
    before = any_api.get(lists).json
    for name, values in BAD[kind].items():
        for value in values:
            body = {**good, name: value}
            if name == "service_id" and kind in {"mappings", "thresholds"}:
                body.pop("field_id")
                body.pop("value", None)
            text = fault(any_api.post(f"{H}/{kind}", body), 400)
            # Empty ids of parents are no ids.
            assert name in text or "parent" in text, (name, value, text)
            assert len(text) < 2000
            text.encode()
    assert any_api.get(lists).json == before
    assert any_api.post(f"{H}/{kind}", good).status_int == 201


@pytest.mark.parametrize("kind", ["mappings", "thresholds"])
def test_bad_attributes_of_changes(any_api, kind):
    _, field, _ = tree(any_api)
    given = {"field_id": field, "cost": "1"}
    if kind == "mappings":
        given |= {"value": "v", "start": "2090-01-01"}
        writable = ("cost", "start", "end", "description", "name", "value", "created_at")
    else:
        given["level"] = "1"
        writable = ("cost", "level", "type", "tenant_id", "group_id")
    made = make(any_api, kind, **given)
    url = f"{H}/{kind}/" + made[f"{kind[:-1]}_id"]
    for name in writable:
        for value in BAD[kind][name]:
            if kind == "mappings" and name in {"name", "value"} and isinstance(value, str):
                continue  # a text there is ignored
            text = fault(
                any_api.put(
                    url,
                    {"cost": "1", "level": "1", name: value}
                    if kind == "thresholds"
                    else {"cost": "1", name: value},
                ),
                400,
            )
            assert name in text, (name, value, text)
    assert any_api.get(url).json == made


BODIES = [
    b"", b"null", b"[]", b"5", b'"text"', b"true", b"{", b'{"name"', b"\xff\xfe", b"NaN",
    b"[" * 100_000, b'{"a":' * 100_000, json.dumps([{"name": "x"}]).encode(),
]  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_bad_bodies(api, kind, method):
    for body in BODIES:
        for path in (f"{H}/{kind}", f"{H}/{kind}/{DEAD}"):
            answer = api(method, path, body=body, headers={"Content-Type": "application/json"})
            assert 400 <= answer.status_int < 500, (method, path, body[:40], answer.text)
            fault(answer, answer.status_int)


@pytest.mark.parametrize("kind", BAD)
def test_unknown_attributes_and_arguments(api, kind):
    assert "colour" in fault(api.post(f"{H}/{kind}", {"colour": 1}), 400)
    assert "colour" in fault(api.get(f"{H}/{kind}?colour=1&service_id={DEAD}"), 400)
    assert "colour" in fault(api.get(f"{H}/{kind}/{DEAD}?colour=1"), 400)
    assert "colour" in fault(api.delete(f"{H}/{kind}/{DEAD}?colour=1"), 400)
    assert "colour" in fault(api("DELETE", f"{H}/{kind}/{DEAD}", json={"colour": 1}), 400)
    fault(api("DELETE", f"{H}/{kind}", json={f"{kind[:-1]}_id": 5}), 400)
    fault(api("DELETE", f"{H}/{kind}", json={f"{kind[:-1]}_id": "zzz"}), 400)
    assert f"{kind[:-1]}_id" in fault(api.delete(f"{H}/{kind}"), 400)


def test_an_unknown_content_type(api):
    answer = api(
        "POST", f"{H}/services", body=b"name=x", headers={"Content-Type": "application/pdf"}
    )
    assert "application/pdf" in fault(answer, 415)


@pytest.mark.parametrize(
    "query",
    ["service_id=%00", "service_id=%ED%A0%80", "field_id=" + "x" * 5000, "group_id=%F0%9F%9A%80",
     "tenant_id=%00&filter_tenant=1", "tenant_id=%F0%9F%9A%80&filter_tenant=true"],
)  # fmt: skip
def test_ids_that_nothing_has(any_api, query):
    for kind in ("mappings", "thresholds"):
        answer = any_api.get(f"{H}/{kind}?{query}")
        assert answer.status_int in {200, 400}
        assert answer.status_int == 400 or answer.json == {kind: []}


@pytest.mark.parametrize(
    "query",
    ["deleted=maybe", "start=junk", "end=2030-13-01", "is_active=2", "no_group=ja", "all=perhaps",
     "filter_tenant=-"],
)  # fmt: skip
def test_bad_arguments_are_named(api, query):
    assert query.partition("=")[0] in fault(api.get(f"{H}/mappings?{query}"), 400)


@pytest.mark.parametrize("segment", ["%00", "%F0%9F%9A%80", "x" * 3000, "..", "%20", "None", "0"])
def test_odd_ids_in_paths(any_api, segment):
    for kind in BAD:
        for method in ("GET", "DELETE"):
            answer = any_api(method, f"{H}/{kind}/{segment}")
            assert answer.status_int in {400, 404, 405}, (method, kind, segment, answer.text)


def test_no_part_of_the_router_can_be_called(api):
    controller = HashMapConfigController()
    names = {*dir(controller), *dir(controller.mappings)}
    for name in sorted(names - {"services", "fields", "groups", "mappings", "thresholds", "types"}):
        for method in ("GET", "POST", "PUT", "DELETE"):
            for path in (f"{H}/{name}", f"{H}/{name}/x", f"{H}/mappings/{DEAD}/{name}",
                         f"{H}/mappings/{DEAD}/{name}/x/y"):  # fmt: skip
                answer = api(method, path)
                assert answer.status_int in {400, 404, 405}, (method, path, answer.text)


@pytest.mark.parametrize(
    "method", ["HEAD", "TRACE", "PATCH", "LOOKUP", "CUSTOM_ACTION", "BAD_REST_ARGUMENTS", "FOO"]
)
def test_methods_that_are_none(api, method):
    for path in (H, f"{H}/mappings", f"{H}/mappings/{DEAD}"):
        assert api(method, path).status_int == 405


def test_the_method_cannot_be_chosen_in_the_query(api):
    for name in ("lookup", "delete", "custom_action", "get"):
        assert "_method" in fault(api.get(f"{H}/mappings?_method={name}"), 400)
        assert "_method" in fault(api("POST", f"{H}/services?_method={name}"), 400)
