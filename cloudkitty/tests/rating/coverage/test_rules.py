# SPDX-License-Identifier: Apache-2.0
"""Rules without usage, and rules that come together: each kind, with its reason."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import text

from cloudkitty import db, timeutils
from cloudkitty.rating import coverage
from cloudkitty.rating.coverage.report import Level, Overlap, Unused
from cloudkitty.tests.rating.coverage.cloud import BEGIN, END, look, rate, rules, series, switch


def at(hours: int) -> dt.datetime:
    return timeutils.naive_local(BEGIN + dt.timedelta(hours=hours))


def test_every_reason_why_a_rule_is_not_used(database):
    switch("hashmap")

    def make(book):
        def mapping(id_, path, **options):
            book.mapping(path, 1, mapping_id=id_, **options)

        def threshold(id_, path, level, **options):
            book.threshold(path, level, 1, threshold_id=id_, **options)

        mapping("used", "a/flavor", value="small")
        mapping("value", "a/flavor", value="Small")
        mapping("early", "a/flavor", value="small", group="x", end=at(0))
        mapping("late", "a/flavor", value="small", group="x", start=at(72))
        mapping("field", "a/colour", value="red")
        mapping("service", "nothing")
        mapping("general", "b")
        mapping("of p1", "b", tenant_id="p1")
        mapping("of p9", "b", tenant_id="p9")
        mapping("of p2", "a/flavor", value="small", group="y", tenant_id="p2")
        mapping("other time", "b", group="z", start=at(70))
        threshold("low", "a", 1, group="t")
        threshold("middle", "a", 5, group="t")
        threshold("high", "a", 100, group="t")
        threshold("ram low", "a/ram", 1)
        threshold("ram reached", "a/ram", 8)
        threshold("ram high", "a/ram", 64)

    rules(make)
    rate("p1", [series("a", {"flavor": "small", "ram": "16"}, [6, 9]), series("b", {})])
    rate("p2", [series("a", {"flavor": "big"}, [5])])

    found = look()

    assert {one.rule.id: (one.level, one.reason) for one in found.unused} == {
        "value": (Level.WARNING, Unused.VALUE_NOT_SEEN),
        "early": (Level.FINE, Unused.NOT_IN_FORCE),
        "late": (Level.FINE, Unused.NOT_IN_FORCE),
        "field": (Level.WARNING, Unused.FIELD_NOT_SEEN),
        "service": (Level.WARNING, Unused.SERVICE_NOT_SEEN),
        "general": (Level.WARNING, Unused.REPLACED),
        "of p9": (Level.WARNING, Unused.SCOPE_NOT_SEEN),
        "of p2": (Level.WARNING, Unused.VALUE_NOT_SEEN),
        "other time": (Level.WARNING, Unused.OTHER_TIME),
        "low": (Level.WARNING, Unused.OUTRANKED),
        "high": (Level.WARNING, Unused.LEVEL_NOT_REACHED),
        "ram low": (Level.WARNING, Unused.OUTRANKED),
        "ram high": (Level.WARNING, Unused.LEVEL_NOT_REACHED),
    }
    assert next(one.replaced_by for one in found.unused if one.rule.id == "general") == ["of p1"]
    assert [one.level for one in found.unused][-2:] == [Level.FINE, Level.FINE]
    assert found.warnings["unused"] == 11


def test_a_threshold_between_quantities_counts_as_reached(sqlite_database):
    """Sums say how little and how much was used, not whether something was in between."""
    switch("hashmap")
    rules(lambda book: [book.threshold("a", level, 1) for level in (1, 5, 9)])
    rate("p1", [series("a", {}, [2, 10])])

    assert look().unused == []


def test_groups_that_come_together(database):
    switch("hashmap")

    def make(book):
        def mapping(id_, path, **options):
            book.mapping(path, 1, mapping_id=id_, **options)

        # By design: a flavor, and a licence on top of it.
        mapping("flavor", "vm/flavor", value="small", group="size")
        mapping("licence", "vm/os", value="windows", group="licence")
        # The price of a disk was moved to a group and left where it was.
        mapping("disk", "disk")
        mapping("moved", "disk", group="storage")
        # A scope was to have a price of its own.
        mapping("ip", "ip/kind", value="v4", group="net")
        mapping("own ip", "ip/kind", value="v4", tenant_id="p2")
        # One group: the highest counts.
        mapping("best", "router/kind", value="ha", group="net")
        mapping("base", "router", group="net")
        # Another group multiplies nothing, and one of cost 0 adds nothing.
        book.mapping("dns", 2, kind="rate", group="net")
        book.mapping("dns", 0, group="zero")
        mapping("zone", "dns")

    rules(make)
    usage = [
        series("vm", {"flavor": "small", "os": "windows"}),
        series("vm", {"flavor": "small", "os": "linux"}),
        series("disk", {}, [2, 3]),
        series("ip", {"kind": "v4"}),
        series("router", {"kind": "ha"}),
        series("dns", {}),
    ]
    rate("p1", usage)
    rate("p2", [series("ip", {"kind": "v4"}), series("disk", {}, [1])])

    found = look().overlaps

    assert [
        (one.level, one.kind, [(part.group, part.rules) for part in one.parts], one.tally.points)
        for one in found
    ] == [
        (Level.WARNING, Overlap.SAME_PARENT, [(None, ["disk"]), ("storage", ["moved"])], 132),
        (Level.WARNING, Overlap.TENANT_ADDS, [(None, ["own ip"]), ("net", ["ip"])], 66),
        (Level.FINE, Overlap.GROUPS_ADD, [("licence", ["licence"]), ("size", ["flavor"])], 66),
    ]
    assert (found[0].tally.series, found[0].tally.scopes, found[0].tally.qty) == (2, 2, 231)
    example = found[1].example
    assert (example.scope, example.values, example.groupby["id"]) == ("p2", {"kind": "v4"}, "p2-0")


def test_rules_with_one_key(sqlite_database):
    switch("hashmap")

    def make(book):
        def mapping(id_, path, **options):
            book.mapping(path, 1, mapping_id=id_, **options)

        mapping("first", "a")
        mapping("second", "a", start=at(36))
        mapping("tenant", "a", tenant_id="p2")
        # One after the other, as the next price of the same thing should be.
        mapping("old", "b", end=at(30))
        mapping("new", "b", start=at(30))
        # Nobody uses it, but somebody may.
        book.threshold("c", 1, 1, threshold_id="one")
        book.threshold("c", 1, 2, threshold_id="other")

    rules(make)
    rate("p1", [series("a", {}), series("b", {})])
    rate("p2", [series("a", {})])

    found = look().overlaps

    assert [(one.kind, one.parts[0].rules, one.tally.points) for one in found] == [
        (Overlap.SAME_KEY, ["first", "second"], 30),
        (Overlap.SAME_KEY, ["one", "other"], 0),
    ]
    assert {one.level for one in found} == {Level.WARNING}


def test_rules_that_change_all_the_time(sqlite_database):
    switch("hashmap")
    rules(lambda book: [book.mapping("a", 1, start=at(hour)) for hour in range(1, 600)])

    assert look().ledger.points == 0
    with pytest.raises(coverage.TooManyChanges, match="rules change 599 times from 2026-06-01T"):
        coverage.look(None, BEGIN, END + dt.timedelta(days=60))


def test_a_rule_that_makes_no_sense(sqlite_database):
    """Old databases could have rules without a cost, here made by hand."""
    switch("hashmap")
    rules(lambda book: book.mapping("a", 1, mapping_id="bad"))
    with db.get_engine().begin() as connection:
        connection.execute(text("PRAGMA writable_schema = 1"))
        connection.execute(
            text("UPDATE sqlite_master SET sql = replace(sql, 'cost TEXT NOT NULL', 'cost TEXT')")
        )
    db.reset()
    with db.get_engine().begin() as connection:
        connection.execute(text("UPDATE hashmap_mappings SET cost = NULL"))

    with pytest.raises(coverage.UnreadableRules, match="mapping bad has no cost"):
        look()
