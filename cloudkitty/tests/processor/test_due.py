# SPDX-License-Identifier: Apache-2.0
"""The due rule (contract processor.md 4)."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty import timeutils
from cloudkitty.processor.due import DueRule


def at(text: str) -> int:
    return timeutils.to_epoch(timeutils.parse_iso(text))


@pytest.mark.parametrize(
    ("last", "now", "count"),
    [
        ("2026-11-23T08:00", "2026-11-23T11:00:00", 0),
        ("2026-11-23T08:00", "2026-11-23T11:00:01", 1),
        ("2026-11-23T05:00", "2026-11-23T10:29", 3),
        ("2026-11-23T07:30", "2026-11-23T10:30:01", 1),
        ("2026-11-23T20:00", "2026-11-23T10:00", 0),
    ],
)
def test_examples_of_the_contract(last: str, now: str, count: int) -> None:
    rule = DueRule(3600, 2)
    begin = rule.following(at(last), at(now))
    assert begin == at(last) + 3600
    assert rule.count(begin, at(now)) == count


def test_the_rule_holds_for_the_first_period_too() -> None:
    rule = DueRule(3600, 2)
    now = at("2026-12-01T00:10")
    first = rule.following(None, now)
    assert first == at("2026-12-01T00:00")
    assert rule.count(first, now) == 0
    assert rule.count(first, at("2026-12-01T02:00:01")) == 1


def test_the_month_is_local() -> None:
    timeutils.set_local_timezone(ZoneInfo("Europe/Paris"))
    assert DueRule(3600, 2).first(at("2026-11-30T23:30")) == at("2026-11-30T23:00")
    timeutils.set_local_timezone(dt.UTC)
    assert DueRule(3600, 2).first(at("2026-11-30T23:30")) == at("2026-11-01T00:00")


@given(
    period=st.integers(1, 100_000),
    wait=st.integers(0, 5),
    begin=st.integers(0, 10**6),
    now=st.integers(0, 10**6),
)
def test_count_and_instant_say_what_the_rule_says(
    period: int, wait: int, begin: int, now: int
) -> None:
    rule = DueRule(period, wait)
    count = rule.count(begin, now)
    if count:
        assert begin + (count - 1) * period + wait * period < now
    assert begin + count * period + wait * period >= now
    assert rule.count(begin, rule.instant(begin)) == 1
    assert rule.count(begin, rule.instant(begin) - 1) == 0
