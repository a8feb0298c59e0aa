# SPDX-License-Identifier: Apache-2.0
"""The sum of the prices of many points, to the last digit, without looking at each.

A price is worked out with 28 digits (contract rating.md 4.3), and a sum of prices is exact. So the
sum of *rounded* prices is wanted. It follows from sums of quantities in two cases:

* All quantities are equal: one price, so many times.
* Nothing is ever rounded. With quantities that are multiples of 10^-s, the result of every step is
  a multiple of some 10^-S and below some 10^I, both of which follow from the rules; if I + S is at
  most 28, each step is exact, so the sum is that of exact arithmetic, where the order of operations
  does not matter.

In any other case the points have to be looked at.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

from cloudkitty.db.engines import EXACT
from cloudkitty.rating.hashmap.formula import CONTEXT, Formula, Term
from cloudkitty.usage import ZERO

Rounding = Callable[[Decimal], Decimal] | None

_DIGITS: Final = CONTEXT.prec
_STEP: Final = Decimal(1).scaleb(-_DIGITS)


def of_sums(
    formula: Formula,
    points: int,
    total: Decimal,
    least: Decimal,
    most: Decimal,
    rounding: Rounding,
) -> Decimal | None:
    """Give the sum of the prices of so many points; None when it cannot be told from sums.

    `total` is the exact sum of their quantities, with all digits after the point that any of them
    has; `least` and `most` are their extremes. `rounding` is what storing does to each price: it
    keeps so many digits after the point.
    """
    if least == most:
        with decimal.localcontext(CONTEXT):
            price = formula.price(least, ZERO)
        return EXACT.multiply(rounding(price) if rounding else price, Decimal(points))
    # An exact price is a multiple of the smallest step, which storing it must not touch. Quantities
    # that cancel out may take digits of the sum with them.
    if least < 0 or (rounding is not None and rounding(_STEP) != _STEP):
        return None
    terms = formula.terms(least, most)
    if terms is None or not _is_exact(terms, total, most):
        return None
    return _sum(terms, points, total)


def of_points(formula: Formula, qtys: Sequence[Decimal], rounding: Rounding) -> Decimal:
    """Give the sum of the prices of points with these quantities."""
    with decimal.localcontext(CONTEXT):
        prices = formula.prices(qtys, [ZERO] * len(qtys))
    return total(map(rounding, prices) if rounding else prices)


def total(numbers: Iterable[Decimal]) -> Decimal:
    """Give the exact sum."""
    with decimal.localcontext(EXACT):
        return sum(numbers, ZERO)


def _sum(terms: Sequence[Term], points: int, qty: Decimal) -> Decimal:
    found = ZERO
    for unit, after in terms:
        part = EXACT.multiply(unit, qty)
        if after is not None:
            part = (
                EXACT.add(part, EXACT.multiply(after.cost, Decimal(points)))
                if after.flat
                else EXACT.multiply(part, after.cost)
            )
        found = EXACT.add(found, part)
    return found


def _is_exact(terms: Sequence[Term], qty: Decimal, most: Decimal) -> bool:
    """Whether no step towards the price of a quantity from 0 to `most` is rounded."""
    scale, bound = 0, ZERO
    for unit, after in terms:
        part_scale = _scale(unit) + _scale(qty)
        part = EXACT.multiply(abs(unit), most)
        if after is not None and after.flat:
            if not _fits(part, part_scale):
                return False
            part_scale = max(part_scale, _scale(after.cost))
            part = EXACT.add(part, abs(after.cost))
        elif after is not None:
            if not _fits(part, part_scale):
                return False
            part_scale += _scale(after.cost)
            part = EXACT.multiply(part, abs(after.cost))
        scale, bound = max(scale, part_scale), EXACT.add(bound, part)
        if not (_fits(part, part_scale) and _fits(bound, scale)):
            return False
    return True


def _fits(bound: Decimal, scale: int) -> bool:
    """Whether multiples of 10^-scale up to `bound` have no more digits than are kept."""
    before = bound.adjusted() + 1 if bound else 0
    return max(before, 0) + scale <= _DIGITS


def _scale(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
