# SPDX-License-Identifier: Apache-2.0
"""Usage without a price: each reason, with what it applies to."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from cloudkitty import timeutils
from cloudkitty.rating.coverage.report import Coverage, Reason
from cloudkitty.tests.rating.coverage.cloud import END, look, rate, rules, series, switch


def listed(found: Coverage) -> set[tuple[str, Reason]]:
    return {(one.metric, one.reason) for one in (*found.unpriced, *found.at_zero)}


def test_every_reason(database):
    switch("hashmap")

    def make(book):
        book.mapping("instance/flavor", 1, value="small")
        book.parent("empty")
        book.mapping("rates", 2, kind="rate")
        book.mapping("gratis", 0)
        book.threshold("traffic", 50, 3)
        book.mapping("mine", 1, tenant_id="p2")

    rules(make)
    rate(
        "p1",
        [
            series("instance", {"flavor": "small"}),
            series("instance", {"flavor": "small"}, [1, 0]),
            series("instance", {"flavor": "huge"}, [2]),
            series("instance", {"flavor": "huge"}, [2]),
            series("instance", {"flavor": "odd"}),
            series("instance", {}),
            series("unknown", {"flavor": "small"}),
            series("empty", {}),
            series("rates", {}),
            series("gratis", {}),
            series("traffic", {}, [10, 60]),
            series("mine", {}),
        ],
    )
    rate("p2", [series("instance", {"flavor": "huge"}, [3]), series("mine", {})])
    rate("p3", [series("stored", {})], by_rules=False)
    rules(lambda book: book.mapping("stored", 1))

    found = look()

    assert listed(found) == {
        ("instance", Reason.NO_MATCH),
        ("unknown", Reason.NO_SERVICE),
        ("empty", Reason.NO_RULES),
        ("mine", Reason.NO_RULES),
        ("rates", Reason.ONLY_RATES),
        ("traffic", Reason.BELOW_THRESHOLD),
        ("stored", Reason.PRICED_NOW),
        ("gratis", Reason.AT_ZERO),
    }
    largest = found.unpriced[0]
    assert (largest.metric, largest.tally.points, largest.tally.qty) == ("instance", 330, 594)
    assert (largest.tally.series, largest.tally.scopes) == (5, 2)
    assert [(one.values, one.tally.points, one.tally.scopes) for one in largest.values] == [
        ({"flavor": "huge"}, 198, 2),
        ({"flavor": "odd"}, 66, 1),
        ({"flavor": None}, 66, 1),
    ]
    traffic = next(one for one in found.unpriced if one.metric == "traffic")
    assert (traffic.tally.points, traffic.tally.qty) == (33, 330)
    ledger = found.ledger
    assert ledger.idle == 33
    assert ledger.at_zero == 66
    assert ledger.points == 15 * 66
    assert ledger.points == sum(
        (ledger.priced, ledger.at_zero, ledger.idle, ledger.unpriced, ledger.ignored)
    )
    assert found.warnings["unpriced"] == 7


def test_types_that_are_meant_to_have_no_price(sqlite_database):
    switch("hashmap")
    rate("p1", [series("a", {}), series("b", {})])

    found = look(ignored=["a"])

    assert [(one.metric, one.ignored) for one in found.unpriced] == [("b", False), ("a", True)]
    assert found.warnings["unpriced"] == 1
    assert (found.ledger.ignored, found.ledger.unpriced) == (66, 66)


def test_the_price_is_the_stored_one(sqlite_database):
    """What a script has priced is priced, rules or not; that is said."""
    switch("hashmap")
    switch("pyscripts")
    one = series("scripted", {})
    one.prices = [Decimal("0.1")] * 66
    rate("p1", [one], by_rules=False)

    found = look()

    assert found.ledger.priced == 66
    assert found.ledger.price == Decimal("6.6")
    assert found.unpriced == []
    (note,) = found.notes
    assert note == (
        "pyscripts may change any price: whether usage has one is what the stored price says; "
        "what is said of rules is about those of hashmap alone"
    )


def test_hashmap_that_is_off(sqlite_database):
    rules(lambda book: book.mapping("a", 1))
    rate("p1", [series("a", {})], by_rules=False)

    found = look()

    assert listed(found) == {("a", Reason.OFF)}
    assert found.unused == []
    assert "hashmap is off: its rules were not looked at" in found.notes


def test_lists_are_cut_and_say_so(sqlite_database):
    switch("hashmap")
    rules(lambda book: book.mapping("a/id", 1, value="none"))
    rate("p1", [series("a", {}, hours=range(number)) for number in range(1, 6)])
    rate("p2", [series(name, {}) for name in "bcd"])

    found = look(limit=2)

    assert [one.metric for one in found.unpriced] == ["b", "c"]
    assert found.totals["unpriced"] == 4
    of_ids = look(limit=4).unpriced[-1]
    assert [one.values for one in of_ids.values] == [{"id": f"p1-{n}"} for n in (4, 3, 2, 1)]
    assert of_ids.more == 1


def test_a_price_that_comes_in_the_middle(database):
    """Points before it are without a price, those after it have one; its date is local."""
    timeutils.set_local_timezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    switch("hashmap")
    begin = timeutils.naive_local(END - dt.timedelta(days=1, hours=12))
    rules(lambda book: book.mapping("a/flavor", 1, value="x", start=begin))
    rate("p1", [series("a", {"flavor": "x"})])

    found = look()

    assert listed(found) == {("a", Reason.NO_RULES)}
    assert (found.ledger.unpriced, found.ledger.priced) == (36, 30)


def test_rules_about_dates(database):
    timeutils.set_local_timezone(dt.timezone(dt.timedelta(hours=2)))
    switch("hashmap")
    rules(lambda book: book.mapping("a/day_of_the_year", 1, value="153"))
    rate("p1", [series("a", {})])

    found = look()

    # The local day 153, 2 June, begins at 22:00 UTC of the first.
    assert (found.ledger.priced, found.ledger.unpriced) == (24, 42)
    assert [one.values for one in found.unpriced[0].values] == [
        {"day_of_the_year": "152"},
        {"day_of_the_year": "154"},
    ]
