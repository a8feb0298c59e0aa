# SPDX-License-Identifier: Apache-2.0
"""A sum of prices that follows from sums of quantities is the sum of the prices."""

from __future__ import annotations

import datetime as dt
import decimal
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudkitty.db.engines import EXACT
from cloudkitty.rating import document
from cloudkitty.rating.hashmap.formula import Formula
from cloudkitty.rating.hashmap.tariff import Tariffs
from cloudkitty.simulation import exact


def formula(rules: str) -> Formula:
    """Give what rules make of a point of service s."""
    text = f"hashmap: {{services: {{s: {{{rules}}}}}}}"
    tariffs = Tariffs(document.loads(text, strict=False).hashmap)
    tariff = tariffs.of(None).at(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - dates of rules are naive
    return tariff["s"].formula({}, {}, {}, None)


def from_sums(found: Formula, qtys: list[Decimal]) -> Decimal | None:
    total = exact.total(qtys)
    return exact.of_sums(found, len(qtys), total, min(qtys), max(qtys), None)


quantities = st.one_of(
    st.decimals(0, 10**6, places=6),
    st.decimals(0, 10**6, places=20),
    st.decimals(0, 10**30, places=1),
    st.sampled_from([Decimal("1E+5"), Decimal("0.0"), Decimal("1E-27")]),
)
costs = st.sampled_from(["1", "-2", "0.3", "0.3333333333333333333333333333", "7e-25", "123456789"])


@st.composite
def rules(draw: st.DrawFn) -> str:
    groups = ["a", "b"][: draw(st.integers(1, 2))]
    mappings = [
        f"{{group: {group}, type: {kind}, cost: {draw(costs)}}}"
        for group in groups
        for kind in ["flat", "rate"][: draw(st.integers(1, 2))]
    ]
    thresholds = [
        f"{{group: {group}, level: {draw(st.sampled_from(['0', '1000']))}, "
        f"type: {draw(st.sampled_from(['flat', 'rate']))}, cost: {draw(costs)}}}"
        for group in groups
        if draw(st.booleans())
    ]
    return f"mappings: [{', '.join(mappings)}], thresholds: [{', '.join(thresholds)}]"


@settings(max_examples=150, deadline=None)
@given(rules(), st.lists(quantities, min_size=1, max_size=6))
def test_the_sum_of_the_prices_or_none(text: str, qtys: list[Decimal]) -> None:
    found = formula(text)
    price = from_sums(found, qtys)
    assert price is None or price == exact.of_points(found, qtys, None)


@pytest.mark.parametrize(
    ("text", "qtys", "known"),
    [
        # Traffic as it is measured, with prices as they are usual.
        ("mappings: [{cost: 0.00000009}]", ["51234.567891", "0.5"], True),
        ("mappings: [{cost: 0.5}], thresholds: [{level: 0, cost: 2}]", ["1.5", "7"], True),
        ("mappings: [{cost: 0.5}], thresholds: [{level: 2, cost: 2}]", ["1.5", "7"], False),
        ("mappings: [{cost: 0.3333333333333333333333333333}]", ["3", "7"], False),
        ("mappings: [{cost: 0.3333333333333333333333333333}]", ["7", "7"], True),
        ("mappings: [{cost: 1}]", ["-0.5", "0.5", "5"], False),
        ("mappings: [{cost: 1}]", ["1e27", "0.5"], False),
        ("mappings: [{cost: 1}]", ["1e26", "0.5"], True),
        # Each step fits, their sum does not.
        (
            "mappings: [{cost: 1e11, group: a}, {cost: 1e-17, group: b}]",
            ["1", "2"],
            False,
        ),
    ],
)
def test_when_it_can_be_told(text: str, qtys: list[str], *, known: bool) -> None:
    found = formula(text)
    numbers = list(map(Decimal, qtys))
    price = from_sums(found, numbers)
    assert (price is not None) is known
    if known:
        assert price == exact.of_points(found, numbers, None)


def test_each_price_is_rounded_as_it_is_stored() -> None:
    unit = Decimal("1E-30")

    def rounding(number: Decimal) -> Decimal:
        return EXACT.quantize(number, unit)

    found = formula("mappings: [{cost: 4e-28}]")
    third = Decimal("0.001")
    assert exact.of_sums(found, 3, 3 * third, third, third, rounding) == 0
    assert exact.of_points(found, [third] * 3, rounding) == 0
    assert exact.of_sums(found, 3, 3 * third, third, third, None) == Decimal("1.2E-30")
    # An exact price has no digits that are rounded away. Sums that show more digits than the
    # quantities had tell nothing, and neither do they where storing rounds more than rating.
    assert exact.of_sums(found, 2, Decimal(3), Decimal(1), Decimal(2), rounding) == Decimal(
        "1.2E-27"
    )
    shown = EXACT.quantize(Decimal(3), unit)
    assert exact.of_sums(found, 2, shown, Decimal(1), Decimal(2), rounding) is None
    assert (
        exact.of_sums(found, 2, Decimal(3), Decimal(1), Decimal(2), lambda x: round(x, 9)) is None
    )


def test_the_context_of_the_caller_does_not_matter() -> None:
    with decimal.localcontext(decimal.Context(prec=3)):
        assert exact.total([Decimal("1E+20"), Decimal("1E-20")]) == Decimal(
            "100000000000000000000.00000000000000000001"
        )
