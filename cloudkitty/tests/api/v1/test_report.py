# SPDX-License-Identifier: Apache-2.0
"""Totals, summaries and tenants over HTTP (contract api.md 9, D27, D32, D33)."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from cloudkitty import db, timeutils
from cloudkitty.state.models import IdentifierState
from cloudkitty.tests import webapi
from cloudkitty.tests.api.v1.frames import point, post
from cloudkitty.tests.webapi import ALICE, NOBODY, fault

TOTAL = "/v1/report/total"
SUMMARY = "/v1/report/summary"
TENANTS = "/v1/report/tenants"
NOVEMBER = "begin=2026-11-01&end=2026-12-01"
LIMITS = {"begin": "2026-11-01T00:00:00", "end": "2026-12-01T00:00:00"}
AUDITOR = {"X-Project-Id": "project-a", "X-Roles": "auditor"}
READER_WITHOUT_PROJECT = {"X-Roles": "reader"}


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def any_api(database, conf):
    return webapi.Api(conf)


def test_totals_are_exact(any_api):
    api = any_api
    post(api, 0, cpu=[point(f"p{n}") for n in range(3)], tiny=[point("p9", "1e-28")])

    assert api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=true").json == (
        "0.3000000000000000000000000001"
    )
    assert api.get(f"{TOTAL}?{NOVEMBER}&tenant_id=p1").json == "0.1"
    assert api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=1&service=cpu").json == "0.3"
    assert api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=1&service=cpu,tiny").json == "0"
    assert api.get(f"{TOTAL}?{NOVEMBER}").json == "0"


def test_more_groups_than_a_page_has(any_api):
    post(any_api, 0, cpu=[point(f"p{n:04}", "1") for n in range(1100)])

    assert any_api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=yes").json == "1100.0"
    found = any_api.get(f"{SUMMARY}?{NOVEMBER}&all_tenants=yes&groupby=tenant_id").json
    assert len(found["summary"]) == 1100


def test_summaries_go_by_tenant_then_type(any_api):
    api = any_api
    post(api, 0, vol=[point("b", "2"), point("a", "3")], cpu=[point("b", "1.000005"), point("a")])

    def rows(query):
        found = api.get(f"{SUMMARY}?{NOVEMBER}&all_tenants=true&{query}").json["summary"]
        assert all({"begin": row["begin"], "end": row["end"]} == LIMITS for row in found)
        assert all(list(row) == [*LIMITS, "tenant_id", "res_type", "rate"] for row in found)
        return [(row["tenant_id"], row["res_type"], row["rate"]) for row in found]

    a, b = [("a", "cpu", "0.1"), ("a", "vol", "3.0")], [("b", "cpu", "1.0"), ("b", "vol", "2.0")]
    for groupby in ("tenant_id,res_type", "res_type,tenant_id", "xres_typetenant_idx,colour"):
        assert rows(f"groupby={groupby}") == a + b
    assert rows("groupby=res_type") == [("ALL", "cpu", "1.1"), ("ALL", "vol", "5.0")]
    assert rows("groupby=tenant_id&service=vol") == [("a", "ALL", "3.0"), ("b", "ALL", "2.0")]
    assert rows("groupby=colour") == rows("groupby=") == [("ALL", "ALL", "6.1")]
    one = api.get(f"{SUMMARY}?{NOVEMBER}&tenant_id=a").json["summary"]
    assert one == [{**LIMITS, "tenant_id": "ALL", "res_type": "ALL", "rate": "3.1"}]
    assert api.get(f"{SUMMARY}?{NOVEMBER}&tenant_id=none").json == {"summary": []}


def test_a_free_lunch_is_no_empty_plate(api):
    post(api, 0, free=[point("a", "0")])

    found = api.get(f"{SUMMARY}?{NOVEMBER}&tenant_id=a&groupby=res_type").json["summary"]

    assert [(row["res_type"], row["rate"]) for row in found] == [("free", "0")]


def test_points_of_nobody_are_in_the_sum(api):
    post(api, 0, cpu=[point(None, "1"), point("a", "2")])

    assert api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=true").json == "3.0"


def test_a_scope_key_of_another_name(api, conf):
    conf.config(scope_key="id", group="collect")
    post(api, 0, cpu=[point("x", "1"), point("y", "2")])

    assert api.get(f"{TOTAL}?{NOVEMBER}&tenant_id=r-y").json == "2.0"
    found = api.get(f"{SUMMARY}?{NOVEMBER}&all_tenants=true&groupby=tenant_id").json["summary"]
    assert [row["tenant_id"] for row in found] == ["r-x", "r-y"]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_limits(api, zone):
    timeutils.set_local_timezone(ZoneInfo(zone))
    for hour in (0, 1, 2):
        post(api, hour, cpu=[point("project-admin", "1")])

    def total(begin, end):
        return api.get(f"{TOTAL}?begin={begin}&end={end}").json

    assert total("2026-11-01", "2026-11-01T01:00:00") == "1.0"
    assert total("2026-11-01T00:00:00.000001", "20261101T03") == "2.0"
    assert total("2026-11-01%2001:00:00", "2026-11-01T03:30:00%2B01:00") == "2.0"
    assert total("2026-11-02", "2026-11-01") == "0"
    begin = "2026-11-01T02:00:00.500000%2B02:00"
    (row,) = api.get(f"{SUMMARY}?begin={begin}&end=2026-12-01").json["summary"]
    assert (row["begin"], row["end"]) == ("2026-11-01T00:00:00.500000", LIMITS["end"])


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati"])
def test_without_limits_it_is_the_month_in_utc(api, zone):
    timeutils.set_local_timezone(ZoneInfo(zone))
    now = dt.datetime.now(dt.UTC)
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    period = {"begin": begin.isoformat(), "end": (begin + dt.timedelta(hours=1)).isoformat()}
    usage = {"cpu": [point("project-admin", "1")]}
    api.post("/v2/dataframes", {"dataframes": [{"period": period, "usage": usage}]})

    assert api.get(TOTAL).json == "1.0"
    assert api.get(f"{TOTAL}?begin=&end=&tenant_id=&service=&all_tenants=").json == "1.0"
    (row,) = api.get(SUMMARY).json["summary"]
    assert row["begin"] == begin.replace(tzinfo=None).isoformat()
    end = dt.datetime.fromisoformat(row["end"])
    assert (end.day, end.time(), end > begin.replace(tzinfo=None)) == (1, dt.time(0), True)
    assert (end - dt.timedelta(days=1)).month == begin.month


def test_tenants_are_all_scopes_each_once(any_api):
    with db.session_for_write() as session:
        for number, (name, key) in enumerate([("b", "k1"), ("a", "k1"), ("b", "k2")]):
            session.add(
                IdentifierState(
                    identifier=name,
                    scope_key=key,
                    fetcher="f",
                    collector="c",
                    last_processed_timestamp=dt.datetime(2020, 1, 1),  # noqa: DTZ001
                    active=number != 1,
                )
            )
            session.flush()

    assert any_api.get(TENANTS).json == ["b", "a"]
    assert any_api.get(f"{TENANTS}?begin=2042-01-01&end=2043-01-01").json == ["b", "a"]


@pytest.mark.parametrize("path", [TOTAL, SUMMARY, TENANTS])
def test_bad_arguments(api, path):
    for name in ("begin", "end"):
        for value in ("garbage", "2026-11", "2026-13-01", "2026-11-01T00:00:00%2001:00", "1"):
            text = fault(api.get(f"{path}?{name}={value}", as_=NOBODY), 400)
            assert f"attribute {name}. Value: '" in text
            assert "unable to convert to datetime. Error: Unknown string format: " in text
    assert fault(api.get(f"{path}?colour=red"), 400) == 'Unknown argument: "colour"'
    fault(api.post(path, {}), 405)
    fault(api.get("/v1/report"), 405)
    for moment in ("0001-01-01", "9999-12-31T23:59:59"):
        for zone in ("Asia/Kathmandu", "America/New_York"):
            timeutils.set_local_timezone(ZoneInfo(zone))
            assert api.get(f"{path}?begin={moment}&end={moment}").status_int in {200, 400}


def test_bad_arguments_in_a_body(any_api):
    for path in (TOTAL, SUMMARY):
        for name, value in (
            ("tenant_id", "\ud800"),
            ("tenant_id", 5),
            ("service", "\0"),
            ("begin", 5),
            ("begin", "x"),
        ):
            assert name in fault(any_api.get(path, json={name: value}), 400)


@pytest.mark.parametrize("path", [TOTAL, SUMMARY])
def test_booleans_are_words(api, path):
    assert "all_tenants" in fault(api.get(f"{path}?all_tenants=maybe"), 400)
    for word in ("false", "0", "No", "OFF"):
        assert api.get(f"{path}?all_tenants={word}", as_=ALICE).status_int == 200


@pytest.mark.parametrize(
    ("path", "rule", "nothing"),
    [(TOTAL, "get_total", "0"), (SUMMARY, "get_summary", {"summary": []})],
)
def test_who_may(api, conf, path, rule, nothing):
    post(api, 0, cpu=[point("project-a", "1"), point("project-b", "2"), point("None", "4")])
    refused = f"Policy doesn't allow report:{rule} to be performed."
    for as_, query in (
        (ALICE, "tenant_id=project-b"),
        (ALICE, "all_tenants=true"),
        (ALICE, "all_tenants=true&tenant_id=project-a"),
        (AUDITOR, ""),
        (NOBODY, ""),
        (READER_WITHOUT_PROJECT, "all_tenants=true"),
        (READER_WITHOUT_PROJECT, "tenant_id=project-a"),
        ({**ALICE, "X-Project-Id": "None"}, "all_tenants=true"),
    ):
        assert fault(api.get(f"{path}?{NOVEMBER}&{query}", as_=as_), 403) == refused
    for query in ("", "&tenant_id=None", "&tenant_id="):
        found = api.get(f"{path}?{NOVEMBER}{query}", as_=READER_WITHOUT_PROJECT)
        assert (found.status_int, found.json) == (200, nothing)
    own = api.get(f"{path}?{NOVEMBER}", as_=ALICE).json
    assert (own if path == TOTAL else own["summary"][0]["rate"]) == "1.0"
    assert api.get(f"{path}?{NOVEMBER}&tenant_id=project-a", as_=ALICE).json == own


def test_old_defaults_of_the_policy_leak_nothing_either(api, conf):
    conf.config(enforce_new_defaults=False, group="oslo_policy")
    post(api, 0, cpu=[point("project-a", "1"), point("project-b", "2")])

    assert api.get(f"{TOTAL}?{NOVEMBER}", as_=AUDITOR).json == "1.0"
    assert api.get(f"{TOTAL}?{NOVEMBER}", as_=NOBODY).json == "0"
    fault(api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=true", as_=NOBODY), 403)
    fault(api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=true", as_=AUDITOR), 403)


def test_a_policy_may_let_others_see_all(api, conf, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text('"report:get_total": "role:billing"\n')
    conf.config(policy_file=str(policy), group="oslo_policy")
    post(api, 0, cpu=[point("project-a", "1"), point("project-b", "2")])
    billing = {"X-Project-Id": "office", "X-Roles": "billing"}

    assert api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=true", as_=billing).json == "3.0"
    assert api.get(f"{TOTAL}?{NOVEMBER}&tenant_id=project-b", as_=billing).json == "2.0"
    fault(api.get(f"{TOTAL}?{NOVEMBER}", as_=ALICE), 403)


def test_tenants_are_for_administrators(api):
    text = fault(api.get(TENANTS, as_=ALICE), 403)

    assert text == "Policy doesn't allow report:list_tenants to be performed."


def test_without_authentication(sqlite_database, conf):
    api = webapi.Api(conf)
    conf.config(auth_strategy="noauth")
    post(api, 0, cpu=[point("project-a", "1"), point("project-b", "2")])

    assert api.get(f"{TOTAL}?{NOVEMBER}", as_=NOBODY).json == "3.0"
    assert api.get(f"{TOTAL}?{NOVEMBER}", as_=ALICE).json == "1.0"
    assert api.get(f"{TOTAL}?{NOVEMBER}&all_tenants=true", as_=ALICE).json == "3.0"


def test_xml(api):
    post(api, 0, cpu=[point("project-admin", "1")])
    headers = {"Accept": "application/xml"}

    assert api.get(f"{TOTAL}?{NOVEMBER}", headers=headers).xml.text == "1.0"
    found = api.get(f"{SUMMARY}?{NOVEMBER}", headers=headers).xml
    assert found.find("summary/item/begin").text == LIMITS["begin"]


def test_storage_away(api, conf):
    conf.config(group="database", connection="sqlite:////nonexistent/directory/ck")
    db.reset()

    for path in (TOTAL, SUMMARY, TENANTS):
        fault(api.get(path), 503)
