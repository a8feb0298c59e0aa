# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import voluptuous as vol

from cloudkitty import timeutils
from cloudkitty.api import errors
from cloudkitty.api.v2 import schema


def refusal(read, data):
    with pytest.raises(errors.ApiError) as caught:
        schema.check(vol.Schema(read), data)
    assert caught.value.code == 400
    return caught.value.faultstring


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"limit": ["0"]}, "value must be at least 1 (path: '['limit']')"),
        ({"offset": ["-1"]}, "value must be at least 0 (path: '['offset']')"),
        ({"limit": ["x"]}, "expected int (path: '['limit']')"),
        ({"limit": ["1_0"]}, "expected int (path: '['limit']')"),
        ({"limit": ["1", "2"]}, "length of value must be 1 (path: '['limit']')"),
        ({"bogus": ["1"]}, "extra keys not allowed (path: '['bogus']')"),
    ],
)
def test_paging(query, reason):
    assert refusal(schema.PAGING, query) == f"Invalid data '{query}' : {reason}"


def test_paging_has_defaults_and_bounds():
    read = vol.Schema(schema.PAGING)

    assert read({}) == {"offset": 0, "limit": 100}
    assert read({"limit": ["9" * 30]})["limit"] < 2**63


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("bad", "invalid key:value association bad"),
        ("a:b:c", "invalid key:value association a:b:c"),
        ("", "invalid key:value association "),
        ("a:1,a:2", "key a already provided"),
    ],
)
def test_filters(item, reason):
    with pytest.raises(vol.Invalid) as caught:
        schema.Filters(repeat=False)([item])
    assert caught.value.msg == reason


def test_filters_add_up():
    read = schema.Filters(repeat=True)

    assert read(["a:1,b:2", "a:3"]) == {"a": ["1", "3"], "b": ["2"]}
    assert read(["a:"]) == {"a": [""]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01 10:30", "2026-11-01T10:30:00+00:00"),
        ("20261101T103000Z", "2026-11-01T10:30:00+00:00"),
        ("2026-11-01T10:30:00.999", "2026-11-01T10:30:00+00:00"),
        ("2026-11-01T10:30:00+02:00", "2026-11-01T08:30:00+00:00"),
        # A plus sign that was not escaped.
        ("2026-11-01T10:30:00 02:00", "2026-11-01T08:30:00+00:00"),
        ("2026-11-01 10:30:00 0200", "2026-11-01T08:30:00+00:00"),
    ],
)
def test_dates(text, expected):
    assert schema.date(text) == dt.datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "value",
    ["", "yesterday", "2026-13-01", "2030-01", "0001-01-01T00:00:00+05:00", 5, None, [], True],
)
def test_what_is_no_date(value):
    with pytest.raises(vol.Invalid, match="not a valid date"):
        schema.date(value)


def test_a_date_must_exist_in_local_time():
    timeutils.set_local_timezone(dt.timezone(dt.timedelta(hours=5)))

    with pytest.raises(vol.Invalid, match="not a valid date"):
        schema.date("9999-12-31T23:00:00")


def test_data_is_shown_as_it_came_and_cut():
    assert schema.shown({"a": [Decimal("0.5"), None, True]}) == "{'a': [0.5, None, True]}"
    assert len(schema.shown(["x" * 100_000])) < 3000
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert schema.shown(deep) == "..."
