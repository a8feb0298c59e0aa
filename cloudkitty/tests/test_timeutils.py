# SPDX-License-Identifier: Apache-2.0
"""Time is aware UTC inside and local only where the contract says so."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty import timeutils

instants = st.datetimes(
    min_value=dt.datetime(1980, 1, 1),  # noqa: DTZ001  (hypothesis wants naive bounds)
    max_value=dt.datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.timezones(),
)


@given(instants)
def test_epoch_round_trip(when):
    assert timeutils.from_epoch(timeutils.to_epoch(when)) == timeutils.as_utc(when).replace(
        microsecond=0,
    )


@given(instants)
def test_iso_round_trip(when):
    assert timeutils.parse_iso(timeutils.as_utc(when).isoformat()) == timeutils.as_utc(when)


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-05T11:00:00+00:00",
        "2024-03-05 11:00:00",
        "2024-03-05T11:00:00Z",
        "20240305T110000Z",
        "20240305T13+02",
        "2024-03-05T13:00:00+0200",
        "2024-03-05 13:00:00 +02:00",
    ],
)
def test_iso_forms(text):
    assert timeutils.parse_iso(text) == dt.datetime(2024, 3, 5, 11, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "text",
    ["", "junk", "2024", "2024-03", "2024-13-01", "2024-03-05T25:00", "today", "1709636400"],
)
def test_iso_refuses(text):
    with pytest.raises(ValueError, match="not an ISO 8601 date"):
        timeutils.parse_iso(text)


def test_months_across_a_clock_change():
    timeutils.set_local_timezone(ZoneInfo("America/New_York"))
    march = dt.datetime(2024, 3, 20, tzinfo=dt.UTC)
    assert timeutils.month_start(march).isoformat() == "2024-03-01T00:00:00-05:00"
    assert timeutils.next_month_start(march).isoformat() == "2024-04-01T00:00:00-04:00"
    december = dt.datetime(2024, 12, 31, 23, tzinfo=dt.UTC)
    assert timeutils.next_month_start(december).isoformat() == "2025-01-01T00:00:00-05:00"


def test_calendar_keys_follow_the_local_start():
    begin = timeutils.to_epoch(dt.datetime(2024, 3, 5, 23, 30, tzinfo=dt.UTC))
    assert timeutils.calendar_keys(begin) == {
        "week_of_the_year": "09",
        "day_of_the_year": "65",
        "month": "3",
        "year": "2024",
    }
    timeutils.set_local_timezone(ZoneInfo("Asia/Tokyo"))
    assert timeutils.calendar_keys(begin)["day_of_the_year"] == "66"
