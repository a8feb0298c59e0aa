# SPDX-License-Identifier: Apache-2.0
"""The rules of one service that are in force for one tenant and time, ready to be looked up.

Labels are reduced to what rules can tell apart, so that there are as many formulas as rules make
a difference, not as many as there are resources.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from oslo_log import log as logging

from cloudkitty import timeutils
from cloudkitty.rating.hashmap.formula import Accumulator, Formula, Levels, Term
from cloudkitty.rating.hashmap.rules import MappingRule, Price, ThresholdRule

LOG = logging.getLogger(__name__)

#: Formulas kept per service before all are dropped; hostile labels cannot grow them further.
MAX_FORMULAS: Final = 20_000
MAX_WARNINGS: Final = 10_000


class Applied(NamedTuple):
    """A rule that applies to labels and a quantity, by its key in the maps of rating.md 4.2.

    `field` is None below the service. A mapping has a `value` below a field, a threshold a `level`.
    """

    field: str | None
    group: str
    value: str | None
    level: Decimal | None
    price: Price


# What rules can tell about a field's value: the mapped value it is, and the stretch of levels it
# is in. None when the field is absent, which is another thing than a value no rule knows.
Hit = tuple[str | None, int] | None
#: One for each field that rules look at, in the order of :attr:`ServiceTariff.fields`.
Hits = tuple[Hit, ...]
_UNKNOWN: Final = (None, 0)

_warned: set[tuple[str | None, str, str]] = set()


def number(value: Any) -> Decimal | None:
    """Give the numeric form of a label (contract rating.md 4.5), None when it has none.

    Floats are taken at their exact binary value, unlike quantities.
    """
    if not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = Decimal(value)
    except (decimal.InvalidOperation, ValueError):
        return None
    return None if found.is_nan() else found


class FieldTariff:
    """Mappings and thresholds of one field."""

    __slots__ = ("_by_text", "_levels", "_service", "_values", "name")

    def __init__(
        self,
        service: str,
        name: str,
        mappings: Iterable[MappingRule],
        thresholds: Iterable[ThresholdRule],
    ) -> None:
        """Take active rules, global ones first, each in creation order."""
        self._service = service
        self.name = name
        groups: dict[str, dict[str, Price]] = {}
        for rule in mappings:
            if rule.value is not None:
                groups.setdefault(rule.group, {})[rule.value] = rule.price
        self._values: dict[str, list[tuple[str, Price]]] = {}
        for group, values in groups.items():
            for value, price in values.items():
                self._values.setdefault(value, []).append((group, price))
        self._levels = _levels(thresholds)
        self._by_text: dict[str, Hit] = {value: (value, 0) for value in self._values}

    def hit(self, value: Any, scope: str | None) -> Hit:
        """Reduce a label's value to what rules can tell apart."""
        text = value if type(value) is str else str(value)
        if not self._levels.all:
            return self._by_text.get(text, _UNKNOWN)
        return (text if text in self._values else None, self._stretch(value, scope))

    def _stretch(self, value: Any, scope: str | None) -> int:
        found = number(value)
        if found is None:
            _warn_no_number(scope, self._service, self.name, value)
            return 0
        return self._levels.stretch(found)

    def mapped(self, hit: tuple[str | None, int]) -> list[tuple[str, Price]]:
        """Give (group, price) of the mappings that `hit` matches."""
        return [] if hit[0] is None else self._values[hit[0]]

    def reached(self, hit: tuple[str | None, int]) -> list[tuple[str, Decimal, Price]]:
        """Give (group, level, price) of the thresholds that `hit` reaches."""
        return self._levels.reached(hit[1])


