# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: DTZ001 - dates of rules are naive
"""Dates of rules (contract api.md 3.5, D8)."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest

from cloudkitty import timeutils
from cloudkitty.rating import dates


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2030-01-02", dt.datetime(2030, 1, 2)),
        ("20300102", dt.datetime(2030, 1, 2)),
        ("2030-01-02T03:04:05", dt.datetime(2030, 1, 2, 3, 4, 5)),
        ("2030-01-02 03:04:05", dt.datetime(2030, 1, 2, 3, 4, 5)),
        ("2030-01-02T03:04:05.123456", dt.datetime(2030, 1, 2, 3, 4, 5, 123456)),
        ("2030-01-02T03:04:05Z", dt.datetime(2030, 1, 1, 22, 4, 5)),
        ("2030-01-02T03:04:05+02:00", dt.datetime(2030, 1, 1, 20, 4, 5)),
        ("2030-01-02 03:04:05-0500", dt.datetime(2030, 1, 2, 3, 4, 5)),
        ("2030-07-02T03:04:05Z", dt.datetime(2030, 7, 1, 23, 4, 5)),
    ],
)
def test_dates_are_local_wall_clock(given, expected):
    timeutils.set_local_timezone(zoneinfo.ZoneInfo("America/New_York"))
    assert dates.parse(given) == expected
    if len(given) > 10:
        assert dates.parse(given, end_of_day=True) == expected


def test_a_date_alone_ends_with_its_day():
    assert dates.parse("2030-01-02", end_of_day=True) == dt.datetime(2030, 1, 2, 23, 59, 59)


@pytest.mark.parametrize(
    "given", ["", "garbage", "2030-01", "2030", "tomorrow", "2030-13-01", "2030-01-02T25:00",
              "2030-01-02T", "01/02/2030", "2030-01-02T03:04:05 02:00"],
)  # fmt: skip
def test_anything_else_is_no_date(given):
    with pytest.raises(ValueError, match="date"):
        dates.parse(given)
