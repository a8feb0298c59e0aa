# SPDX-License-Identifier: Apache-2.0
"""What is in force when, for whom; and that caches stay small."""

from __future__ import annotations

import datetime as dt
import logging
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.rating.hashmap import service, tariff
from cloudkitty.rating.hashmap.rules import DEFAULT_GROUP, MappingRule, Price, Rules, ThresholdRule
from cloudkitty.rating.hashmap.tariff import Tariffs, rate_frame
from cloudkitty.tests.rating.hashmap.rulebook import LONG_AGO
from cloudkitty.usage import ScopeUsage, Series

BEGIN = timeutils.to_epoch(dt.datetime(2024, 5, 1, tzinfo=dt.UTC))


def mapping(cost, start=LONG_AGO, end=None, tenant=None, field=None, value=None):
    price = Price(flat=True, cost=Decimal(cost))
    return MappingRule("cpu", field, DEFAULT_GROUP, value, price, tenant, start, end)


def threshold(level, cost, field=None):
    price = Price(flat=True, cost=Decimal(cost))
    return ThresholdRule("cpu", field, DEFAULT_GROUP, Decimal(level), price, None)


def tariffs_of(*mappings, thresholds=()):
    return Tariffs(Rules(("cpu",), mappings, tuple(thresholds)))


def local(*date):
    return dt.datetime(*date)  # noqa: DTZ001 - rule dates are naive


def usage_of(begins, metadata=None, scope="a", period=3600):
    series = Series(
        "cpu",
        "u",
        ImmutableDict(),
        ImmutableDict(metadata or {}),
        None,
        True,  # noqa: FBT003
        list(begins),
        [Decimal(1)] * len(begins),
        [Decimal(0)] * len(begins),
    )
    return ScopeUsage(scope, period, list(begins), [series])


def prices(tariffs, usage):
    tariffs.rate(usage)
    return usage.series[0].prices


def epochs(*dates):
    return [timeutils.to_epoch(dt.datetime.fromisoformat(date)) for date in dates]


def test_the_dates_of_the_contract():
    """Example G of rating.md 4.9."""
    tariffs = tariffs_of(
        mapping(1, local(2024, 1, 1), local(2024, 5, 1)),
        mapping(2, local(2024, 5, 1), local(2024, 6, 30, 23, 59, 59)),
        mapping(3, local(2024, 7, 1)),
    )
    begins = epochs(
        "2024-04-30T23:00Z", "2024-05-01T00:00Z", "2024-06-30T23:00Z", "2024-07-01T00:00Z"
    )
    assert prices(tariffs, usage_of(begins)) == [1, 2, 2, 3]
    assert prices(tariffs, usage_of(begins[:1])) == [1]
    assert prices(tariffs, usage_of(epochs("2023-12-31T23:00Z"))) == [0]


@pytest.mark.parametrize(
    ("zone", "expected"), [("UTC", [1, 1, 2]), ("Asia/Tokyo", [1, 2, 2]), ("Etc/GMT+8", [1, 1, 1])]
)
def test_dates_are_the_host_s(zone, expected):
    timeutils.set_local_timezone(ZoneInfo(zone))
    tariffs = tariffs_of(
        mapping(1, end=local(2024, 5, 1)),
        mapping(2, local(2024, 5, 1)),
    )
    begins = epochs("2024-04-30T14:00Z", "2024-04-30T15:00Z", "2024-05-01T00:00Z")
    assert prices(tariffs, usage_of(begins)) == expected


def test_the_hour_that_comes_twice():
    timeutils.set_local_timezone(ZoneInfo("Europe/Berlin"))
    tariffs = tariffs_of(mapping(1, local(2024, 10, 27, 2, 30)))
    begins = epochs(*(f"2024-10-27T00:{m}Z" for m in ("00", "30")))
    begins += epochs(*(f"2024-10-27T01:{m}Z" for m in ("00", "30")))
    assert prices(tariffs, usage_of(begins, period=1800)) == [0, 1, 0, 1]


def test_an_expired_tenant_rule_uncovers_the_global_one():
    tariffs = tariffs_of(mapping(1), mapping(5, end=local(2024, 5, 1), tenant="a"))
    begins = epochs("2024-04-30T23:00Z", "2024-05-01T00:00Z")
    assert prices(tariffs, usage_of(begins)) == [5, 1]
    assert prices(tariffs, usage_of(begins, scope="A")) == [1, 1]


