# SPDX-License-Identifier: Apache-2.0
"""``/v2/rating/coverage``: who may ask, for what, and what is answered."""

from __future__ import annotations

import datetime as dt

import pytest

from cloudkitty import timeutils
from cloudkitty.storage.v2.base import BaseStorage
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests import webapi
from cloudkitty.tests.rating.coverage.cloud import rate, rules, series, switch

URL = "/v2/rating/coverage"
PAST = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - rule dates are naive
DAYS = "begin=2026-06-01T00:00:00Z&end=2026-06-04T00:00:00Z"


@pytest.fixture
def api(sqlite_database, conf):
    switch("hashmap")
    rules(lambda book: book.mapping("vm/flavor", "0.5", value="small", mapping_id="m1"))
    rules(lambda book: book.mapping("gone", 1, mapping_id="m2", end=PAST))
    rate("p1", [series("vm", {"flavor": "small"}), series("vm", {"flavor": "Ünique"}, ["1.5"])])
    rate("p2", [series("disk", {}, unit="GiB")])
    return webapi.Api(conf)


def message(answer, status):
    assert answer.status_int == status, answer.text
    return answer.json["message"]


def test_what_is_answered(api):
    answer = api.get(f"{URL}?{DAYS}")

    assert answer.status_int == 200
    found = answer.json
    assert (found["begin"], found["end"]) == (
        "2026-06-01T00:00:00+00:00",
        "2026-06-04T00:00:00+00:00",
    )
    assert found["result"] == "warning"
    assert {"module_id": "hashmap", "enabled": True} in found["modules"]
    assert found["points"] == {
        "total": 198,
        "priced": 66,
        "priced_at_zero": 0,
        "without_quantity": 0,
        "unpriced": 132,
        "ignored": 0,
    }
    assert found["price"] == 33.0
    assert found["totals"] == {"unpriced": 2, "priced_at_zero": 0, "unused_rules": 1, "overlaps": 0}
    assert found["warnings"] == {"unpriced": 2, "unused_rules": 0, "overlaps": 0}
    disk, vm = found["unpriced"]
    assert (disk["type"], disk["unit"], disk["reason"]) == ("disk", "GiB", "no_service")
    assert vm["values"] == [
        {"values": {"flavor": "Ünique"}, "points": 66, "qty": 99.0, "series": 1, "scopes": 1}
    ]
    (gone,) = found["unused_rules"]
    assert (gone["id"], gone["result"], gone["reason"]) == ("m2", "ok", "not_in_force")
    assert gone["end"] == "2020-01-01T00:00:00+00:00"


def test_types_that_are_meant_to_have_no_price(api):
    found = api.get(f"{URL}?{DAYS}&ignore=disk,vm&limit=1").json

    assert found["result"] == "ok"
    assert found["points"]["ignored"] == 132
    assert [one["ignored"] for one in found["unpriced"]] == [True]


@pytest.mark.parametrize("who", [webapi.ALICE, webapi.NOBODY])
def test_administrators_only(api, who):
    assert message(api.get(URL, as_=who), 403) == ("You are not authorized to perform this action")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("begin=x", "not a valid date"),
        ("limit=0", "value must be at least 1"),
        ("begin=2026-06-02&end=2026-06-01", "end must be after begin."),
        ("begin=2026-06-02&end=2026-06-02", "end must be after begin."),
        ("scope_id=p1", "extra keys not allowed"),
    ],
)
def test_refused(api, query, text):
    assert text in message(api.get(f"{URL}?{query}"), 400)


def test_limits_of_the_service(api, conf):
    conf.config(max_interval_days=2, max_page_size=5, group="api")

    assert "max_interval_days" in message(api.get(f"{URL}?{DAYS}"), 400)
    assert "max_page_size" in message(
        api.get(f"{URL}?begin=2026-06-03&limit=6&end=2026-06-04"), 400
    )
    assert api.get(f"{URL}?begin=2026-06-03&end=2026-06-04").status_int == 200


def test_without_an_interval_it_is_the_last_week(api, monkeypatch):
    monkeypatch.setattr(
        timeutils, "utcnow", lambda: timeutils.parse_iso("2026-06-08T10:30:00+00:00")
    )

    found = api.get(URL).json

    assert (found["begin"], found["end"]) == (
        "2026-06-01T00:00:00+00:00",
        "2026-06-08T10:30:00+00:00",
    )
    assert found["points"]["total"] == 198


def test_a_storage_that_cannot(api, monkeypatch):
    """One that has what the interface demands, and no more."""
    monkeypatch.setattr(SQLAlchemyStorage, "series_sums", BaseStorage.series_sums)

    assert message(api.get(f"{URL}?{DAYS}"), 501) == (
        "sums by series are not supported by storage backend 'sqlalchemy'."
    )
