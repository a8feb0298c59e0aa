# SPDX-License-Identifier: Apache-2.0
"""``GET /v2/dataframes?explain=true``: what was rated is explained by what rated it."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
import sqlalchemy as sa
from openapi_schema_validator import OAS31Validator

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.db import models, module_info
from cloudkitty.rating.explain import periods
from cloudkitty.rating.hashmap import models as hashmap
from cloudkitty.rating.modules import Rating
from cloudkitty.rating.pyscripts import isolation
from cloudkitty.storage.base import get_storage
from cloudkitty.tests import webapi
from cloudkitty.tests.rating.hashmap import rulebook
from cloudkitty.tests.rating.hashmap.rulebook import Rulebook
from cloudkitty.tests.rating.pyscripts import scriptbook
from cloudkitty.tests.webapi import ADMIN, ALICE
from cloudkitty.usage import ScopeUsage, Series

BEGIN = dt.datetime(2026, 11, 3, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MINE, THEIRS = "project-a", "project-b"
DAY = "begin=2026-11-03&end=2026-11-04"
THIRD = "0.3333333333333333333333333333"


@pytest.fixture
def api(sqlite_database, conf):
    periods._recorded.cache_clear()
    return webapi.Api(conf)


@pytest.fixture
def api_on_each(database, conf):
    """The same on each engine."""
    periods._recorded.cache_clear()
    return webapi.Api(conf)


@pytest.fixture(scope="module", autouse=True)
def end_process():
    yield
    if isolation._shared is not None:
        isolation._shared.close()


def series(metric, qty, scope=MINE, hours=2, name="r-1", **metadata):
    begins = [timeutils.to_epoch(BEGIN + number * HOUR) for number in range(hours)]
    return Series(
        metric,
        "unit",
        ImmutableDict(id=name, project_id=scope),
        ImmutableDict(metadata),
        None,
        True,  # noqa: FBT003
        begins,
        [Decimal(qty)] * hours,
        [Decimal(0)] * hours,
    )


def rate(*found, recorded=True):
    """Rate and store, as the processor does."""
    rating = Rating()
    rating.begin_batch()
    usages = []
    for scope in {one.groupby["project_id"]: None for one in found}:
        own = sorted(
            (one for one in found if one.groupby["project_id"] == scope),
            key=lambda one: one.metric,
        )
        usages.append(ScopeUsage(scope, 3600, own[0].begins, own))
    rating.rate(usages)
    for usage in usages:
        usage.rules_version = rating.record() if recorded else None
    get_storage().commit(usages, lambda _session: {usage.scope_id for usage in usages})


def turn_on(*names):
    for name in names:
        module_info.set_state(name, enabled=True)


def explained(api, query="", who=ADMIN):
    """Give the points of a page, each with its explanation, by metric, id and hour."""
    answer = api.get(f"/v2/dataframes?{DAY}&explain=true{query}", as_=who)
    assert answer.status_int == 200, answer.text
    found = {}
    for frame in json.loads(answer.text, parse_float=Decimal)["dataframes"]:
        hour = dt.datetime.fromisoformat(frame["period"]["begin"]).hour
        for metric, points in frame["usage"].items():
            for point in points:
                found[metric, point["groupby"]["id"], hour] = point
    return found


def codes(explanation):
    return [why["code"] for why in explanation["reasons"]]


def prices(explanation):
    return [
        (step["module"], step["price_before"], step["price_after"]) for step in explanation["steps"]
    ]


def add_rules():
    turn_on("hashmap")
    with db.session_for_write() as session:
        book = Rulebook(session)
        book.mapping("cpu", "0.5", mapping_id="m-all", group="g")
        book.mapping("cpu", "0.25", mapping_id="m-mine", group="g", tenant_id=MINE)
        book.mapping("cpu", "99", mapping_id="m-theirs", group="x", tenant_id=THEIRS)
        book.mapping("cpu/flavor", "2", mapping_id="m-big", value="big")
        book.mapping("cpu/flavor", THIRD, mapping_id="m-odd", value="odd")
        book.threshold("cpu", "10", "0.5", threshold_id="t-10", kind="rate", group="g")


def test_a_price_by_the_rules_that_made_it(api_on_each):
    add_rules()
    rate(series("cpu", "20", flavor="big"), series("ram", "1"))
    version = explained(api_on_each)["cpu", "r-1", 0]["explanation"]["rules_version"]
    rulebook.clear()
    module_info.set_state("hashmap", enabled=False)

    found = explained(api_on_each)
    assert set(found) == {(m, "r-1", hour) for m in ("cpu", "ram") for hour in (0, 1)}
    point = found["cpu", "r-1", 1]
    assert point["rating"] == {"price": Decimal("42.5")}
    assert {key: value for key, value in point["explanation"].items() if key != "steps"} == {
        "source": "recorded",
        "rules_version": version,
        "reproduced": True,
        "stored_price": Decimal("42.5"),
        "explained_price": Decimal("42.5"),
        "reasons": [],
    }
    assert len(version) == 64
    hashmap_, noop = point["explanation"]["steps"]
    assert [(group["calculation"], group["price"]) for group in hashmap_["groups"]] == [
        ("0.25 * 20 * 0.5 = 2.5", Decimal("2.5")),
        ("2 * 20 = 40", Decimal("42.5")),
    ]
    assert [
        (rule["id"], rule["effect"], rule["by"])
        for group in hashmap_["groups"]
        for rule in group["rules"]
    ] == [
        ("m-mine", "unit_price", None),
        ("m-all", "replaced", "m-mine"),
        ("t-10", "threshold", None),
        ("m-big", "unit_price", None),
    ]
    assert (hashmap_["rules"], hashmap_["amount"]) == ("recorded", Decimal("42.5"))
    assert (noop["module"], noop["amount"], noop["reasons"]) == ("noop", 0, [])

    free = found["ram", "r-1", 0]["explanation"]
    assert (free["reproduced"], codes(free)) == (True, ["no_service"])


def test_existing_clients_see_nothing_new(api):
    add_rules()
    rate(series("cpu", "1", flavor="big"))
    for query in ("", "&explain=false"):
        answer = api.get(f"/v2/dataframes?{DAY}{query}").json
        for frame in answer["dataframes"]:
            assert set(frame["usage"]["cpu"][0]) == {"vol", "rating", "groupby", "metadata"}
    assert api.get(f"/v2/dataframes?{DAY}&explain=maybe").status_int == 400


def test_a_member_sees_what_is_theirs(api):
    add_rules()
    rate(series("cpu", "1", flavor="small"), series("cpu", "1", scope=THEIRS, flavor="small"))
    text = api.get(f"/v2/dataframes?{DAY}&explain=true", as_=ALICE).text
    assert json.loads(text)["total"] == 2
    for secret in (THEIRS, "m-theirs", "99"):
        assert secret not in text
    assert explained(api, who=ALICE)["cpu", "r-1", 0]["explanation"]["rules_version"] is None

    with db.session_for_write() as session:
        session.execute(sa.delete(hashmap.Mapping).where(hashmap.Mapping.group_id.is_not(None)))
        session.execute(sa.update(hashmap.Mapping).values(tenant_id=THEIRS))
    rate(series("cpu", "1", flavor="big", name="r-2"))
    point = explained(api, "&filters=id:r-2", who=ALICE)["cpu", "r-2", 0]["explanation"]
    assert codes(point) == ["below_threshold"]
    assert THEIRS not in str(point)
    whole = explained(api, "&filters=id:r-2")["cpu", "r-2", 0]["explanation"]
    assert codes(whole) == ["below_threshold", "other_tenant"]


def test_numbers_that_a_storage_rounds(api_on_each):
    add_rules()
    # 28 digits, some of them after the 30th place: MySQL keeps fewer.
    rate(series("cpu", Decimal(1) / 7 / 1000, flavor="odd"))
    explanation = explained(api_on_each)["cpu", "r-1", 0]["explanation"]
    assert explanation["reproduced"] is True
    rounding = explanation.get("rounding", 0)
    assert explanation["explained_price"] + rounding == explanation["stored_price"]
    assert abs(rounding) < Decimal("1e-29")


def test_what_was_posted(api_on_each):
    add_rules()
    point = DataPoint("unit", 1, "7.5", {"id": "p-1", "project_id": MINE}, {})
    nobodys = DataPoint("unit", 1, 1, {"id": "p-2"}, {})
    get_storage().push([DataFrame(BEGIN, BEGIN + HOUR, {"cpu": [point, nobodys]})])
    found = explained(api_on_each)
    assert found["cpu", "p-1", 0]["explanation"] == {
        "source": "posted",
        "rules_version": None,
        "reproduced": None,
        "stored_price": Decimal("7.5"),
        "explained_price": None,
        "steps": [],
        "reasons": [{"code": "posted", "text": "the point came with its price", "details": {}}],
    }
    assert codes(found["cpu", "p-2", 0]["explanation"]) == ["no_scope"]


def test_a_point_that_the_rules_do_not_give(api):
    add_rules()
    rate(series("cpu", "1", flavor="big"))
    point = DataPoint("unit", 1, "7.5", {"id": "p-1", "project_id": MINE}, {})
    get_storage().push([DataFrame(BEGIN, BEGIN + HOUR, {"cpu": [point]})])
    explanation = explained(api)["cpu", "p-1", 0]["explanation"]
    assert (explanation["source"], explanation["reproduced"]) == ("recorded", False)
    assert (explanation["stored_price"], explanation["explained_price"]) == (
        Decimal("7.5"),
        Decimal("0.25"),
    )
    assert codes(explanation) == ["not_reproduced"]


def test_periods_from_before_rules_were_recorded(api):
    add_rules()
    rate(series("cpu", "1", flavor="big"), recorded=False)
    explanation = explained(api)["cpu", "r-1", 0]["explanation"]
    assert (explanation["source"], explanation["rules_version"]) == ("present", None)
    assert explanation["steps"][0]["rules"] == "present"
    assert explanation["reproduced"] is True
    with db.session_for_write() as session:
        session.execute(sa.update(hashmap.Mapping).values(cost=Decimal(3)))
    explanation = explained(api)["cpu", "r-1", 0]["explanation"]
    assert (explanation["reproduced"], codes(explanation)) == (False, ["not_reproduced"])
    assert explanation["explained_price"] == 6


def test_a_rule_set_that_is_lost(api):
    add_rules()
    rate(series("cpu", "1", flavor="big"))
    with db.session_for_write() as session:
        session.execute(sa.delete(models.RuleSet))
    explanation = explained(api)["cpu", "r-1", 0]["explanation"]
    assert (explanation["source"], explanation["reproduced"]) == ("present", True)
    assert codes(explanation) == ["no_record"]


def test_scripts_look_at_the_whole_frame(api_on_each):
    add_rules()
    turn_on("pyscripts")
    scriptbook.add(
        "total = sum(p['rating']['price'] for p in data['usage']['cpu'])\n"
        "for p in data['usage']['cpu']:\n"
        "    p['rating']['price'] = total\n",
        name="all alike",
    )
    scriptbook.add(
        "for p in data['usage']['cpu']:\n    p['rating']['price'] += 1\n", name="one more"
    )
    rate(
        series("cpu", "1", flavor="big"),
        series("cpu", "1", flavor="x", name="r-2"),
        series("cpu", "1", scope=THEIRS),
    )
    scriptbook.clear()

    found = explained(api_on_each, f"&limit=1&filters=id:r-2,project_id:{MINE}")
    (point,) = found.values()
    assert point["rating"]["price"] == Decimal("3.5")
    assert point["explanation"]["reproduced"] is True
    assert prices(point["explanation"]) == [
        ("hashmap", 0, Decimal("0.25")),
        ("noop", Decimal("0.25"), Decimal("0.25")),
        ("pyscripts", Decimal("0.25"), Decimal("2.5")),
        ("pyscripts", Decimal("2.5"), Decimal("3.5")),
    ]
    names = [step["script"]["name"] for step in point["explanation"]["steps"] if "script" in step]
    assert names == ["all alike", "one more"]


def test_a_script_that_adds_and_removes_points(api):
    turn_on("pyscripts")
    scriptbook.add(
        "import copy\n"
        "cpu = data['usage'].setdefault('cpu', [])\n"
        "cpu[:] = [p for p in cpu if p['groupby']['id'] != 'r-1']\n"
        "for p in cpu:\n"
        "    p['rating']['price'] = 2\n"
        "if not any(p['groupby']['id'] == 'made' for p in cpu):\n"
        "    made = copy.deepcopy(cpu[0])\n"
        "    made['groupby']['id'] = 'made'\n"
        "    cpu.insert(0, made)\n"
    )
    rate(
        series("cpu", "1"),
        series("cpu", "1", name="r-2"),
        series("cpu", "1", name="r-3"),
    )
    found = explained(api)
    assert {name for _metric, name, _hour in found} == {"made", "r-2", "r-3"}
    for point in found.values():
        assert point["explanation"]["reproduced"] is True
    # The script is asked about what it left: a point that came back is removed again.
    point = DataPoint("unit", 1, 5, {"id": "r-1", "project_id": MINE}, {})
    get_storage().push([DataFrame(BEGIN, BEGIN + HOUR, {"cpu": [point]})])
    explanation = explained(api)["cpu", "r-1", 0]["explanation"]
    assert (explanation["reproduced"], codes(explanation)) == (None, ["lost"])


def test_a_script_that_fails_the_second_time(api, tmp_path):
    turn_on("pyscripts")
    flag = tmp_path / "flag"
    scriptbook.add(f"import os\nif os.path.exists({str(flag)!r}): raise ValueError('secret')\n")
    rate(series("cpu", "1"))
    flag.touch()
    for who, shown in ((ADMIN, True), (ALICE, False)):
        explanation = explained(api, who=who)["cpu", "r-1", 0]["explanation"]
        assert (explanation["reproduced"], codes(explanation)) == (None, ["failed"])
        assert ("secret" in explanation["reasons"][0]["text"]) is shown


def test_a_page_is_small(api, conf):
    add_rules()
    rate(*(series("cpu", "1", name=f"r-{number}") for number in range(4)))
    conf.config(max_explained_points=3, group="api")
    assert len(explained(api)) == 3
    assert len(explained(api, "&limit=2&offset=7")) == 1
    refused = api.get(f"/v2/dataframes?{DAY}&explain=true&limit=4")
    assert refused.status_int == 400
    assert refused.json["message"] == (
        "limit must be at most 3 (limit of this service: [api] max_explained_points)."
    )
    assert len(api.get(f"/v2/dataframes?{DAY}&limit=4").json["dataframes"]) == 1


def test_a_frame_too_large_for_a_script(api, monkeypatch):
    turn_on("pyscripts")
    scriptbook.add("data")
    rate(*(series("cpu", "1", hours=1, name=f"r-{number}") for number in range(4)))
    monkeypatch.setattr(periods, "MAX_FRAME", 3)
    assert codes(explained(api)["cpu", "r-0", 0]["explanation"]) == ["too_many_points"]


def test_answers_are_as_they_are_documented(api):
    """Every kind of step and reason that there is here."""
    add_rules()
    turn_on("pyscripts")
    scriptbook.add("data")
    rate(series("cpu", "20", flavor="big"), series("ram", "0"), series("cpu", "1", name="r-2"))
    point = DataPoint("unit", 1, 5, {"id": "p-1", "project_id": MINE}, {})
    get_storage().push([DataFrame(BEGIN, BEGIN + HOUR, {"cpu": [point]})])
    document = api.get("/v2/openapi.json").json
    answers = document["paths"]["/v2/dataframes"]["get"]["responses"]["200"]
    schema = answers["content"]["application/json"]["schema"]
    validator = OAS31Validator({**schema, "components": document["components"]})
    answer = api.get(f"/v2/dataframes?{DAY}&explain=true").json
    assert answer["total"] == 7
    validator.validate(answer)
    assert list(validator.iter_errors({**answer, "total": "many"}))
