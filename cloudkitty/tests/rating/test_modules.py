# SPDX-License-Identifier: Apache-2.0
"""Which modules rate, in what order, and what becomes of their failures (rating.md 2.4)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.db import module_info
from cloudkitty.rating.hashmap import HashMap
from cloudkitty.rating.modules import ModuleError, Modules, Rating, RatingFailure, find
from cloudkitty.rating.noop import Noop
from cloudkitty.tests.rating import classic
from cloudkitty.tests.rating.hashmap.rulebook import Rulebook
from cloudkitty.usage import ScopeUsage, Series

BEGIN = timeutils.to_epoch(dt.datetime(2024, 5, 1, tzinfo=dt.UTC))
BEGINS = [BEGIN, BEGIN + 3600]


def usage_of(scope="a", qtys=("2", "3"), metric="cpu"):
    numbers = list(map(Decimal, qtys))
    series = Series(
        metric,
        "u",
        ImmutableDict(id="1"),
        ImmutableDict(flavor="big"),
        None,
        True,  # noqa: FBT003
        BEGINS[: len(numbers)],
        numbers,
        [Decimal(0)] * len(numbers),
    )
    return ScopeUsage(scope, 3600, BEGINS, [series])


def rating_of(*classes, broken=()):
    names = {cls.module_name: cls for cls in classes}
    return Rating(Modules(names, dict(broken)))


def turn_on(*names, **priorities):
    for name in names:
        module_info.set_state(name, enabled=True)
    for name, priority in priorities.items():
        module_info.set_state(name, enabled=True)
        module_info.set_priority(name, priority)


def rated(rating, usage=None):
    usage = usage or usage_of()
    rating.begin_batch()
    rating.rate([usage])
    return [price for series in usage.series for price in series.prices]


@pytest.fixture
def one_rule(sqlite_database):
    """The metric cpu costs 1 for each unit."""
    with db.session_for_write() as session:
        Rulebook(session).mapping("cpu", "1")


def test_installed_modules():
    found = find()
    assert found.classes["hashmap"] is HashMap
    assert found.classes["noop"] is Noop
    assert list(found.classes) == sorted(found.classes)
    assert not found.broken


def test_nothing_but_noop_is_on_at_first(one_rule):
    assert rated(Rating()) == [0, 0]
    assert Rating().version == "noop"


def test_a_change_of_state_is_seen_by_the_next_batch(one_rule):
    rating = Rating()
    assert rated(rating) == [0, 0]
    turn_on("hashmap")
    assert rated(rating) == [2, 3]
    module_info.set_state("hashmap", enabled=False)
    assert rated(rating) == [0, 0]


def test_a_change_of_rules_is_seen_by_the_next_batch(one_rule):
    turn_on("hashmap")
    rating = Rating()
    assert rated(rating) == [2, 3]
    before = rating.version
    with db.session_for_write() as session:
        Rulebook(session).mapping("other", "1")
    assert rated(rating) == [2, 3]
    assert rating.version != before
    assert rating.version.startswith("hashmap:")


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [
        ({"double": 2, "plus": 1}, "1"),  # 0 * 2 + 1
        ({"double": 1, "plus": 2}, "2"),  # (0 + 1) * 2
        ({"double": 5, "plus": 5}, "1"),  # a tie: by name
        ({"double": 0, "plus": 1}, "1"),  # 0 is no priority, it is 1
    ],
)
def test_the_highest_priority_goes_first(sqlite_database, priorities, expected):
    turn_on(**priorities)
    rating = rating_of(classic.adding("plus", 1), classic.doubling("double"))
    assert rated(rating) == [Decimal(expected)] * 2


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [
        ({"hashmap": 3, "double": 2, "plus": 1}, ["5", "7"]),
        ({"double": 3, "hashmap": 2, "plus": 1}, ["3", "4"]),
        ({"plus": 3, "hashmap": 2, "double": 1}, ["6", "8"]),
        ({"plus": 3, "double": 2, "hashmap": 1}, ["4", "5"]),
    ],
)
def test_classic_modules_between_batch_ones(one_rule, priorities, expected):
    turn_on(**priorities)
    rating = rating_of(classic.adding("plus", 1), HashMap, Noop, classic.doubling("double"))
    assert rated(rating) == list(map(Decimal, expected))


def test_a_classic_module_is_made_for_each_scope_and_reloaded_for_each_period(sqlite_database):
    cls = type("Rec", (classic.Recording,), {"module_name": "rec", "log": []})
    turn_on("rec")
    rating = rating_of(cls)
    rating.begin_batch()
    rating.rate([usage_of("a"), usage_of("b", qtys=["1"])])
    first, second = (timeutils.from_epoch(begin) for begin in BEGINS)
    assert cls.log == [
        ("made", "a"),
        ("reload", "a", first),
        ("process", "a", first),
        ("reload", "a", second),
        ("process", "a", second),
        ("made", "b"),
        ("reload", "b", first),
        ("process", "b", first),
    ]
    assert all(entry[2].tzinfo is not None for entry in cls.log if entry[0] == "reload")


def test_a_disabled_module_is_not_even_made(sqlite_database):
    cls = type("Rec", (classic.Recording,), {"module_name": "rec", "log": []})
    assert rated(rating_of(cls, Noop)) == [0, 0]
    assert cls.log == []


def test_an_old_module_whose_reload_takes_no_date(sqlite_database):
    calls = []

    def reload_config(self):
        calls.append(self)

    turn_on("old")
    assert rated(rating_of(classic.adding("old", 4, reload_config=reload_config))) == [4, 4]
    assert len(calls) == 2


def test_a_module_may_decide_itself_whether_it_is_on_and_where(sqlite_database):
    always = classic.doubling(
        "always", enabled=property(lambda _: True), priority=property(lambda _: -3)
    )
    turn_on("plus")
    assert rated(rating_of(always, classic.adding("plus", 1))) == [2, 2]


def test_a_subclass_with_its_own_process_is_not_passed_over(one_rule):
    class Dearer(HashMap):
        module_name = "dearer"

        def process(self, data):
            out = DataFrame(data.start, data.end)
            for metric, point in super().process(data).iterpoints():
                out.add_point(point.set_price(point.price * 10), metric)
            return out

    turn_on("dearer")
    assert rated(rating_of(Dearer)) == [20, 30]


def test_a_failing_scope_does_not_stop_the_others(one_rule):
    turn_on(hashmap=2, picky=1)
    rating = rating_of(HashMap, classic.failing("picky", scope="b"))
    usages = [usage_of("a"), usage_of("b"), usage_of("c")]
    with pytest.raises(RatingFailure, match="'picky' failed: ZeroDivisionError: bad luck") as info:
        rating.rate(usages)
    assert list(info.value.failed) == ["b"]
    assert usages[0].series[0].prices == usages[2].series[0].prices == [2, 3]


def _raise(*_args, **_kwargs):
    raise RuntimeError("no licence")


def test_an_enabled_module_that_cannot_be_constructed_stops_the_scope(sqlite_database):
    turn_on("bad")
    rating = rating_of(classic.adding("bad", 1, __init__=_raise), Noop)
    with pytest.raises(RatingFailure, match="'bad' could not be loaded: RuntimeError: no licence"):
        rated(rating)


def test_a_batch_module_that_cannot_be_constructed_stops_the_batch(sqlite_database):
    turn_on("bad")
    bad = type("Bad", (HashMap,), {"module_name": "bad", "__init__": _raise})
    with pytest.raises(ModuleError, match="'bad' could not be loaded: RuntimeError: no licence"):
        rating_of(bad).begin_batch()


def test_a_module_whose_enabled_raises_stops_the_scope(sqlite_database):
    rating = rating_of(classic.adding("bad", 1, enabled=property(_raise)))
    with pytest.raises(RatingFailure, match="'bad' could not be loaded"):
        rated(rating)


def test_a_module_that_cannot_be_imported_matters_when_it_is_on(sqlite_database):
    rating = rating_of(Noop, broken={"gone": ImportError("No module named 'gone'")})
    assert rated(rating) == [0, 0]
    turn_on("gone")
    with pytest.raises(ModuleError, match="'gone' could not be loaded: No module named"):
        rating.begin_batch()


def test_rules_that_cannot_be_read_stop_the_batch(sqlite_database):
    turn_on("hashmap")
    with db.session_for_write() as session:
        session.connection().exec_driver_sql("DROP TABLE hashmap_thresholds")
    with pytest.raises(ModuleError, match="'hashmap' could not read its rules"):
        Rating().begin_batch()


@pytest.mark.parametrize("price", [Decimal("NaN"), Decimal("-inf"), float("nan"), "free", None])
def test_a_price_that_is_no_number_is_refused(sqlite_database, price):
    turn_on("odd")
    with pytest.raises(RatingFailure, match="'odd' set the price of cpu to"):
        rated(rating_of(classic.changing("odd", lambda _: price)))


@pytest.mark.parametrize(("price", "stored"), [(1, "1"), (0.1, "0.1"), (Decimal("1.50"), "1.5")])
def test_a_price_of_another_type_is_taken_as_a_number(sqlite_database, price, stored):
    turn_on("odd")
    prices = rated(rating_of(classic.changing("odd", lambda _: price)))
    assert prices == [Decimal(stored)] * 2
    assert all(type(found) is Decimal for found in prices)


def test_a_module_that_gives_no_frame_is_named(sqlite_database):
    turn_on("lazy")
    with pytest.raises(RatingFailure, match="'lazy' gave NoneType, not a DataFrame"):
        rated(rating_of(classic.adding("lazy", 1, process=lambda _self, _data: None)))


@pytest.mark.parametrize("modules", [(), ("hashmap",), ("hashmap", "twice")])
def test_quantities_that_are_no_number_are_refused(one_rule, caplog, modules):
    turn_on(*modules)
    usage = usage_of(qtys=["NaN", "3"])
    usage.series += usage_of(qtys=["Infinity"], metric="free").series
    rated(rating_of(HashMap, Noop, classic.doubling("twice")), usage)
    (series,) = usage.series
    assert (series.metric, series.begins, series.qtys) == ("cpu", [BEGINS[1]], [3])
    assert series.prices[0] == {0: 0, 1: 3, 2: 6}[len(modules)]
    refused = [r.getMessage() for r in caplog.records if "point refused" in r.getMessage()]
    assert len(refused) == 2
    assert "scope a, metric cpu: quantity NaN" in refused[0]


def test_lists_shared_between_series_are_left_alone(one_rule):
    turn_on("hashmap")
    begins, qtys, prices = list(BEGINS), [Decimal("NaN"), Decimal(3)], [Decimal(0)] * 2
    usage = usage_of()
    for name in ("cpu", "free"):
        usage.series.append(
            Series(name, "u", ImmutableDict(), ImmutableDict(), None, True, begins, qtys, prices),  # noqa: FBT003
        )
    rated(Rating(), usage)
    assert begins == BEGINS
    assert prices == [0, 0]
    assert qtys[1:] == [3]


def test_a_batch_of_nothing(one_rule):
    turn_on("hashmap")
    rating = rating_of(HashMap, classic.doubling("double"))
    rating.rate([])
    usage = ScopeUsage("a", 3600, BEGINS)
    rating.rate([usage])
    assert usage.series == []


def quote_frame(*points):
    start = timeutils.utcnow()
    usage = {"cpu": [DataPoint("undef", qty, 0, {}, labels) for qty, labels in points]}
    return DataFrame(start, start + dt.timedelta(hours=1), usage)


def test_quote_by_global_rules_only(sqlite_database):
    turn_on("hashmap")
    with db.session_for_write() as session:
        book = Rulebook(session)
        book.mapping("cpu/flavor", "1.25", value="m1")
        book.mapping("cpu/flavor", "100", value="m1", tenant_id="a")
        book.mapping("cpu", "7", end=dt.datetime(2001, 1, 1))  # noqa: DTZ001 - rule dates are naive
    rating = Rating()
    assert rating.quote(quote_frame((2, {"flavor": "m1"}), (3, {}))) == Decimal("2.5")
    assert rating.quote(quote_frame()) == 0
    module_info.set_state("hashmap", enabled=False)
    assert rating.quote(quote_frame((2, {"flavor": "m1"}))) == 0


def test_quote_asks_the_modules_for_quotes(sqlite_database):
    turn_on(special=2, plus=1)
    special = classic.failing("special", quote=lambda _self, data: data)
    assert rating_of(special, classic.adding("plus", 1)).quote(quote_frame((1, {}))) == 1


def test_quote_names_the_module_that_fails(sqlite_database):
    turn_on("bad")
    with pytest.raises(ModuleError, match="'bad' failed: ZeroDivisionError"):
        rating_of(classic.failing("bad")).quote(quote_frame((1, {})))
