# SPDX-License-Identifier: Apache-2.0
"""From the rules that apply to a point to the arithmetic of its price (contract rating.md 4.3).

A :class:`Formula` is what is left when a point's labels are known: one :class:`Term` per group,
in the order in which rules touched the groups, for each stretch of quantities between two levels
of the service's thresholds. The order of operations is the contract's: it decides the last digit.
"""

from __future__ import annotations

import decimal
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from cloudkitty.rating.hashmap.rules import Price

#: All arithmetic of hashmap happens in this context; callers enter it with ``localcontext``.
CONTEXT: Final = decimal.Context(
    prec=28,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)


class Term(NamedTuple):
    """What one group adds: ``unit * q``, then a service threshold if it won."""

    unit: Decimal
    after: Price | None


def amount(term: Term, qty: Decimal) -> Decimal:
    """Give what one group adds for a quantity; to be called in CONTEXT.

    Prices of many points are made by the same operations in the same order (:class:`Formula`).
    """
    found = term.unit * qty
    if term.after is None:
        return found
    return found + term.after.cost if term.after.flat else found * term.after.cost


class Accumulator:
    """One group while the rules that apply are gone through."""

    __slots__ = ("by_quantity", "flat", "level", "rate", "threshold")

    def __init__(self) -> None:
        self.flat = Decimal(0)
        self.rate = Decimal(1)
        self.level = Decimal(-1)
        self.threshold: Price | None = None
        self.by_quantity = False

    def add_mapping(self, price: Price) -> None:
        """Take a mapping: rates multiply, the highest flat wins."""
        if not price.flat:
            self.rate *= price.cost
        elif price.cost > self.flat:
            self.flat = price.cost

    def add_threshold(self, level: Decimal, price: Price, *, by_quantity: bool) -> None:
        """Take a threshold whose level was reached, if that is higher than any so far."""
        if level > self.level:
            self.level, self.threshold, self.by_quantity = level, price, by_quantity

    def term(self) -> Term:
        """Give the group's arithmetic."""
        flat, rate, threshold = self.flat, self.rate, self.threshold
        if threshold is None or self.by_quantity:
            return Term(rate * flat, threshold)
        if threshold.flat:
            flat += threshold.cost
        else:
            rate *= threshold.cost
        return Term(rate * flat, None)


class Levels:
    """The thresholds of one service or field, by group."""

    __slots__ = ("_groups", "all")

    def __init__(self, groups: Mapping[str, Mapping[Decimal, Price]]) -> None:
        """Take group -> level -> price; the order of groups is kept."""
        self._groups = [
            (group, sorted(levels), [levels[level] for level in sorted(levels)])
            for group, levels in groups.items()
        ]
        #: Every level once, ascending.
        self.all: list[Decimal] = sorted(
            {level for _, levels, _ in self._groups for level in levels}
        )

    def stretch(self, number: Decimal) -> int:
        """Give how many levels `number` reaches; numbers with the same answer are alike."""
        return bisect_right(self.all, number)

    def reached(self, stretch: int) -> list[tuple[str, Decimal, Price]]:
        """Give (group, level, price) of the highest level that each group reaches."""
        if not stretch:
            return []
        bound = self.all[stretch - 1]
        out = []
        for group, levels, prices in self._groups:
            index = bisect_right(levels, bound)
            if index:
                out.append((group, levels[index - 1], prices[index - 1]))
        return out


class Formula:
    """Prices of points whose labels say the same to every rule."""

    __slots__ = ("_levels", "_make", "_terms")

    def __init__(self, levels: Levels, make: Callable[[int], tuple[Term, ...]]) -> None:
        """Take the service's thresholds, and what gives the terms of a stretch of them."""
        self._levels = levels
        self._make = make
        self._terms: list[tuple[Term, ...] | None] = [None] * (len(levels.all) + 1)

    def price(self, qty: Decimal, price: Decimal) -> Decimal:
        """Give the price of one point: `price` so far plus every group's; as `prices`."""
        levels = self._levels
        for unit, after in self._at(levels.stretch(qty) if levels.all else 0):
            if after is None:
                price += unit * qty
            elif after.flat:
                price += unit * qty + after.cost
            else:
                price += unit * qty * after.cost
        return price

    def terms(self, least: Decimal, most: Decimal) -> tuple[Term, ...] | None:
        """Give what holds for all quantities from `least` to `most`; None when a level lies there.

        The price of a point is what the terms add to it, one after the other.
        """
        lowest, highest = self._levels.stretch(least), self._levels.stretch(most)
        return self._at(lowest) if lowest == highest else None

    def prices(self, qtys: Sequence[Decimal], prices: list[Decimal]) -> list[Decimal]:
        """Give the prices of many points; to be called in CONTEXT, with finite quantities."""
        if len(qtys) == 1:
            return [self.price(qtys[0], prices[0])]
        if not qtys or not self._levels.all:
            return _apply(self._at(0), qtys, prices)
        stretch = self._levels.stretch
        lowest, highest = stretch(min(qtys)), stretch(max(qtys))
        if lowest == highest:
            return _apply(self._at(lowest), qtys, prices)
        indexes: dict[int, list[int]] = {}
        for index, qty in enumerate(qtys):
            indexes.setdefault(stretch(qty), []).append(index)
        out = list(prices)
        for reached, of in indexes.items():
            found = _apply(self._at(reached), [qtys[i] for i in of], [prices[i] for i in of])
            for index, price in zip(of, found, strict=True):
                out[index] = price
        return out

    def _at(self, stretch: int) -> tuple[Term, ...]:
        terms = self._terms[stretch]
        if terms is None:
            terms = self._terms[stretch] = self._make(stretch)
        return terms


def _apply(
    terms: Sequence[Term],
    qtys: Sequence[Decimal],
    prices: list[Decimal],
) -> list[Decimal]:
    # Term by term over all points is the same for each point as all terms at once.
    for unit, after in terms:
        points = zip(prices, qtys, strict=True)
        if after is None:
            prices = [p + unit * q for p, q in points]
        elif after.flat:
            cost = after.cost
            prices = [p + (unit * q + cost) for p, q in points]
        else:
            cost = after.cost
            prices = [p + unit * q * cost for p, q in points]
    return prices
