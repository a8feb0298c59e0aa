# SPDX-License-Identifier: Apache-2.0
"""What a tenant has of one service's rules at a date, for who asks about a price.

Which rules apply is asked of the tariff that rates (:class:`~.service.ServiceTariff`): nothing is
matched a second way. It knows prices by key (rating.md 4.2); here keys are led back to rules.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from cloudkitty.dataframe import DataPoint
from cloudkitty.rating.hashmap.rules import MappingRule, ThresholdRule
from cloudkitty.rating.hashmap.service import number
from cloudkitty.rating.hashmap.tariff import NO_DATES, Tariffs, in_force

AnyRule = MappingRule | ThresholdRule
#: Field, group, value, level.
Key = tuple[str | None, str, str | None, Decimal | None]

#: Longer label values are cut; no rule has one that long.
_LONGEST: Final = 256


class Applied(NamedTuple):
    """A rule that applies to a point, those with its key that it replaced, and what it met.

    `reached` are the lower levels that it stands before, highest first.
    """

    rule: AnyRule
    replaced: tuple[AnyRule, ...]
    reached: tuple[AnyRule, ...]
    compared: str | Decimal | None


class View:
    """One service's rules: those in force for a tenant, and the others."""

    def __init__(
        self,
        tariffs: Tariffs,
        tenant: str | None,
        when: dt.datetime,
        service: str,
    ) -> None:
        """`when` is host-local and naive."""
        self.service = service
        self.tenant = tenant
        #: What rates; None when there is no such service.
        self.tariff = tariffs.of(tenant).at(when).get(service)
        rules = tariffs.rules_of(service)
        whose = dict.fromkeys((None, tenant))
        #: Rules for all and those of the tenant, whatever their dates.
        self.visible = [rule for owner in whose for rule in rules if rule.tenant == owner]
        #: Those of other tenants.
        self.others = [rule for rule in rules if rule.tenant not in whose]
        self.in_force: list[AnyRule] = list(in_force(self.visible, when))
        self._by_key: dict[Key, list[AnyRule]] = {}
        for rule in self.in_force:
            self._by_key.setdefault(key(rule), []).append(rule)

    def applied(self, point: DataPoint) -> Iterator[Applied]:
        """Give the rules that apply to a point, in the contract's order (rating.md 4.3)."""
        tariff = self.tariff
        if tariff is None:
            return
        hits = tariff.hits(point.groupby, point.metadata, NO_DATES, self.tenant)
        stretch = tariff.levels.stretch(point.qty) if tariff.levels.all else 0
        for one in tariff.applied(hits, stretch):
            *replaced, rule = self._by_key[one.field, one.group, one.value, one.level]
            compared = self.compared(rule, point)
            yield Applied(rule, tuple(replaced), self._lower(rule), compared)

    def would_apply(self, rule: AnyRule, point: DataPoint) -> bool:
        """Whether a rule would, were it in force for the tenant."""
        compared = self.compared(rule, point)
        if isinstance(rule, MappingRule):
            return rule.field is None or compared == rule.value is not None
        return isinstance(compared, Decimal) and compared >= rule.level

    def compared(self, rule: AnyRule, point: DataPoint) -> str | Decimal | None:
        """Give what a rule looks at: the text of a label, or a number; None where it has none."""
        if isinstance(rule, ThresholdRule) and rule.field is None:
            return point.qty
        if rule.field is None or (found := label(point, rule.field)) is None:
            return None
        return text(found[0]) if isinstance(rule, MappingRule) else number(found[0])

    def _lower(self, rule: AnyRule) -> tuple[AnyRule, ...]:
        if isinstance(rule, MappingRule):
            return ()
        found = [
            rules[-1]
            for (field, group, _value, level), rules in self._by_key.items()
            if level is not None and (field, group) == (rule.field, rule.group)
            if level < rule.level
        ]
        return tuple(sorted(found, key=lambda rule: -key(rule)[-1]))  # type: ignore[operator]


def key(rule: AnyRule) -> Key:
    """Give the key of a rule; rules with the same replace one another."""
    if isinstance(rule, MappingRule):
        return rule.field, rule.group, rule.value if rule.field is not None else None, None
    return rule.field, rule.group, None, rule.level


def label(point: DataPoint, name: str) -> tuple[object] | None:
    """Give the value of a label, alone in a tuple; None for a label that is absent."""
    for labels in (point.groupby, point.metadata):
        if name in labels:
            return (labels[name],)
    return None


def text(value: object) -> str:
    """Give the text of a label that mappings are compared with (rating.md 4.4)."""
    return value if type(value) is str else str(value)


def shown(value: object) -> str:
    """Give the text of a label for people."""
    found = text(value)
    return found if len(found) <= _LONGEST else found[:_LONGEST] + "..."


def date(bound: dt.datetime | None) -> str | None:
    """Give a bound of a rule's window as text; None where there is none."""
    # Rules of a document that does not say when they begin begin with time itself.
    return None if bound is None or bound.year == dt.MINYEAR else bound.isoformat()
