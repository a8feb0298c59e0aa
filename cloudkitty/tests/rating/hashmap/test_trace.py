# SPDX-License-Identifier: Apache-2.0
"""Traces are of the rules and numbers that rating uses, and say why there is no price."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.rating.hashmap import reasons, trace
from cloudkitty.rating.hashmap.formula import CONTEXT
from cloudkitty.rating.hashmap.rules import DEFAULT_GROUP, MappingRule, Price, Rules, ThresholdRule
from cloudkitty.rating.hashmap.tariff import Tariffs, rate_frame
from cloudkitty.rating.hashmap.view import View
from cloudkitty.tests.rating.hashmap import test_reference, test_vectors
from cloudkitty.tests.rating.hashmap.rulebook import LONG_AGO

WHEN = dt.datetime(2024, 5, 1)  # noqa: DTZ001 - rule dates are naive
NEXT_YEAR = dt.datetime.now() + dt.timedelta(days=365)  # noqa: DTZ005
#: What ends a rule's part in a price.
LOST = {"lower_flat", "lower_level", "replaced"}


def mapping(id_, cost, *, field=None, value=None, group=DEFAULT_GROUP, kind="flat", **columns):
    columns = {"tenant": None, "start": LONG_AGO, "end": None, **columns}
    price = Price(kind == "flat", Decimal(cost))
    return MappingRule("cpu", field, group, value, price, id=id_, **columns)


def threshold(id_, level, cost, *, field=None, group=DEFAULT_GROUP, kind="flat", tenant=None):
    price = Price(kind == "flat", Decimal(cost))
    return ThresholdRule("cpu", field, group, Decimal(level), price, tenant, id=id_)


def traced(rules, qty="1", *, tenant=None, metric="cpu", price="0", everything=False, **labels):
    mappings = tuple(rule for rule in rules if isinstance(rule, MappingRule))
    thresholds = tuple(rule for rule in rules if isinstance(rule, ThresholdRule))
    view = View(Tariffs(Rules(("cpu",), mappings, thresholds)), tenant, WHEN, metric)
    point = DataPoint("u", qty, price, labels, {})
    return trace.trace(view, point, everything=everything)


def effects(found):
    return {
        rule["id"]: (rule["effect"], rule["by"])
        for group in found["groups"]
        for rule in group["rules"]
    }


def codes(found):
    return [why["code"] for why in found["reasons"]]


def check_sums(tariffs, tenant, when, metric, point, expected):
    """Hold a trace to the price of rating, to its last digit, and to itself."""
    found = trace.trace(View(tariffs, tenant, when, metric), point, everything=True)
    price = point.price
    with decimal.localcontext(CONTEXT):
        for group in found["groups"]:
            price += group["amount"]
            assert str(group["price"]) == str(price)
    assert str(price) == str(expected)
    assert bool(found["reasons"]) == (expected == point.price)
    for group in found["groups"]:
        check_group(group)


def check_group(group):
    winners = [rule for rule in group["rules"] if rule["effect"] == "unit_price"]
    assert [rule["cost"] for rule in winners] == ([group["flat"]] if group["flat"] else [])
    with decimal.localcontext(CONTEXT):
        rate = Decimal(1)
        for rule in group["rules"]:
            rate *= rule["cost"] if rule["effect"] == "multiplies" else 1
    assert rate == group["rate"]
    assert len([rule for rule in group["rules"] if rule["effect"] == "threshold"]) <= 1
    assert all((rule["by"] is not None) == (rule["effect"] in LOST) for rule in group["rules"])
    assert bool(group["reasons"]) == (not group["amount"])


def test_steps_add_up_to_the_price():
    timeutils.set_local_timezone(dt.UTC)

    @settings(max_examples=80, deadline=None)
    @given(test_reference.rule_sets, test_reference.usages())
    def check(rules, usage):
        tariffs = Tariffs(rules)
        for frame in usage.frames():
            when = timeutils.naive_local(frame.start)
            tariff = tariffs.of(usage.scope_id).at(when)
            before = list(frame.iterpoints())
            after = list(rate_frame(frame, tariff, usage.scope_id).iterpoints())
            for (metric, point), (_metric, rated) in zip(before, after, strict=True):
                check_sums(tariffs, usage.scope_id, when, metric, point, rated.price)

    check()


def rules_of_case(case):
    """Give the rules of a vector as the engine takes them; gives names in place of ids."""
    given = case["rules"]
    services = {s["id"]: s["name"] for s in given["services"]}
    fields = {f["id"]: (services[f["service"]], f["name"]) for f in given["fields"]}
    groups = {g["id"]: g["name"] for g in given["groups"]}

    def common(rule):
        parent = fields[rule["field"]] if rule.get("field") else (services[rule["service"]], None)
        return parent, groups.get(rule.get("group"), DEFAULT_GROUP)

    def date(text):
        return text and dt.datetime.fromisoformat(text)

    def price(rule):
        return Price(rule["type"] == "flat", Decimal(rule["cost"]))

    mappings, thresholds = [], []
    for rule in given["mappings"]:
        parent, group = common(rule)
        if not rule.get("deleted"):
            dates = date(rule.get("start")) or LONG_AGO, date(rule.get("end"))
            what = rule.get("value"), price(rule), rule.get("tenant_id")
            mappings.append(MappingRule(*parent, group, *what, *dates, rule["id"]))
    for rule in given["thresholds"]:
        parent, group = common(rule)
        what = Decimal(rule["level"]), price(rule), rule.get("tenant_id")
        thresholds.append(ThresholdRule(*parent, group, *what, id=rule["id"]))
    return Rules(tuple(sorted(services.values())), tuple(mappings), tuple(thresholds))


def test_recorded_prices_are_explained():
    explained = 0
    for case in test_vectors.CASES:
        tariffs = Tariffs(rules_of_case(case))
        when = timeutils.naive_local(dt.datetime.fromisoformat(case["period_begin"]))
        for metric, points in DataFrame.from_dict(case["input"]).itertypes():
            for point, price in zip(points, case["expected"].get(metric, []), strict=True):
                check = (tariffs, case.get("tenant_id"), when, metric, point)
                found = trace.trace(View(*check[:-1]), point, everything=False)
                last = found["groups"][-1]["price"] if found["groups"] else point.price
                assert last == Decimal(price), case["name"]
                explained += 1
    assert explained > 400


def test_the_example_with_everything():
    """rating.md 4.9 F."""
    rules = [
        mapping("m1", "0.02", group="u"),
        mapping("m2", "0.5", field="flavor", value="m1.large", group="u"),
        mapping("m3", "0.9", field="flavor", value="m1.large", group="u", kind="rate", tenant="a"),
        mapping("m4", "1.2", field="flavor", value="m1.large", group="l"),
        mapping("m5", "2", field="vcpus", value="8", group="l", kind="rate"),
        threshold("t1", "4", "0.1", field="vcpus", group="l"),
        threshold("t2", "8", "0.3", field="vcpus", group="l", tenant="a"),
        threshold("t3", "10", "0.5", group="u", kind="rate"),
        threshold("t4", "1", "0.01"),
    ]
    found = traced(rules, "10", tenant="a", flavor="m1.large", vcpus=8)
    assert [(g["group"], g["calculation"], str(g["price"])) for g in found["groups"]] == [
        ("u", "0.9 * 0.02 * 10 * 0.5 = 0.09", "0.0900"),
        (DEFAULT_GROUP, "0 * 10 + 0.01 = 0.01", "0.1000"),
        ("l", "2 * (1.2 + 0.3) * 10 = 30", "30.1000"),
    ]
    assert effects(found) == {
        "m1": ("unit_price", None),
        "m2": ("replaced", "m3"),
        "m3": ("multiplies", None),
        "m4": ("unit_price", None),
        "m5": ("multiplies", None),
        "t1": ("lower_level", "t2"),
        "t2": ("threshold", None),
        "t3": ("threshold", None),
        "t4": ("threshold", None),
    }
    assert found["reasons"] == []
    rules_of = {rule["id"]: rule for group in found["groups"] for rule in group["rules"]}
    assert rules_of["m3"] == {
        "id": "m3",
        "kind": "mapping",
        "service": "cpu",
        "field": "flavor",
        "value": "m1.large",
        "level": None,
        "type": "rate",
        "cost": Decimal("0.9"),
        "group": "u",
        "tenant": "a",
        "start": "2000-01-01T00:00:00",
        "end": None,
        "effect": "multiplies",
        "by": None,
        "compared": "m1.large",
    }
    assert (rules_of["t2"]["compared"], rules_of["t3"]["compared"]) == (8, 10)
    json.dumps(found, default=str)


def test_the_highest_flat_wins_and_the_others_are_named():
    rules = [
        mapping("low", "1"),
        mapping("zero", "0", field="a", value="x"),
        mapping("high", "3", field="b", value="x"),
        mapping("middle", "2", field="c", value="x"),
        mapping("old", "9", field="d", value="x"),
        mapping("new", "0.5", field="d", value="x"),
    ]
    found = traced(rules, a="x", b="x", c="x", d="x")
    assert effects(found) == {
        "low": ("lower_flat", "high"),
        "zero": ("lower_flat", "low"),
        "high": ("unit_price", None),
        "middle": ("lower_flat", "high"),
        "new": ("lower_flat", "high"),
        "old": ("replaced", "new"),
    }


def test_levels_compete():
    """rating.md 4.9 D; a level of -1 or less never applies."""
    rules = [
        mapping("m", "1"),
        threshold("never", "-1", "9"),
        threshold("quantity", "5", "10"),
        threshold("lower", "3", "0.5", field="vcpus"),
        threshold("higher", "6", "4", field="vcpus", kind="rate"),
    ]
    assert effects(traced(rules, "5", vcpus="3")) == {
        "m": ("unit_price", None),
        "never": ("lower_level", "quantity"),
        "quantity": ("threshold", None),
        "lower": ("lower_level", "quantity"),
    }
    found = traced(rules, "5", vcpus="6")
    assert effects(found)["quantity"] == ("lower_level", "higher")
    assert found["groups"][0]["calculation"] == "4 * 1 * 5 = 20"
    assert effects(traced([mapping("m", "1"), rules[1]]))["never"] == ("no_effect", None)


@pytest.mark.parametrize(
    ("rules", "qty", "labels", "expected"),
    [
        ([], "1", {}, ["no_rules"]),
        ([mapping("m", "1", kind="rate")], "1", {}, ["only_rates"]),
        ([mapping("m", "1")], "0", {}, ["zero_quantity"]),
        ([mapping("m", "-1")], "1", {}, ["flat_without_effect"]),
        ([mapping("m", "1"), mapping("r", "0", kind="rate", field="a", value="x")], "1",
         {"a": "x"}, ["rate_of_zero"]),
        ([mapping("m", "1"), threshold("t", "1", "0", kind="rate")], "1", {}, ["rate_of_zero"]),
        ([mapping("m", "1"), threshold("t", "1", "-2")], "2", {}, ["cancels_out"]),
        ([mapping("m", "1"), threshold("t", "1", "-1", field="a")], "2", {"a": 1}, ["cancels_out"]),
        ([mapping("m", "1", group="g"), mapping("o", "1"), threshold("t", "1", "-2")], "1", {},
         ["cancels_out"]),
        ([threshold("t", "2", "1")], "1", {}, ["below_threshold"]),
        ([threshold("t", "-1", "1")], "1", {}, ["level_too_low"]),
        ([threshold("t", "2", "1", kind="rate")], "1", {}, ["below_threshold"]),
        ([mapping("m", "1", field="a", value="x"), threshold("t", "2", "1", kind="rate"),
          mapping("r", "2", field="b", value="x", kind="rate")], "1", {}, ["no_label"]),
        ([threshold("t", "2", "1", field="a")], "1", {"a": "1"}, ["below_threshold"]),
        ([threshold("t", "2", "1", field="a")], "1", {"a": "big"}, ["no_number"]),
        ([threshold("t", "2", "1", field="a")], "1", {}, ["no_label"]),
        ([mapping("m", "1", field="a", value="x")], "1", {"b": "x"}, ["no_label"]),
        ([mapping("m", "1", field="a", value="x")], "1", {"a": "X"}, ["no_match"]),
    ],
)  # fmt: skip
def test_why_there_is_no_price(rules, qty, labels, expected):
    assert codes(traced(rules, qty, **labels)) == expected


def test_no_service():
    assert traced([], metric="ram")["reasons"] == [
        {"code": "no_service", "text": "hashmap has no service ram", "details": {}}
    ]


def test_values_that_rules_know_nearest_first():
    known = ["m1.tiny", "m1.small", "M1.MEDIUM", "c2.large", "x", "c1.large", "m2.medium"]
    rules = [mapping(value, "1", field="flavor", value=value) for value in known]
    (why,) = traced(rules, flavor="m1.medium ")["reasons"]
    assert why == {
        "code": "no_match",
        "text": "no mapping of flavor is for 'm1.medium '; there are some for 'M1.MEDIUM', "
        "'m2.medium', 'm1.tiny', 'm1.small', 'c1.large' and 2 more",
        "details": {
            "field": "flavor",
            "value": "m1.medium ",
            "known": ["M1.MEDIUM", "m2.medium", "m1.tiny", "m1.small", "c1.large"],
            "more": 2,
        },
    }


def test_thousands_of_values_take_no_time():
    known = {f"flavor-{number}" for number in range(20_000)}
    assert reasons.near("flavor-12345", known)[0] == "flavor-12345"
    assert len(reasons.near("é" * 10_000, known)) == 5


def test_rules_that_are_not_in_force():
    rules = [
        mapping("gone", "1", end=WHEN),
        mapping("other", "1", field="flavor", value="big", end=WHEN),
        mapping("later", "1", start=dt.datetime(2024, 5, 2)),  # noqa: DTZ001
        mapping("planned", "1", start=NEXT_YEAR),
    ]
    found = traced(rules)
    # What is to come is not for everybody to know.
    assert [why["details"].get("id") for why in found["reasons"]] == [None, "later", "gone"]
    assert found["reasons"][2]["text"] == (
        "mapping gone is valid from 2000-01-01 00:00:00 until 2024-05-01 00:00:00 only"
    )
    assert "planned" in str(traced(rules, everything=True)["reasons"])


def test_rules_of_other_tenants_are_for_administrators():
    rules = [
        mapping("theirs", "1", tenant="b"),
        mapping("other", "1", tenant="b", field="flavor", value="big"),
        threshold("level", "1", "1", tenant="c"),
    ]
    found = traced(rules, tenant="a", flavor="small")
    assert codes(found) == ["no_rules"]
    for secret in ("theirs", "'b'", "'c'", "big"):
        assert secret not in str(found)
    found = traced(rules, tenant="a", flavor="small", everything=True)
    assert [(why["code"], why["details"].get("tenant")) for why in found["reasons"]] == [
        ("no_rules", None),
        ("other_tenant", "b"),
        ("other_tenant", "c"),
    ]
    assert found["reasons"][1]["text"] == "mapping theirs is for tenant b only"


def test_a_price_that_was_there_before_is_not_explained_away():
    found = traced([mapping("m", "1", kind="rate")], price="5")
    assert found["groups"][0]["price"] == 5
    assert codes(found) == ["only_rates"]
