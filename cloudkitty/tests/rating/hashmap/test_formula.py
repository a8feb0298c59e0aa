# SPDX-License-Identifier: Apache-2.0
"""Many points at once cost what each costs by itself, to the last digit."""

from __future__ import annotations

import decimal
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cloudkitty.rating.hashmap.formula import CONTEXT, Formula, Levels, Term
from cloudkitty.rating.hashmap.rules import Price

# Too long for 28 digits once two of them are multiplied: every rounding shows.
long_numbers = st.integers(10**26, 10**28).map(lambda n: Decimal(n) / 10**26)
bounds = st.integers(1, 90).map(Decimal)


@given(
    st.dictionaries(bounds, st.builds(Price, st.booleans(), long_numbers), max_size=4),
    st.lists(long_numbers, min_size=1, max_size=3),
    st.lists(st.tuples(long_numbers | bounds, long_numbers), max_size=12),
)
def test_together_as_alone(levels, units, points):
    found = Levels({"g": levels})

    def terms(stretch):
        after = next((price for _, _, price in found.reached(stretch)), None)
        return tuple(Term(unit, after) for unit in units)

    formula = Formula(found, terms)
    qtys = [qty for qty, _ in points]
    prices = [price for _, price in points]
    with decimal.localcontext(CONTEXT):
        alone = [formula.price(qty, price) for qty, price in points]
        assert formula.prices(qtys, prices) == alone
    assert prices == [price for _, price in points]


def test_the_worked_roundings():
    """Example H of rating.md 4.9, and the order of a rate above a level."""
    third, seventh = Decimal("0." + "3" * 28), Decimal("0.1428571428571428571428571429")
    with decimal.localcontext(CONTEXT):
        formula = Formula(Levels({}), lambda _: (Term(third * seventh, None),))
        expected = Decimal("0.3333333333333333333333333334")
        assert formula.prices([Decimal(7)] * 2, [Decimal(0)] * 2) == [expected] * 2

        rate = Price(flat=False, cost=seventh)
        formula = Formula(Levels({"g": {Decimal(1): rate}}), lambda _: (Term(third, rate),))
        qty = Decimal("5.123456789012345678901234567")
        assert formula.prices([qty] * 2, [Decimal(0)] * 2) == [third * qty * seventh] * 2
