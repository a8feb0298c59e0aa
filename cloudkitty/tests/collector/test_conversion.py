# SPDX-License-Identifier: Apache-2.0
"""From raw numbers to quantities (contract collect.md 1.4, 1.5)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty.collector.conversion import Conversion

FINITE = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)


@pytest.mark.parametrize(
    ("raw", "factor", "offset", "qty"),
    [
        ("123456789.1", "1/1048576", 0, "117.7375689506530761718750000"),
        ("0.1", 1, 0, "0.1"),
        ("1234567890123", 1, 0, "1234567890123"),
        ("123456789.123456789", "1/3", 0, "41152263.04115226300000000000"),
        ("10", "1/3", "1/7", "3.476190476190476190476190476"),
        ("5", "-0.1", "0.5", "0"),
        ("-0", 1, 0, "0"),
        ("1e308", "1e-300", 1, "100000001"),
        ("12345678901234567890123456789012345", 1, 0, "1.234567890123456789012345679E+34"),
    ],
)
def test_factor_and_offset(raw: str, factor: Any, offset: Any, qty: str) -> None:
    found = Conversion(factor, offset)(Decimal(raw))
    assert found == Decimal(qty)
    assert len(found.as_tuple().digits) <= 28
    assert not found.is_zero() or not found.is_signed()


@pytest.mark.parametrize(
    ("mode", "results"),
    [
        ("NONE", ["-2.7", "0", "0.5", "11"]),
        ("NUMBOOL", ["1.0", "0.0", "1.0", "1.0"]),
        ("NOTNUMBOOL", ["0.0", "1.0", "0.0", "0.0"]),
        ("FLOOR", ["-3", "0", "0", "11"]),
        ("CEIL", ["-2", "0", "1", "11"]),
        ("MAP", ["0.0", "7", "0.25", "1.0"]),
    ],
)
def test_mutate(mode: str, results: list[str]) -> None:
    table = {11: 1.0, 0.0: 7, "0.50": 0.25, "text": 3, 0.1: 9}
    convert = Conversion(mutate=mode, mutate_map=table if mode == "MAP" else None)
    assert [str(convert(Decimal(raw))) for raw in ("-2.7", "0", "0.5", "11")] == results


def test_mutate_sees_the_converted_value_and_exact_keys() -> None:
    assert Conversion("1/2", 1, "MAP", {0.1: 5, 1.05: 6})(Decimal("0.1")) == 6
    assert Conversion(mutate="MAP", mutate_map={0.1: 5})(Decimal("0.1")) == 5
    assert Conversion(mutate="MAP", mutate_map={})(Decimal(1)) == 0


@given(FINITE, st.fractions(max_denominator=10**9), st.fractions(max_denominator=10**9))
def test_the_result_is_the_exact_one_rounded_once(
    raw: Decimal, factor: Fraction, offset: Fraction
) -> None:
    exact = Fraction(raw) * factor + offset
    found = Fraction(Conversion(factor, offset)(raw))
    assert abs(found - exact) * 2 <= abs(exact) * Fraction(1, 10**27)
