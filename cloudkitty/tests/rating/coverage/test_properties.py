# SPDX-License-Identifier: Apache-2.0
"""Whatever rules and usage: every point counts once, and rules without usage price nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty import db, timeutils
from cloudkitty.rating.coverage.report import Reason
from cloudkitty.rating.hashmap import rules as hashmap
from cloudkitty.rating.hashmap.tariff import Tariffs
from cloudkitty.storage.v2.sqlalchemy import models
from cloudkitty.tests.rating.coverage.cloud import BEGIN, look, rate, rules, series, switch
from cloudkitty.tests.rating.hashmap.rulebook import LONG_AGO, clear
from cloudkitty.tests.storage.v2.sqlalchemy.test_ledger import empty
from cloudkitty.usage import ScopeUsage

SCOPES = ["p1", "p2"]
hours = st.integers(-10, 80)
services = st.sampled_from(["a", "b", "c"])
parents = st.sampled_from(["a", "a/f", "a/g", "a/day_of_the_year", "b", "b/f"])
common = {
    "cost": st.sampled_from(["0", "0.5", "2", "3"]),
    "kind": st.sampled_from(["flat", "flat", "rate"]),
    "group": st.sampled_from([None, "x", "y"]),
    "tenant_id": st.sampled_from([None, None, "p1"]),
}
mappings = st.fixed_dictionaries(
    {
        **common,
        "path": parents,
        "value": st.sampled_from(["1", "2", "152"]),
        "start": st.one_of(st.none(), hours),
        "end": st.one_of(st.none(), hours),
    }
)
thresholds = st.fixed_dictionaries(
    {**common, "path": parents, "level": st.sampled_from(["0", "1", "2", "5"])}
)
labels = st.dictionaries(st.sampled_from(["f", "g"]), st.sampled_from(["1", "2", 3, "x"]))
usages = st.lists(
    st.tuples(
        services,
        labels,
        st.lists(st.sampled_from(["0", "1", "1.5", "6"]), min_size=1, max_size=3),
        st.integers(0, 30),
        st.integers(1, 40),
        st.booleans(),
    ),
    max_size=4,
)


def when(hour: int | None) -> dt.datetime | None:
    return None if hour is None else timeutils.naive_local(BEGIN + dt.timedelta(hours=hour))


def store(found: list[dict[str, Any]]) -> None:
    clear()

    def make(book):
        taken = set()
        for one in found:
            options = dict(one)
            path = options.pop("path")
            if "level" in options:
                # What the table refuses of a scope.
                key = (path, options["level"], options["tenant_id"])
                if key not in taken:
                    book.threshold(path, options.pop("level"), options.pop("cost"), **options)
                taken.add(key)
                continue
            options["start"], options["end"] = when(one["start"]) or LONG_AGO, when(one["end"])
            if "/" not in path:
                options["value"] = None
            book.mapping(path, options.pop("cost"), **options)

    rules(make)


def priced(found: hashmap.Rules, usage: ScopeUsage) -> list[list[Decimal]]:
    """Give the prices of usage by some rules."""
    kept = [one.prices for one in usage.series]
    for one in usage.series:
        one.prices = [Decimal(0)] * len(one.begins)
    Tariffs(found).rate(usage)
    prices = [one.prices for one in usage.series]
    for one, before in zip(usage.series, kept, strict=True):
        one.prices = before
    return prices


def check(found: list[dict[str, Any]], used: list[Any]) -> None:
    empty()
    with db.session_for_write() as session:
        session.execute(sa.delete(models.Series))
    store(found)
    batch = [
        rate(
            scope,
            [
                series(metric, some, qtys, range(first, first + count), calendar=calendar)
                for metric, some, qtys, first, count, calendar in of_scope
            ],
        )
        for scope, of_scope in zip(SCOPES, used, strict=True)
        if of_scope
    ]

    coverage = look()

    ledger = coverage.ledger
    points = [
        (qty, price)
        for usage in batch
        for one in usage.series
        for qty, price in zip(one.qtys, one.prices, strict=True)
    ]
    assert ledger.points == len(points)
    assert ledger.price == sum(price for _qty, price in points)
    assert ledger.priced == sum(price != 0 for _qty, price in points)
    assert ledger.points == sum(
        (ledger.priced, ledger.at_zero, ledger.idle, ledger.unpriced, ledger.ignored)
    )
    assert sum(one.tally.points for one in coverage.unpriced) == ledger.unpriced
    for one in (*coverage.unpriced, *coverage.at_zero):
        assert sum(some.tally.points for some in one.values) == one.tally.points
        # The rules that are looked at are those that made the prices.
        assert one.reason is not Reason.PRICED_NOW
    live = hashmap.load()
    unused = {one.rule for one in coverage.unused}
    without = dataclasses.replace(
        live,
        mappings=tuple(rule for rule in live.mappings if rule not in unused),
        thresholds=tuple(rule for rule in live.thresholds if rule not in unused),
    )
    for usage in batch:
        assert priced(without, usage) == priced(live, usage)


LIMITS = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
rule_lists = st.lists(st.one_of(mappings, thresholds), max_size=8)
used_lists = st.tuples(usages, usages).map(list)


@pytest.mark.parametrize("offset", [0, 3])
@settings(max_examples=10, **LIMITS)
@given(found=rule_lists, used=used_lists)
def test_every_point_counts_once_sqlite(sqlite_database, offset, found, used):
    timeutils.set_local_timezone(dt.timezone(dt.timedelta(hours=offset)))
    switch("hashmap")
    check(found, used)


@settings(max_examples=3, **LIMITS)
@given(found=rule_lists, used=used_lists)
def test_every_point_counts_once(database, found, used):
    switch("hashmap")
    check(found, used)
