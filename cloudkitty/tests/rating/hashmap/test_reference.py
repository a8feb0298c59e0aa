# SPDX-License-Identifier: Apache-2.0
"""Both forms of the engine give what the naive reference gives, to the last digit."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty import timeutils
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.rating.hashmap.rules import DEFAULT_GROUP, MappingRule, Price, Rules, ThresholdRule
from cloudkitty.rating.hashmap.tariff import Tariffs, rate_frame
from cloudkitty.tests.rating.hashmap import reference, rulebook
from cloudkitty.usage import ScopeUsage, Series

PERIOD = 3600
# Three hours before the day ends, four before clocks change in Europe.
BEGIN = timeutils.to_epoch(dt.datetime(2024, 3, 30, 21, tzinfo=dt.UTC))
METRICS = ("cpu", "volume")
parents = st.sampled_from(["cpu", "cpu", "cpu", "volume"])  # most rules meet each other
FIELDS = ("flavor", "day_of_the_year", "vcpus")

begins = st.integers(0, 6).map(lambda n: BEGIN + PERIOD * n)
dates = st.one_of(
    begins.map(lambda b: timeutils.naive_local(timeutils.from_epoch(b))),
    st.just(rulebook.LONG_AGO),
)
costs = st.one_of(
    st.sampled_from([Decimal(t) for t in ("0", "-1", "2", "0.98", "1.5")]),
    st.decimals("-9", "1e6", places=28),
    st.sampled_from([Decimal(1) / 3, Decimal(2) / 7, Decimal(10) / 7]),
)
prices = st.builds(Price, st.booleans(), costs)
levels = st.sampled_from([Decimal(t) for t in ("-1", "-0.5", "0.3", "1.1", "4")])
groups = st.sampled_from([DEFAULT_GROUP, "g"])
tenants = st.sampled_from([None, None, "a", "b"])
texts = st.sampled_from(["small", "big", "4", "90", "3", "1.1", "True", "None", "0.3", " 7 "])
values = st.one_of(texts, st.sampled_from([1, 4, 0.3, 1.1, True, None, 10**22, 1e22, ["a"]]))
labels = st.one_of(
    st.fixed_dictionaries({"flavor": values, "vcpus": st.sampled_from([4, "4", " 7 ", 90])}),
    st.dictionaries(st.sampled_from([*FIELDS, "id"]), values, max_size=4),
).map(ImmutableDict)
quantities = st.one_of(
    levels,
    st.integers(0, 100).map(Decimal),
    st.decimals("-5", "1e9", allow_nan=False, places=20),
    st.sampled_from([Decimal(100) / 7, Decimal("4.1234567890123456789"), Decimal(1000) / 3]),
)


@st.composite
def mapping_rules(draw):
    field = draw(st.sampled_from([None, None, *FIELDS]))
    return MappingRule(
        draw(parents),
        field,
        draw(groups),
        None if field is None else draw(texts),
        draw(prices),
        draw(tenants),
        draw(st.just(rulebook.LONG_AGO) | dates),
        draw(st.none() | dates),
    )


threshold_rules = st.builds(
    ThresholdRule,
    parents,
    st.sampled_from([None, None, *FIELDS]),
    groups,
    levels,
    prices,
    tenants,
    st.none() | dates,
    st.none() | dates,
    st.just(""),
)
rule_sets = st.builds(
    lambda mappings, thresholds: Rules(METRICS, tuple(mappings), tuple(thresholds)),
    st.lists(mapping_rules(), min_size=3, max_size=14),
    st.lists(threshold_rules, max_size=10) | st.lists(threshold_rules, min_size=6),
)


@st.composite
def usages(draw):
    series = []
    for _ in range(draw(st.integers(1, 4))):
        own = sorted(draw(st.sets(begins, min_size=1, max_size=6)))
        series.append(
            Series(
                draw(st.sampled_from([*METRICS, "free"])),
                "u",
                draw(labels),
                draw(labels),
                None,
                draw(st.booleans()),
                own,
                [draw(quantities) for _ in own],
                [draw(st.sampled_from([Decimal(0), Decimal("1.25")])) for _ in own],
            ),
        )
    covered = sorted({begin for s in series for begin in s.begins})
    return ScopeUsage(draw(st.sampled_from("abc")), PERIOD, covered, series)


def expected(rules, usage):
    return [
        [
            reference.price(
                rules,
                usage.scope_id,
                timeutils.naive_local(timeutils.from_epoch(begin)),
                series.metric,
                series.point(index).desc,
                series.qtys[index],
                series.prices[index],
            )
            for index, begin in enumerate(series.begins)
        ]
        for series in usage.series
    ]


def by_frames(tariffs, usage):
    """Rate frame by frame, as the classic form does; gives prices by metric and begin."""
    found = {}
    for frame in usage.frames():
        tariff = tariffs.of(usage.scope_id).at(timeutils.naive_local(frame.start))
        for metric, point in rate_frame(frame, tariff, usage.scope_id).iterpoints():
            found.setdefault((metric, timeutils.to_epoch(frame.start)), []).append(point.price)
    return found


@pytest.mark.parametrize(("zone", "examples"), [("UTC", 400), ("Europe/Berlin", 100)])
def test_both_forms_are_the_reference(zone, examples):
    timeutils.set_local_timezone(ZoneInfo(zone))

    @settings(max_examples=examples, deadline=None)
    @given(rule_sets, usages())
    def check(rules, usage):
        tariffs = Tariffs(rules)
        wanted = expected(rules, usage)
        by_metric = {}
        for series, its in zip(usage.series, wanted, strict=True):
            for begin, price in zip(series.begins, its, strict=True):
                by_metric.setdefault((series.metric, begin), []).append(price)
        assert by_frames(tariffs, usage) == by_metric

        # Twice with the same compiled rules: what was kept from the first time must not show.
        for _ in range(2):
            rated = copy.deepcopy(usage)
            tariffs.rate(rated)
            assert [s.prices for s in rated.series] == wanted
            assert [s.qtys for s in rated.series] == [s.qtys for s in usage.series]

    check()
