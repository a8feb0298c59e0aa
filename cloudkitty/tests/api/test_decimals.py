# SPDX-License-Identifier: Apache-2.0
"""Decimals as answers show them (contract api.md 3.4, D27, D37)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty.api import decimals


@pytest.mark.parametrize(
    ("value", "text"),
    [("42.066", "42.066"), ("1", "1.0"), ("1E+3", "1000.0"), ("-0.50", "-0.5"), ("0E-27", "0.0")],
)
def test_plain(value, text):
    assert decimals.plain(Decimal(value)) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "0"),
        ([None], "0"),
        ([Decimal("0E-27"), 0.0], "0"),
        ([Decimal(10), None, 5], "15.0"),
        ([Decimal("33.042"), 0.1, 0.2], "33.342"),
        ([Decimal(-1), Decimal(1)], "0"),
    ],
)
def test_report_total(values, text):
    assert decimals.report_total(values) == text


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=28), max_size=5))
def test_a_total_has_every_digit(values):
    few = [value for value in values if len(value.as_tuple().digits) <= 28]
    assert Fraction(decimals.report_total(few)) == sum(map(Fraction, few))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "0"),
        (0.0, "0"),
        (Decimal("0E-30"), "0"),
        (Decimal("0.000001"), "0.0"),
        (Decimal("-0.000001"), "0.0"),
        (Decimal("25.0440049"), "25.044"),
        (Decimal(f"{10**30}.000015"), f"{10**30}.00002"),
        (15, "15.0"),
        (8.25, "8.25"),
        ("2.022", "2.022"),
    ],
)
def test_summary_rate(value, text):
    assert decimals.summary_rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.500000000000000000000000000", "1.5"), ("2E+1", "20"), ("0E-27", "0"), ("-0", "0")],
)
def test_quote(value, text):
    assert decimals.quote(Decimal(value)) == text
