# SPDX-License-Identifier: Apache-2.0
"""Data frames of v1 over HTTP (contract api.md 10, D34, D35)."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from cloudkitty import timeutils
from cloudkitty.tests import webapi
from cloudkitty.tests.api.v1.frames import point, post
from cloudkitty.tests.webapi import ALICE, NOBODY, fault

FRAMES = "/v1/storage/dataframes"
NOVEMBER = "begin=2026-11-01&end=2026-12-01"
READER_WITHOUT_PROJECT = {"X-Roles": "reader"}


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    return webapi.Api(conf)


def test_an_element_for_each_period_tenant_and_type(any_api):
    api = any_api
    labels = {"flavor": "é", "vcpus": 2, "share": 0.25, "on": True, "big": 10**30, "id": "hidden"}
    mixed = [point("b", "0"), point("a", "0.10", "10.5", **labels), point("b", "3"), point(None)]
    post(api, 1, cpu=[point("a", "1")])
    post(api, 0, vol=[point("a", "2", "20")], cpu=mixed)

    found = api.get(f"{FRAMES}?{NOVEMBER}").json["dataframes"]

    def limits(hour):
        return {
            "begin": f"2026-11-01T0{hour}:00:00",
            "end": f"2026-11-01T0{hour + 1}:00:00",
        }

    first = [frame for frame in found if frame["begin"] == limits(0)["begin"]]
    assert found[: len(first)] == first
    assert all(list(frame) == [*limits(0), "tenant_id", "resources"] for frame in found)
    assert [frame["resources"][0]["service"] for frame in first] == ["cpu"] * 3 + ["vol"]
    assert {frame["tenant_id"] for frame in first[:3]} == {"a", "b", "__UNDEF__"}
    by_tenant = {frame["tenant_id"]: frame["resources"] for frame in first[:3]}
    assert sorted(resource["rating"] for resource in by_tenant["b"]) == ["0.0", "3.0"]
    (own,) = by_tenant["a"]
    assert list(own) == ["rating", "service", "desc", "volume"]
    assert own == {
        "rating": "0.1",
        "service": "cpu",
        "desc": {**labels, "id": "r-a", "project_id": "a"},
        "volume": "10.5",
    }
    assert found[-1] == {
        **limits(1),
        "tenant_id": "a",
        "resources": [
            {
                "rating": "1.0",
                "service": "cpu",
                "desc": {"id": "r-a", "project_id": "a"},
                "volume": "1.0",
            }
        ],
    }


def test_filters(any_api):
    api = any_api
    post(api, 0, cpu=[point("a"), point("b")], vol=[point("a")])

    def found(query):
        frames = api.get(f"{FRAMES}?{NOVEMBER}&{query}").json["dataframes"]
        return {(frame["tenant_id"], frame["resources"][0]["service"]) for frame in frames}

    assert found("tenant_id=a") == {("a", "cpu"), ("a", "vol")}
    assert found("resource_type=cpu") == {("a", "cpu"), ("b", "cpu")}
    assert found("tenant_id=a&resource_type=vol") == {("a", "vol")}
    assert found("resource_type=cpu,vol") == found("tenant_id=none") == set()
    assert len(found("tenant_id=&resource_type=")) == 3
    late = api.get(f"{FRAMES}?begin=2026-11-01T01:00:00&end=2026-12-01").json
    assert late == {"dataframes": []}


def test_there_are_no_pages(api):
    post(api, 0, cpu=[point(f"p{n:04}") for n in range(1100)])

    assert len(api.get(f"{FRAMES}?{NOVEMBER}").json["dataframes"]) == 1100


def test_dates_are_naive_utc_whatever_the_host_has(api):
    timeutils.set_local_timezone(ZoneInfo("Asia/Kathmandu"))
    post(api, 0, cpu=[point("a")])

    (frame,) = api.get(f"{FRAMES}?begin=2026-11-01T01:00:00%2B01:00&end=2026-11-02").json[
        "dataframes"
    ]

    assert (frame["begin"], frame["end"]) == ("2026-11-01T00:00:00", "2026-11-01T01:00:00")


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
def test_without_limits_it_is_the_local_month(api, zone):
    timeutils.set_local_timezone(ZoneInfo(zone))
    first = timeutils.month_start(dt.datetime.now(dt.UTC))
    for begin in (first, first - dt.timedelta(hours=1)):
        period = {"begin": begin.isoformat(), "end": (begin + dt.timedelta(hours=1)).isoformat()}
        usage = {"cpu": [point("a")]}
        api.post("/v2/dataframes", {"dataframes": [{"period": period, "usage": usage}]})

    (frame,) = api.get(FRAMES).json["dataframes"]

    assert frame["begin"] == timeutils.naive_utc(first).isoformat()


def test_bad_arguments(api):
    for name in ("begin", "end"):
        assert f"attribute {name}." in fault(api.get(f"{FRAMES}?{name}=garbage", as_=NOBODY), 400)
    assert fault(api.get(f"{FRAMES}?colour=red"), 400) == 'Unknown argument: "colour"'
    assert "tenant_id" in fault(api.get(FRAMES, json={"tenant_id": "\0"}), 400)
    for method in ("POST", "PUT", "DELETE"):
        fault(api(method, FRAMES), 405)
    fault(api.get(f"{FRAMES}/x"), 405)
    fault(api.get("/v1/storage"), 405)


def test_who_may(api):
    post(api, 0, cpu=[point("project-a"), point("project-b"), point("None")])
    auditor = {"X-Project-Id": "project-a", "X-Roles": "auditor"}
    for as_, query in ((ALICE, "tenant_id=project-b"), (auditor, ""), (NOBODY, "")):
        text = fault(api.get(f"{FRAMES}?{NOVEMBER}&{query}", as_=as_), 403)
        assert text == "Policy doesn't allow storage:list_data_frames to be performed."
    for query in ("", "&tenant_id=None"):
        found = api.get(f"{FRAMES}?{NOVEMBER}{query}", as_=READER_WITHOUT_PROJECT)
        assert (found.status_int, found.json) == (200, {"dataframes": []})
    (frame,) = api.get(f"{FRAMES}?{NOVEMBER}", as_=ALICE).json["dataframes"]
    assert frame["tenant_id"] == "project-a"
    assert len(api.get(f"{FRAMES}?{NOVEMBER}").json["dataframes"]) == 3


def test_without_authentication_all_is_shown(sqlite_database, conf):
    api = webapi.Api(conf)
    conf.config(auth_strategy="noauth")
    post(api, 0, cpu=[point("project-a"), point("project-b")])

    assert len(api.get(f"{FRAMES}?{NOVEMBER}", as_=ALICE).json["dataframes"]) == 2


def test_xml(api):
    post(api, 0, cpu=[point("a", flavor="big", note=None)])

    found = api.get(f"{FRAMES}?{NOVEMBER}", headers={"Accept": "application/xml"}).xml

    resource = found.find("dataframes/item/resources/item")
    labels = {item.find("key").text: item.find("value").text for item in resource.find("desc")}
    assert labels == {"id": "r-a", "project_id": "a", "flavor": "big", "note": None}
