# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty.api.v2 import jsontext


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("42.066", "42.066"),
        ("1", "1.0"),
        ("1E+3", "1000.0"),
        ("0E-27", "0.0"),
        ("-0.0", "0.0"),
        ("-1.50", "-1.5"),
        ("1E-28", "0.0000000000000000000000000001"),
        ("12345678901234567890.12345678901234567890", "12345678901234567890.1234567890123456789"),
    ],
)
def test_decimals_are_plain_and_exact(value, text):
    assert jsontext.encode([Decimal(value)]).decode() == f"[{text}]"


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20))
def test_every_decimal_comes_back(value):
    text = jsontext.encode(value).decode()

    assert json.loads(text, parse_float=Decimal) == value
    assert "." in text
    assert "E" not in text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_texts_are_ascii(text):
    encoded = jsontext.encode({text: [text]})

    assert encoded.isascii()
    assert json.loads(encoded) == {text: [text]}


def test_large_integers():
    data = {"a": [10**30, True, None, 1.5, {"b": -(10**30)}, Decimal(1)]}

    assert json.loads(jsontext.encode(data)) == data


def test_dates_have_their_offset():
    when = dt.datetime(2026, 11, 1, tzinfo=dt.timezone(dt.timedelta(hours=-4)))

    assert jsontext.encode(when) == b'"2026-11-01T00:00:00-04:00"'
