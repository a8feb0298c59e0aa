# SPDX-License-Identifier: Apache-2.0
"""``/v2/rating/simulations``: ordered, shown, deleted; mistakes are told at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cloudkitty import messaging, timeutils
from cloudkitty.processor.notices import Notices
from cloudkitty.processor.simulations import Simulations
from cloudkitty.state import simulations
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests import webapi
from cloudkitty.tests.simulation.cloud import ON, START, store, usages
from cloudkitty.tests.webapi import ALICE

URL = "/v2/rating/simulations"
RULES = ON + "hashmap: {services: {instance: {mappings: [{cost: 2}]}}}\n"
LIMITS = {"begin": "2026-10-24", "end": "2026-10-25"}


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def told(monkeypatch):
    found = []
    monkeypatch.setattr(messaging, "wake_for_simulations", lambda: found.append(1))
    return found


def work(conf: Any) -> None:
    """Be the processor."""
    Simulations(conf.conf, SQLAlchemyStorage(), Notices(), threading.Event()).run()


def order(api, **body):
    answer = api("POST", URL, json={"rules": RULES, **LIMITS, **body})
    assert answer.status_int == 202, answer.text
    return answer.json["simulation_id"]


def test_from_order_to_result(api, conf, told):
    store(SQLAlchemyStorage(), usages(24), RULES)
    draft = RULES.replace("cost: 2", "cost: 2.25")

    answer = api(
        "POST",
        URL,
        json={
            "rules": draft,
            **LIMITS,
            "groupby": ["type", "project_id"],
            "scopes": ["a", "Ä"],
            "description": "dearer",
        },
    )

    assert answer.status_int == 202
    id_ = answer.json["simulation_id"]
    assert answer.headers["Location"] == f"http://localhost{URL}/{id_}"
    assert told == [1]
    waiting = api.get(f"{URL}/{id_}").json
    assert (waiting["status"], waiting["progress"]) == ("queued", 0)
    assert (waiting["results"], waiting["totals"], waiting["rules"]) == ([], None, None)
    work(conf)
    done = api.get(f"{URL}/{id_}?limit=1&offset=2&rules=true").json
    assert done["status"] == "done"
    assert done["progress"] == 1
    assert done["description"] == "dearer"
    assert done["filters"] == {"project_id": ["a", "Ä"]}
    assert done["user_id"] == "user-admin"
    assert done["rules"] == draft
    assert done["modules"] == [{"module_id": "hashmap", "priority": 1, "rules": "document"}]
    # Two instances each, one of them from the fifth hour on.
    assert done["totals"]["current"] == 2 * 2 * (24 + 19)
    assert done["totals"]["difference"] == 0.25 * 2 * (24 + 19)
    assert done["total"] == 8
    by_difference = api.get(f"{URL}/{id_}?order_by=difference").json["results"]
    assert [row["group"] for row in by_difference[:2]] == [
        {"type": "instance", "project_id": "a"},
        {"type": "instance", "project_id": "Ä"},
    ]
    [row] = [one for one in by_difference if one["group"] == done["results"][0]["group"]]
    assert row == done["results"][0]
    assert row["begin"] == "2026-10-24T00:00:00+00:00"
    assert set(row) == {
        "group", "begin", "end", "points", "qty", "current", "simulated", "difference",
    }  # fmt: skip

    listed = api.get(URL).json
    assert listed["total"] == 1
    assert listed["results"][0]["totals"] == done["totals"]
    assert api("DELETE", f"{URL}/{id_}").status_int == 204
    assert api("DELETE", f"{URL}/{id_}").status_int == 404
    assert api.get(f"{URL}/{id_}").status_int == 404
    assert api.get(f"{URL}/nonsense").status_int == 404


def test_rules_as_an_object_and_groups_as_a_text(api, conf, told):
    store(SQLAlchemyStorage(), usages(3), RULES)
    rules = {
        "modules": {"hashmap": {"enabled": True}},
        "hashmap": {"services": {"instance": {"mappings": [{"cost": 0.1, "type": "flat"}]}}},
    }
    id_ = order(api, rules=rules, groupby="type,time", filters={"type": "instance"})
    work(conf)
    found = api.get(f"{URL}/{id_}?rules=1").json
    assert [(row["begin"], row["simulated"]) for row in found["results"]] == [
        (f"2026-10-24T0{hour}:00:00+00:00", 0.3) for hour in range(3)
    ]
    assert 'cost: "0.1"' in found["rules"]


def test_a_month_is_meant_when_nothing_is_said(api, told):
    answer = api("POST", URL, json={"rules": RULES, "groupby": None, "begin": None})
    found = api.get(f"{URL}/{answer.json['simulation_id']}").json
    now = timeutils.utcnow()
    assert found["begin"] == timeutils.month_start(now).isoformat()
    assert found["end"] == timeutils.next_month_start(now).isoformat()


def test_a_failure_is_shown(api, conf, told):
    store(SQLAlchemyStorage(), usages(3), RULES)
    conf.config(max_rows=2, group="simulations")
    id_ = order(api, groupby=["id"])
    work(conf)
    found = api.get(f"{URL}/{id_}").json
    assert found["status"] == "failed"
    assert "more than 2 groups" in found["error"]
    assert found["results"] == []


BAD_RULES = """modules: {hashmap: {enabled: true}}
hashmap:
  services:
    instance:
      mappings:
        - {cost: dear}
      fields:
        flavor:
          mappings:
            - {cost: 1}
