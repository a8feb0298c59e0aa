# SPDX-License-Identifier: Apache-2.0
"""What a point costs, written down sentence by sentence from contract rating.md 3 and 4.

Slow on purpose: no caches, no compiling, no sharing with the engine but the tuples of rules.
"""

from __future__ import annotations

import decimal
from decimal import Decimal


def price(rules, tenant, when, metric, desc, qty, incoming):
    """Give the price of one point; `when` is the period's begin, host-local and naive."""
    with decimal.localcontext(decimal.Context(prec=28, rounding=decimal.ROUND_HALF_EVEN)):
        mappings = [
            rule
            for owner in dict.fromkeys((None, tenant))
            for rule in rules.mappings
            if rule.tenant == owner
            and rule.service == metric
            and rule.start <= when
            and (rule.end is None or rule.end > when)
        ]
        thresholds = [
            rule
            for owner in dict.fromkeys((None, tenant))
            for rule in rules.thresholds
            if rule.tenant == owner
            and rule.service == metric
            and (rule.start is None or rule.start <= when)
            and (rule.end is None or rule.end > when)
        ]
        return _price(mappings, thresholds, desc, qty, incoming)


class _Groups(dict):
    """Name -> accumulator, in the order in which rules touch the groups."""

    def _touch(self, name):
        start = {"flat": Decimal(0), "rate": Decimal(1), "level": Decimal(-1), "threshold": None}
        return self.setdefault(name, start)

    def apply_mapping(self, name, price):
        found = self._touch(name)
        if not price.flat:
            found["rate"] = found["rate"] * price.cost
        elif price.cost > found["flat"]:
            found["flat"] = price.cost

    def apply_thresholds(self, by_group, number, scope):
        for name, levels in by_group.items():
            reached = [level for level in levels if number >= level]
            if not reached:
                continue
            highest = max(reached)
            found = self._touch(name)
            if highest > found["level"]:
                found["level"] = highest
                found["threshold"] = (scope, levels[highest])


def _price(mappings, thresholds, desc, qty, incoming):
    groups = _Groups()
    for name, found in {r.group: r.price for r in mappings if r.field is None}.items():
        groups.apply_mapping(name, found)
    groups.apply_thresholds(_levels(thresholds, None), qty, "service")
    for field in sorted({r.field for r in (*mappings, *thresholds)} - {None}):
        if field in desc:
            _apply_field(groups, mappings, thresholds, field, desc[field])
    return _total(groups, qty, incoming)


def _apply_field(groups, mappings, thresholds, field, given):
    values = {}
    for rule in mappings:
        if rule.field == field:
            values.setdefault(rule.group, {})[rule.value] = rule.price
    for name, by_value in values.items():
        for value, found in by_value.items():
            if value == str(given):
                groups.apply_mapping(name, found)
    levels = _levels(thresholds, field)
    number = _number(given) if levels else None
    if number is not None:
        groups.apply_thresholds(levels, number, "field")


def _total(groups, qty, incoming):
    total = incoming
    for found in groups.values():
        flat, rate = found["flat"], found["rate"]
        scope, threshold = found["threshold"] or (None, None)
        if scope == "field":
            if threshold.flat:
                flat = flat + threshold.cost
            else:
                rate = rate * threshold.cost
        part = (rate * flat) * qty
        if scope == "service":
            part = part + threshold.cost if threshold.flat else part * threshold.cost
        total = total + part
    return total


def _levels(thresholds, field):
    found = {}
    for rule in thresholds:
        if rule.field == field:
            found.setdefault(rule.group, {})[rule.level] = rule.price
    return found


def _number(value):
    if value is None or isinstance(value, list | dict):
        return None
    try:
        number = Decimal(value)
    except (decimal.InvalidOperation, ValueError):
        return None
    return None if number.is_nan() else number