def test_tenants_without_rules_of_their_own_share():
    tariffs = tariffs_of(mapping(1), mapping(5, tenant="a"))
    assert tariffs.of("b") is tariffs.of(None)
    assert tariffs.of("a") is tariffs.of("a")
    assert tariffs.of("a") is not tariffs.of(None)


def test_date_keys_are_fields_too():
    rule = mapping(3, field="month", value="5")
    begins = epochs(
        "2024-04-30T23:00Z", "2024-05-01T00:00Z", "2024-05-01T01:00Z", "2024-06-01T00:00Z"
    )
    assert prices(tariffs_of(rule), usage_of(begins, {"month": "5"})) == [0, 3, 3, 0]
    usage = usage_of(begins, {"month": "5"})
    usage.series[0].calendar = False
    assert prices(tariffs_of(rule), usage) == [3, 3, 3, 3]


def test_many_windows_in_one_batch():
    count = 3 * tariff.MAX_STRETCHES
    hour = dt.timedelta(hours=1)
    first = local(2024, 5, 1)
    tariffs = tariffs_of(
        *(mapping(n + 1, first + n * hour, first + (n + 1) * hour) for n in range(count))
    )
    usage = usage_of([BEGIN + 3600 * n for n in range(count)])
    assert prices(tariffs, usage) == list(range(1, count + 1))
    assert len(tariffs.of("a")._stretches) <= tariff.MAX_STRETCHES


def test_labels_cannot_grow_the_cache():
    tariffs = tariffs_of(
        mapping(1, field="name", value="known"), thresholds=[threshold(0, 1, field="size")]
    )
    for number in range(500):
        prices(tariffs, usage_of([BEGIN], {"name": f"n{number}", "size": number}))
    compiled = tariffs.of("a").at(local(2024, 1, 1))["cpu"]
    assert len(compiled._formulas) == 1


def test_formulas_are_bounded(monkeypatch):
    monkeypatch.setattr(service, "MAX_FORMULAS", 10)
    tariffs = tariffs_of(*(mapping(n, field="name", value=str(n)) for n in range(1, 40)))
    for _ in range(2):
        for number in range(1, 40):
            assert prices(tariffs, usage_of([BEGIN], {"name": number})) == [number]
    assert len(tariffs.of("a").at(local(2024, 1, 1))["cpu"]._formulas) <= 10


@pytest.mark.parametrize("value", ["big", "", "NaN", "sNaN", None, ["1"], {"a": 1}])
def test_a_label_that_is_no_number_reaches_no_threshold(value, caplog):
    caplog.set_level(logging.WARNING)
    service._warned.clear()
    tariffs = tariffs_of(mapping(1), thresholds=[threshold("-0.5", 10, field="size")])
    for _ in range(3):
        assert prices(tariffs, usage_of([BEGIN], {"size": value})) == [1]
    said = [r.getMessage() for r in caplog.records]
    assert len(said) == 1
    assert "scope a, service cpu: field size has thresholds" in said[0]
    assert prices(tariffs, usage_of([BEGIN])) == [1]
    assert len(caplog.records) == 1


def test_a_frame_keeps_everything_but_prices():
    start = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    points = [
        DataPoint("u", 2, "0.5", {"g": "1"}, {"flavor": "big"}, "what it is"),
        DataPoint("u", "NaN", 0, {}, {}),
        DataPoint("u", 1, 0, {}, {"flavor": "small"}),
    ]
    frame = DataFrame(start, start + dt.timedelta(hours=1), {"cpu": points, "idle": [], "z": []})
    frame.add_point(points[0], "unrated")
    compiled = tariffs_of(mapping(3, field="flavor", value="big")).of("a").at(local(2024, 5, 1))
    rated = rate_frame(frame, compiled, "a")
    assert (rated.start, rated.end) == (frame.start, frame.end)
    assert dict(rated.itertypes()) == {
        "cpu": [points[0].set_price(Decimal("6.5")), points[2]],
        "unrated": [points[0]],
    }
    assert frame.as_dict()["usage"]["cpu"][0]["rating"]["price"] == Decimal("0.5")