"""


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ({"rules": BAD_RULES}, ["rules:6: ", "rules:10: ", "value"]),
        ({"rules": "hashmap: ["}, ["not valid YAML"]),
        ({"rules": '{"hashmap": {"services": 7}}'}, ["rules:1: hashmap.services"]),
        ({"rules": {"hashmap": {"services": 7}}}, ["hashmap.services"]),
        ({"rules": {"prices": {}}}, ["prices"]),
        ({"rules": [1]}, ["expected str"]),
        ({"rules": "\u0000"}, ["not a valid text"]),
        ({}, ["required key not provided"]),
        (
            {"rules": "hashmap: {services: {x: {mappings: [{cost: 1}]}}}"},
            ["hashmap: the module is off", "enabled: true"],
        ),
        ({"rules": "modules: {nonsense: {enabled: true}}"}, ["no such rating module: nonsense"]),
        ({"rules": RULES, "begin": "2026-01-02", "end": "2026-01-02"}, ["end must be after begin"]),
        (
            {"rules": RULES, "begin": "2024-01-01", "end": "2025-03-01"},
            ["at most 366 days", "max_interval_days"],
        ),
        ({"rules": RULES, "begin": "soon"}, ["not a valid date"]),
        ({"rules": RULES, "groupby": ["time-x"]}, ["Invalid groupby time option"]),
        ({"rules": RULES, "groupby": []}, ["at least 1"]),
        ({"rules": RULES, "filters": ["type"]}, ["expected a dictionary"]),
        ({"rules": RULES, "filters": {"type": [7.5]}}, ["expected str"]),
        ({"rules": RULES, "scopes": ["a"], "filters": {"project_id": "a"}}, ["not both"]),
        ({"rules": RULES, "description": "x" * 256}, ["too long"]),
        ({"rules": RULES, "colour": "red"}, ["extra keys"]),
    ],
)
def test_mistakes_are_told_at_once(api, told, body, texts):
    answer = api("POST", URL, json=body)
    assert answer.status_int == 400
    for text in texts:
        assert text in answer.json["message"]
    assert api.get(URL).json["results"] == []
    assert told == []


def test_many_mistakes_are_told_in_part(api):
    lines = [f"  - {{name: s{number}, nonsense: 1, data: ''}}" for number in range(200)]
    answer = api("POST", URL, json={"rules": "pyscripts:\n" + "\n".join(lines)})
    assert answer.status_int == 400
    assert len(answer.json["message"].split("\n")) == 51
    assert answer.json["message"].endswith("and 150 more")


def test_an_order_that_is_none(api, told):
    id_ = order(api)
    answer = api.get(f"{URL}/{id_}?order_by=colour")
    assert (answer.status_int, "Valid orders" in answer.json["message"]) == (400, True)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", URL), ("GET", URL), ("GET", f"{URL}/x"), ("DELETE", f"{URL}/x")]
)
def test_for_administrators_only(api, method, path):
    options = {"json": {"rules": RULES}} if method == "POST" else {}
    assert api(method, path, as_=ALICE, **options).status_int == 403


def test_too_many_wait(api, conf, told):
    conf.config(max_stored=1, group="simulations")
    order(api)
    answer = api("POST", URL, json={"rules": RULES})
    assert answer.status_int == 409
    assert "1 simulations wait" in answer.json["message"]


def test_a_storage_that_cannot(api, conf, monkeypatch):
    from cloudkitty.storage.v2 import base

    monkeypatch.setattr(SQLAlchemyStorage, "columns", base.BaseStorage.columns)
    conf.config(backend="loki", group="storage")
    answer = api("POST", URL, json={"rules": RULES})
    assert answer.status_int == 501
    assert "not supported by storage backend 'loki'" in answer.json["message"]
    assert simulations.listed() == (0, [])


def test_the_start_is_that_of_the_cloud() -> None:
    assert timeutils.to_epoch(timeutils.parse_iso(LIMITS["begin"])) == START
