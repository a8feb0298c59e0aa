# SPDX-License-Identifier: Apache-2.0
"""How hashmap comes to the price of a point, rule by rule (contract rating.md 4.3).

The rules and their order are those of the tariff that rates (:mod:`.view`), the arithmetic is that
of :mod:`.formula`; beside it is written down what becomes of each rule. A property test holds the
amounts to add up to the price that rating gives, to the last digit.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from cloudkitty.dataframe import DataPoint
from cloudkitty.rating.explain.model import AppliedRule, Effect, Group, Reason, Rule, reason
from cloudkitty.rating.hashmap import reasons
from cloudkitty.rating.hashmap.formula import CONTEXT, Accumulator, amount
from cloudkitty.rating.hashmap.rules import MappingRule
from cloudkitty.rating.hashmap.view import AnyRule, Applied, View, date

#: Rules of one kind that are named although they do not count.
_MOST: Final = 5


def trace(view: View, point: DataPoint, *, everything: bool) -> Mapping[str, Any]:
    """Give what hashmap does to a point whose price is that before it: groups, and reasons.

    Reasons are given if it adds nothing; with `everything`, also what only administrators may know.
    """
    with decimal.localcontext(CONTEXT):
        groups: dict[str, _Group] = {}
        for applied in view.applied(point):
            name = applied.rule.group
            if name not in groups:
                groups[name] = _Group(name)
            groups[name].take(applied)
        price, found = point.price, []
        for group in groups.values():
            found.append(group.result(point.qty, price))
            price = found[-1]["price"]
    why = [] if price != point.price else reasons.of(view, point, found, everything=everything)
    return {"groups": found, "reasons": why}


class _Group:
    """One group: the sums of rating, and what became of each rule."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sums = Accumulator()
        self._rules: list[AppliedRule] = []
        self._rates: list[Decimal] = []
        #: The flat price and the threshold that won so far.
        self._flat: AppliedRule | None = None
        self._threshold: AppliedRule | None = None

    def take(self, applied: Applied) -> None:
        """Take a rule that applies, as rating does."""
        rule = applied.rule
        entry = self._note(rule, applied.compared)
        if isinstance(rule, MappingRule):
            self._take_mapping(rule, entry)
        else:
            before = self._sums.level
            self._sums.add_threshold(rule.level, rule.price, by_quantity=rule.field is None)
            if self._sums.level == before:
                _lose(entry, "lower_level", self._threshold)
            else:
                entry["effect"] = "threshold"
                if self._threshold:
                    _lose(self._threshold, "lower_level", entry)
                self._threshold = entry
        for other in applied.replaced[-_MOST:]:
            _lose(self._note(other, applied.compared), "replaced", entry)
        for other in applied.reached[:_MOST]:
            _lose(self._note(other, applied.compared), "lower_level", entry)

    def result(self, qty: Decimal, price: Decimal) -> Group:
        """Give what the group adds to a price, for a quantity."""
        sums = self._sums
        term = sums.term()
        added = amount(term, qty)
        return {
            "group": self._name,
            "rules": self._rules,
            "flat": sums.flat,
            "rate": sums.rate,
            "unit_cost": term.unit,
            "quantity": qty,
            "calculation": f"{self._calculation(qty)} = {plain(added)}",
            "amount": added,
            "price": price + added,
            "reasons": [] if added else [self._why_nothing(qty)],
        }

    def _take_mapping(self, rule: MappingRule, entry: AppliedRule) -> None:
        before = self._sums.flat
        self._sums.add_mapping(rule.price)
        if not rule.price.flat:
            entry["effect"] = "multiplies"
            self._rates.append(rule.price.cost)
        elif self._sums.flat != before:
            entry["effect"] = "unit_price"
            if self._flat:
                _lose(self._flat, "lower_flat", entry)
            self._flat = entry
        else:
            _lose(entry, "lower_flat", self._flat)

    def _note(self, rule: AnyRule, compared: str | Decimal | None) -> AppliedRule:
        entry: AppliedRule = {
            **described(rule),
            "effect": "no_effect",
            "by": None,
            "compared": compared,
        }
        self._rules.append(entry)
        return entry

    def _calculation(self, qty: Decimal) -> str:
        """Give the operations in their order, as people write them."""
        sums = self._sums
        flat, rates = plain(sums.flat), list(map(plain, self._rates))
        last = ""
        if sums.threshold is not None:
            cost = plain(sums.threshold.cost)
            if sums.by_quantity:
                last = f" + {cost}" if sums.threshold.flat else f" * {cost}"
            elif sums.threshold.flat:
                flat = f"({flat} + {cost})"
            else:
                rates.append(cost)
        return " * ".join([*rates, flat, plain(qty)]) + last

    def _why_nothing(self, qty: Decimal) -> Reason:
        code, text = self._nothing(qty)
        return reason(code, f"group {self._name}: {text}")

    def _nothing(self, qty: Decimal) -> tuple[str, str]:
        """Give a word and a sentence for why the group adds nothing."""
        sums = self._sums
        flats = [rule for rule in self._rules if rule["type"] == "flat"]
        priced = bool(sums.flat or sums.term().unit)
        by_rate = sums.threshold is not None and not sums.threshold.flat
        if not qty:
            found = "zero_quantity", "the quantity is 0"
        elif not sums.rate or (priced and by_rate):
            found = "rate_of_zero", "a rate multiplies by 0"
        elif priced:
            found = "cancels_out", "the price and the threshold cancel out"
        elif any(rule["kind"] == "mapping" for rule in flats):
            found = "flat_without_effect", "a flat price of 0 or less has no effect"
        elif any(rule["effect"] == "no_effect" for rule in flats):
            found = "level_too_low", "a level of -1 or less never applies"
        else:
            found = "only_rates", "there is no flat price that could be multiplied"
        return found


def described(rule: AnyRule) -> Rule:
    """Give a rule as explanations show it."""
    mapping = isinstance(rule, MappingRule)
    return {
        "id": rule.id,
        "kind": "mapping" if mapping else "threshold",
        "service": rule.service,
        "field": rule.field,
        "value": rule.value if isinstance(rule, MappingRule) else None,
        "level": None if isinstance(rule, MappingRule) else rule.level,
        "type": "flat" if rule.price.flat else "rate",
        "cost": rule.price.cost,
        "group": rule.group,
        "tenant": rule.tenant,
        "start": date(rule.start),
        "end": date(rule.end),
    }


def plain(number: Decimal) -> str:
    """Give a number as people write it, with all its digits."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def _lose(entry: AppliedRule, effect: Effect, by: AppliedRule | None) -> None:
    """Say that a rule lost to another; to none, if it has no effect by itself."""
    if by is not None:
        entry["effect"], entry["by"] = effect, by["id"]
