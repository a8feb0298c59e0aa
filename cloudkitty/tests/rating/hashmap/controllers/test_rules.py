# SPDX-License-Identifier: Apache-2.0
"""Mappings and thresholds over HTTP (contract api.md 7.5, 7.6, D7 to D19)."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

import pytest

from cloudkitty import timeutils
from cloudkitty.tests.rating.hashmap.controllers.conftest import H, make, tree
from cloudkitty.tests.webapi import NOBODY, fault

KEYS = [
    "mapping_id", "value", "type", "cost", "service_id", "field_id", "group_id", "tenant_id",
    "created_at", "start", "end", "name", "description", "deleted", "created_by", "updated_by",
    "deleted_by",
]  # fmt: skip


def test_a_mapping_with_all_defaults(any_api):
    service, _, _ = tree(any_api)
    answer = any_api.post(f"{H}/mappings", {"service_id": service, "cost": "1.23"})
    assert answer.status_int == 201
    made = answer.json
    assert list(made) == KEYS
    assert made["cost"] == "1.2300000000000000000000000000"
    assert (made["value"], made["type"], made["created_by"]) == ("", "flat", "user-admin")
    assert made["start"] == made["created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?", made["start"])
    assert answer.headers["Location"] == f"http://localhost{H}/mappings/{made['mapping_id']}"
    assert any_api.get(f"{H}/mappings/{made['mapping_id']}/").json == made


@pytest.mark.parametrize(
    ("literal", "shown"),
    [
        ('"0.1"', "0.1000000000000000000000000000"),
        ("0.1", "0.1000000000000000000000000000"),
        ("1.5e-3", "0.0015000000000000000000000000"),
        ("2", "2.0000000000000000000000000000"),
        ("-0.0", "0.0000000000000000000000000000"),
        ('"1E+2"', "100.0000000000000000000000000000"),
        ("0.12345678901234567890123456785", "0.1234567890123456789012345678"),
        ("999999999999.9999999999999999999999999999",
         "999999999999.9999999999999999999999999999"),
    ],
)  # fmt: skip
def test_costs_are_exact_however_they_are_written(any_api, literal, shown):
    service, _, _ = tree(any_api)
    body = f'{{"service_id": "{service}", "cost": {literal}}}'.encode()
    made = any_api(
        "POST", f"{H}/mappings", body=body, headers={"Content-Type": "application/json"}
    ).json
    assert made["cost"] == shown
    assert any_api.get(f"{H}/mappings").json["mappings"] == [made]


def test_the_ways_of_the_official_client(any_api):
    service, field, _ = tree(any_api)
    made = any_api.post(
        f"{H}/mappings/",
        {"cost": "1.5", "value": None, "service_id": service, "group_id": None, "field_id": None,
         "tenant_id": None, "type": "flat", "name": "0123456789abcdef01234567"},
    ).json  # fmt: skip
    url = f"{H}/mappings/{made['mapping_id']}"
    assert made["value"] is None
    # The whole object comes back, its id in the body only, and once more after the redirect.
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).strftime("%Y-%m-%d")
    for _ in range(2):
        answer = any_api.put(f"{H}/mappings/", {**made, "end": tomorrow})
        assert answer.status_int == 302, answer.text
        assert answer.headers["Location"] == f"http://localhost{H}/mappings/"
        assert answer.body == b""
    assert any_api.get(url).json == {
        **made,
        "end": f"{tomorrow}T23:59:59",
        "updated_by": "user-admin",
    }
    found = any_api.get(f"{H}/mappings/?service_id={service}&tenant_id=t&filter_tenant=True")
    assert found.json == {"mappings": []}
    assert any_api.get(f"{H}/fields/?service_id={service}").json["fields"][0]["field_id"] == field
    assert (
        any_api.delete(f"{H}/mappings/", json={"mapping_id": made["mapping_id"]}).status_int == 204
    )


def test_a_put_that_changes_nothing(any_api):
    _, field, group = tree(any_api)
    for window in ({}, {"start": "2090-01-01", "end": "2090-02-01"}):
        made = make(
            any_api, "mappings", field_id=field, value="v" + str(len(window)), cost="0.10",
            type="rate", group_id=group, tenant_id="t", description="words", **window,
        )  # fmt: skip
        url = f"{H}/mappings/{made['mapping_id']}"
        answer = any_api.put(url, {**made, "field_id": made["field_id"].upper()})
        assert answer.status_int == 302, answer.text
        assert answer.headers["Location"] == f"http://localhost{url}"
        assert any_api.get(url).json == made


def test_offsets_are_converted_to_the_wall_clock_of_the_host(api):
    timeutils.set_local_timezone(zoneinfo.ZoneInfo("America/New_York"))
    _, field, _ = tree(api)
    made = make(
        api, "mappings", field_id=field, value="v", cost="1",
        start="2090-01-02T03:04:05Z", end="2090-07-02 03:04:05+02:00",
    )  # fmt: skip
    assert (made["start"], made["end"]) == ("2090-01-01T22:04:05", "2090-07-01T21:04:05")
    for given, count in (("2090-01-02T03:04:05Z", 1), ("2090-01-02T03:04:06Z", 0)):
        assert len(api.get(f"{H}/mappings?start={given}").json["mappings"]) == count


def test_booleans_of_queries_are_words(api):
    service, _, _ = tree(api)
    old = {"service_id": service, "cost": "1", "start": "2020-01-01"}
    for no in ("false", "0", "no", "OFF", ""):
        assert "start in the past" in fault(api.post(f"{H}/mappings?force={no}", old), 400)
    assert "force" in fault(api.post(f"{H}/mappings?force=2", old), 400)
    assert "force" in fault(api.post(f"{H}/mappings", {**old, "force": True}), 400)
    assert api.post(f"{H}/mappings?force=True", old).status_int == 201
    assert len(api.get(f"{H}/mappings?is_active=").json["mappings"]) == 1
    assert len(api.get(f"{H}/mappings?all=").json["mappings"]) == 1
    assert "You must specify either" in fault(api.get(f"{H}/mappings?all=false"), 400)
    assert api.get(f"{H}/mappings?all=false&service_id={service}").status_int == 200


def test_a_group_is_deleted_with_or_without_its_members(any_api):
    service, field, group = tree(any_api)
    mapping = make(any_api, "mappings", service_id=service, cost="1", group_id=group)
    threshold = make(any_api, "thresholds", field_id=field, level="1", cost="1", group_id=group)
    assert any_api.delete(f"{H}/groups/{group}?recursive=false").status_int == 204
    url = f"{H}/mappings/{mapping['mapping_id']}"
    assert any_api.get(url).json["group_id"] is None
    other = make(any_api, "groups", name="other")["group_id"]
    body = {"level": "1", "cost": "1", "group_id": other}
    assert any_api.put(f"{H}/thresholds/{threshold['threshold_id']}", body).status_int == 302
    assert (
        any_api.delete(f"{H}/groups/", json={"group_id": other, "recursive": True}).status_int
        == 204
    )
    fault(any_api.get(f"{H}/thresholds/{threshold['threshold_id']}"), 404)
    assert any_api.get(url).status_int == 200


def test_a_path_beats_the_query_and_the_query_the_body(api):
    one, two, three = (make(api, "groups", name=name)["group_id"] for name in "abc")
    url = f"{H}/groups/{one}?group_id={two}"
    assert api.get(url).json["name"] == "a"
    assert api.delete(url, json={"group_id": three}).status_int == 204
    assert api.delete(f"{H}/groups?group_id={two}", json={"group_id": three}).status_int == 204
    assert [group["name"] for group in api.get(f"{H}/groups").json["groups"]] == ["c"]
    assert api.delete(f"{H}/groups/{three}/true").status_int == 204


def test_of_a_repeated_parameter_the_last_one_counts(api):
    service, _, _ = tree(api)
    make(api, "mappings", service_id=service, cost="1")
    found = api.get(f"{H}/mappings?service_id=none&service_id={service}").json
    assert len(found["mappings"]) == 1


def test_descriptions_are_searched_literally(any_api):
    _, field, _ = tree(any_api)
    for value, text in (("a", "100% off"), ("b", "Straße_1"), ("c", None)):
        make(any_api, "mappings", field_id=field, value=value, cost="1", description=text)

    def found(part):
        answer = any_api.get(f"{H}/mappings?description={part}")
        return [mapping["value"] for mapping in answer.json["mappings"]]

    assert found("%25") == ["a"]
    assert found("_") == ["b"]
    assert found("STRASSE") == ["b"]
    assert found("OFF") == ["a"]


def test_any_text_is_kept(any_api):
    _, field, _ = tree(any_api)
    value = "🚀 m1.Größe '\"\\ %s "
    made = make(any_api, "mappings", field_id=field, value=value, cost="1", tenant_id="日本")
    assert made["value"] == value
    assert any_api.get(f"{H}/mappings/{made['mapping_id']}").json == made
    other = {"field_id": field, "value": value.rstrip(), "cost": "1", "tenant_id": "日本"}
    assert any_api.post(f"{H}/mappings", other).status_int == 201
    text = fault(any_api.post(f"{H}/mappings", other), 409)
    assert text == (
        f"Mapping '{value.rstrip()}' already exists for field '{field}', tenant: '日本'"
    )


def test_nobody_in_particular_is_unknown(api, conf):
    conf.config(auth_strategy="noauth")
    service, _, _ = tree(api)
    made = api.post(f"{H}/mappings", {"service_id": service, "cost": "1"}, as_=NOBODY).json
    assert made["created_by"] == "unknown"
    longest = {"X-User-Id": "u" * 64}
    url = f"{H}/mappings/{made['mapping_id']}"
    assert api.delete(url, as_=longest).status_int == 204
    assert api.get(url).json["deleted_by"] == "u" * 64


def test_a_threshold(any_api):
    service, _, _ = tree(any_api)
    answer = any_api.post(f"{H}/thresholds", {"service_id": service, "level": 2, "cost": 0.1})
    made = answer.json
    assert list(made) == [
        "threshold_id", "level", "type", "cost", "service_id", "field_id", "group_id", "tenant_id",
    ]  # fmt: skip
    assert (made["level"], made["cost"]) == ("2.00000000", "0.1000000000000000000000000000")
    url = f"{H}/thresholds/{made['threshold_id']}"
    assert answer.headers["Location"] == f"http://localhost{url}"
    again = {"service_id": service, "level": "2.0", "cost": "5"}
    assert fault(any_api.post(f"{H}/thresholds", again), 409) == (
        f"Threshold '2.00000000' already exists for service '{service}', tenant: 'None'"
    )
    for path in (url, f"{H}/thresholds/"):
        answer = any_api.put(path, {**made, "cost": "7"})
        assert answer.status_int == 302, answer.text
        assert answer.headers["Location"] == f"http://localhost{path}"
    assert any_api.get(url).json == {**made, "cost": "7.0000000000000000000000000000"}


def test_lists_are_in_the_order_of_creation(any_api):
    _, field, _ = tree(any_api)
    values = ["z", "a", "m", "b"]
    for level, value in enumerate(values):
        make(any_api, "mappings", field_id=field, value=value, cost="1")
        make(any_api, "thresholds", field_id=field, level=10 - level, cost="1")
    mappings = any_api.get(f"{H}/mappings?field_id={field}").json["mappings"]
    assert [mapping["value"] for mapping in mappings] == values
    thresholds = any_api.get(f"{H}/thresholds").json["thresholds"]
    assert [float(threshold["level"]) for threshold in thresholds] == [10, 9, 8, 7]