class ServiceTariff:
    """All rules of one service: gives the formula for a set of labels."""

    __slots__ = ("_fields", "_formulas", "_groups", "_levels", "date_fields")

    def __init__(
        self,
        service: str,
        mappings: Iterable[MappingRule],
        thresholds: Iterable[ThresholdRule],
    ) -> None:
        """Take the service's active rules, global ones first, each in creation order."""
        mappings, thresholds = list(mappings), list(thresholds)
        #: The service mapping of each group; a later rule replaces, keeping the group's place.
        self._groups: dict[str, Price] = {r.group: r.price for r in mappings if r.field is None}
        self._levels = _levels(r for r in thresholds if r.field is None)
        names = {r.field for rules in (mappings, thresholds) for r in rules}
        self._fields = [
            FieldTariff(
                service,
                name,
                [r for r in mappings if r.field == name],
                [r for r in thresholds if r.field == name],
            )
            for name in sorted(name for name in names if name is not None)
        ]
        #: The date keys that rules look at: with them a series' formula depends on the period.
        self.date_fields = tuple(n for n in timeutils.CALENDAR_NAMES if n in names)
        self._formulas: dict[tuple[Hit, ...], Formula] = {}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that rules look at, in the order in which they are looked at."""
        return tuple(field.name for field in self._fields)

    @property
    def levels(self) -> Levels:
        """The thresholds of the quantity."""
        return self._levels

    def hits(
        self,
        groupby: Mapping[str, Any],
        metadata: Mapping[str, Any],
        dates: Mapping[str, Any],
        scope: str | None,
    ) -> Hits:
        """Reduce labels to what rules can tell apart; arguments as those of :meth:`formula`."""
        key: list[Hit] = []
        for field in self._fields:
            name = field.name
            if name in dates:
                key.append(field.hit(dates[name], scope))
            elif name in groupby:
                key.append(field.hit(groupby[name], scope))
            elif name in metadata:
                key.append(field.hit(metadata[name], scope))
            else:
                key.append(None)
        return tuple(key)

    def formula(
        self,
        groupby: Mapping[str, Any],
        metadata: Mapping[str, Any],
        dates: Mapping[str, Any],
        scope: str | None,
    ) -> Formula:
        """Give the formula for these labels; `dates` go before `groupby`, that before metadata."""
        return self.formula_of(self.hits(groupby, metadata, dates, scope))

    def formula_of(self, hits: Hits) -> Formula:
        """Give the formula for labels that were reduced."""
        formula = self._formulas.get(hits)
        if formula is None:
            if len(self._formulas) >= MAX_FORMULAS:
                self._formulas.clear()
            formula = Formula(self._levels, lambda stretch: self._terms(hits, stretch))
            self._formulas[hits] = formula
        return formula

    def applied(self, hits: Hits, stretch: int) -> Iterator[Applied]:
        """Give the rules that apply to labels and a stretch of quantities, in the contract's order.

        That is the order of rating.md 4.3, steps 2 to 5.
        """
        for group, price in self._groups.items():
            yield Applied(None, group, None, None, price)
        for group, level, price in self._levels.reached(stretch):
            yield Applied(None, group, None, level, price)
        for field, hit in zip(self._fields, hits, strict=True):
            if hit is None:
                continue
            for group, price in field.mapped(hit):
                yield Applied(field.name, group, hit[0], None, price)
            for group, level, price in field.reached(hit):
                yield Applied(field.name, group, None, level, price)

    def _terms(self, hits: Hits, stretch: int) -> tuple[Term, ...]:
        """Give the arithmetic of the rules that apply (rating.md 4.3, step 6)."""
        groups: dict[str, Accumulator] = {}
        for rule in self.applied(hits, stretch):
            accumulator = groups.get(rule.group)
            if accumulator is None:
                accumulator = groups[rule.group] = Accumulator()
            if rule.level is None:
                accumulator.add_mapping(rule.price)
            else:
                by_quantity = rule.field is None
                accumulator.add_threshold(rule.level, rule.price, by_quantity=by_quantity)
        return tuple(found.term() for found in groups.values())


def _levels(thresholds: Iterable[ThresholdRule]) -> Levels:
    groups: dict[str, dict[Decimal, Price]] = {}
    for rule in thresholds:
        groups.setdefault(rule.group, {})[rule.level] = rule.price
    return Levels(groups)


def _warn_no_number(scope: str | None, service: str, field: str, value: Any) -> None:
    """Say once per scope, service and field that its thresholds cannot be compared (4.8)."""
    what = (scope, service, field)
    if what in _warned:
        return
    if len(_warned) >= MAX_WARNINGS:
        _warned.clear()
    _warned.add(what)
    LOG.warning(
        "hashmap: scope %s, service %s: field %s has thresholds but its value %r is no number; "
        "none of them applies",
        scope,
        service,
        field,
        value,
    )
