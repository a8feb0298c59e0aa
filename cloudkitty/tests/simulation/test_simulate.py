# SPDX-License-Identifier: Apache-2.0
"""What is simulated is what rating would give, to the last digit."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug import exceptions

from cloudkitty import timeutils
from cloudkitty.db import module_info
from cloudkitty.rating import document
from cloudkitty.simulation import SimulationError, UnusableError, check, simulate
from cloudkitty.state.simulations import Question
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests.simulation.cloud import (
    HOUR,
    ON,
    START,
    ask,
    empty,
    expected,
    post,
    rated,
    simulated,
    store,
    usages,
)

LIVE = """
modules: {hashmap: {enabled: true}}
hashmap:
  services:
    instance:
      fields:
        flavor:
          mappings:
            - {value: small, cost: 0.0123}
            - {value: big, cost: 0.3333333333333333333333333333, end: "2026-10-25T01:30:00"}
            - {value: big, cost: 0.4, start: "2026-10-25T01:30:00"}
    network:
      mappings: [{cost: 0.0000001}]
      thresholds: [{level: 1, cost: 0.9, type: rate}]
    volume:
      mappings: [{cost: 0.001}, {cost: 0.002, tenant: a}]
"""


costs = st.sampled_from(["0.01", "0.3333333333333333333333333333", "1e-20", "-2", "7", "123456.5"])
kinds = st.sampled_from(["flat", "flat", "rate"])
groups = st.sampled_from(["", "", "g", "h"])
tenants = st.sampled_from(["", "", "a", "Ä"])
dates = st.integers(-10, 70).map(
    lambda hour: timeutils.from_epoch(START + hour * HOUR + 60 * (hour % 2)).isoformat()
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules, some of which may rule one another out."""

    def common(number: int, *, window: bool) -> str:
        parts = [f"type: {draw(kinds)}", f"cost: {draw(costs)}"]
        if group := draw(groups):
            parts.append(f"group: {group}{number}")
        if tenant := draw(tenants):
            parts.append(f"tenant: {tenant}")
        if window and draw(st.booleans()):
            start, end = sorted([draw(dates), draw(dates)])
            if start < end:
                parts += [f'start: "{start}"', f'end: "{end}"']
        return ", ".join(parts)

    def block(parent: str, indent: str, value: str | None = None) -> list[str]:
        out = [f"{indent}{parent}:", f"{indent}  mappings:"]
        for number in range(draw(st.integers(1, 2))):
            named = "" if value is None else f"value: {value}, "
            out.append(f"{indent}    - {{{named}{common(number, window=True)}}}")
        out.append(f"{indent}  thresholds:")
        for number in range(draw(st.integers(0, 2))):
            level = draw(st.sampled_from(["0", "1", "15", "12345.6"]))
            out.append(f"{indent}    - {{level: {level}, {common(number, window=False)}}}")
        return out

    lines = ["hashmap:", "  services:"]
    for service in draw(st.lists(st.sampled_from(["instance", "network", "volume"]), unique=True)):
        lines += block(service, "    ")
        lines.append("      fields:")
        if service == "instance":
            lines += block("flavor", "        ", draw(st.sampled_from(["small", "big"])))
            lines += block("vcpus", "        ", draw(st.sampled_from(["2", "8"])))
        if draw(st.integers(0, 3)) == 0:
            day = draw(st.sampled_from(["297", "298", "299"]))
            lines += block("day_of_the_year", "        ", f'"{day}"')
    return ON + "\n".join(lines) + "\n"


def is_sound(text: str) -> bool:
    try:
        document.loads(text)
    except document.DocumentError:
        return False
    return True


sound = rules().filter(is_sound)
FEW = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
questions = st.lists(
    st.sampled_from(["type", "project_id", "time", "day_of_the_year", "id", "nothing", "month"]),
    max_size=3,
    unique=True,
)
zones = st.sampled_from([dt.UTC, zoneinfo.ZoneInfo("Europe/Berlin")])


@FEW
@given(sound, sound, questions, st.tuples(st.integers(0, 30), st.integers(31, 70)), zones)
def test_as_if_it_had_been_rated(
    database: str,
    live: str,
    draft: str,
    groupby: list[str],
    hours: tuple[int, int],
    zone: dt.tzinfo,
) -> None:
    timeutils.set_local_timezone(zone)
    empty()
    storage = SQLAlchemyStorage()
    batch = usages()
    store(storage, batch, live)
    round_ = storage.rounding()

    same = ask(storage, live, *groupby, hours=hours)
    other = ask(storage, draft, *groupby, hours=hours)

    # By the very rules that are live nothing changes, to the last digit.
    assert [row for row in same.rows if row.current != row.simulated] == []
    prices = rated(batch, draft)
    if round_:
        for series in (one for usage in prices for one in usage.series):
            series.prices = list(map(round_, series.prices))
    assert simulated(other, groupby) == expected(prices, groupby, hours)
    # What is there is what a summary says, in its order.
    limits = {
        "begin": timeutils.from_epoch(START + hours[0] * HOUR),
        "end": timeutils.from_epoch(START + hours[1] * HOUR),
    }
    summary = storage.total(groupby=groupby, paginate=False, **limits)["results"]
    names = [name for name in groupby if name != "time"]
    assert [
        (tuple(found[name] for name in names), found["qty"], found["rate"]) for found in summary
    ] == [(row.values, row.qty, row.current) for row in other.rows]


def test_filters_are_those_of_a_summary(database: str) -> None:
    storage = SQLAlchemyStorage()
    store(storage, usages(), LIVE)
    post(storage, "c", 3, "5")
    limits = {
        "begin": timeutils.from_epoch(START),
        "end": timeutils.from_epoch(START + 100 * HOUR),
    }
    for filters in (
        {"project_id": ["a", "c"]},
        {"type": ["volume", "network"], "id": ["v1", "n"]},
        {"flavor": ["big"]},
        {"day_of_the_year": ["298"], "project_id": ["b"]},
        {"zone": [""]},
        {"zone": ["x"]},
    ):
        outcome = ask(storage, LIVE, "type", "project_id", **filters)
        types = filters.pop("type", None)
        found = storage.total(
            groupby=["type", "project_id"],
            filters=filters,
            metric_types=types,
            paginate=False,
            **limits,
        )
        assert [(row.values, row.current, row.simulated) for row in outcome.rows] == [
            ((one["type"], one["project_id"]), one["rate"], one["rate"]) for one in found["results"]
        ]


def test_what_nobody_rated_keeps_its_price_and_both_ways_are_one(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = SQLAlchemyStorage()
    store(storage, usages(), LIVE)
    for hour in (3, 47, 70, 71):
        post(storage, "c", hour, "5")
    post(storage, "b", 70, "7")
    groupby = ("type", "project_id", "day_of_the_year")
    drafts = [ON + "hashmap: {}\n", LIVE.replace("0.0123", "0.02").replace("0.9", "0.7")]
    quick = [ask(storage, draft, *groupby) for draft in drafts]
    free = quick[0]
    assert free.posted == 5
    assert {row.values[:2]: row.simulated for row in free.rows if row.simulated} == {
        ("instance", "b"): 7,
        ("instance", "c"): 20,
    }
    _always_pointwise(monkeypatch)
    slow = [ask(storage, draft, *groupby) for draft in drafts]
    assert [(one.rows, one.answer) for one in quick] == [(one.rows, one.answer) for one in slow]


def _always_pointwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudkitty.simulation.chain.Chain.by_hashmap_alone", False)


def test_scripts_see_whole_frames(sqlite_database: str) -> None:
    storage = SQLAlchemyStorage()
    store(storage, usages(30), LIVE)
    # A discount on volumes for whoever has a big instance.
    script = """
modules: {hashmap: {enabled: true, priority: 2}, pyscripts: {enabled: true}}
pyscripts:
  - name: discount
    data: |
      big = any(p["metadata"].get("flavor") == "big" for p in data["usage"].get("instance", []))
      for point in data["usage"].get("volume", []):
          if big:
              point["rating"]["price"] /= 2
"""
    draft = script + LIVE.partition("\n")[2].partition("\n")[2]
    outcome = ask(storage, draft, "project_id", type=["volume"])
    # 30 hours, 25 of them with a big instance; 10 GiB for 25 hours, then 20.
    one = Decimal("0.001") * (10 * 5 + (10 * 20 + 20 * 5) / Decimal(2))
    assert [(row.values, row.simulated) for row in outcome.rows] == [
        (("a",), 2 * one),
        (("b",), one),
        (("Ä",), one),
    ]
    assert [module["module_id"] for module in outcome.answer["modules"]] == [
        "hashmap",
        "pyscripts",
    ]


def test_a_script_that_fails_is_named(sqlite_database: str) -> None:
    storage = SQLAlchemyStorage()
    store(storage, usages(3), LIVE)
    draft = """
modules: {pyscripts: {enabled: true}}
pyscripts: [{name: broken, data: "x = 1\\nraise KeyError(x)"}]
"""
    with pytest.raises(SimulationError, match=r"broken.*line 2.*KeyError"):
        ask(storage, draft)


def test_modules_are_on_as_the_document_says_or_as_they_are(sqlite_database: str) -> None:
    only_rules = LIVE.partition("\n")[2].partition("\n")[2]
    with pytest.raises(UnusableError, match="hashmap: the module is off"):
        check(document.loads(only_rules))
    check(document.loads("modules: {hashmap: {enabled: false}}\n" + only_rules))
    with pytest.raises(UnusableError, match="no such rating module: nonsense"):
        check(document.loads("modules: {nonsense: {enabled: true}}"))
    module_info.set_state("hashmap", enabled=True)
    check(document.loads(only_rules))
    storage = SQLAlchemyStorage()
    store(storage, usages(3), LIVE)
    assert ask(storage, only_rules).answer["modules"] == [
        {"module_id": "hashmap", "priority": 1, "rules": "document"}
    ]
    # Without a part of the document it rates by the rules that there are: none.
    outcome = ask(storage, "modules: {hashmap: {priority: 7}}")
    assert outcome.answer["modules"] == [
        {"module_id": "hashmap", "priority": 7, "rules": "current"}
    ]
    assert outcome.answer["simulated"] == "0"


def test_too_many_groups(sqlite_database: str) -> None:
    storage = SQLAlchemyStorage()
    store(storage, usages(3), LIVE)
    question = Question(first=START, stop=START + HOUR, groupby=["id", "project_id"], rules=LIVE)
    with pytest.raises(SimulationError, match="more than 2 groups"):
        simulate(storage, question, document.loads(LIVE), lambda _part: None, 2)


def test_a_group_that_is_not_understood(sqlite_database: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="time-x"):
        ask(SQLAlchemyStorage(), LIVE, "time-x")


def test_nothing_stored(sqlite_database: str) -> None:
    assert ask(SQLAlchemyStorage(), LIVE, "type").rows == []


def test_it_can_be_ended(sqlite_database: str) -> None:
    class EndError(Exception):
        pass

    def end(_part: float) -> None:
        raise EndError

    storage = SQLAlchemyStorage()
    store(storage, usages(3), LIVE)
    question = Question(first=START, stop=START + HOUR, rules=LIVE)
    with pytest.raises(EndError):
        simulate(storage, question, document.loads(LIVE), end)
