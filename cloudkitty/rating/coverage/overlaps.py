# SPDX-License-Identifier: Apache-2.0
"""Rules that apply to the same usage in several groups, and rules that hide one another.

Groups add up by design: a licence on top of a flavor is two groups. It is worth a look when two
groups price the same thing, as a price that was moved to another group and left in the old one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, Final
from weakref import WeakKeyDictionary

from cloudkitty import timeutils
from cloudkitty.rating.coverage.matching import Applied, Match, every
from cloudkitty.rating.coverage.report import (
    Example,
    Kind,
    Level,
    Overlap,
    OverlapPart,
    Overlapping,
    group,
    kind,
)
from cloudkitty.rating.coverage.tally import Place, Tally
from cloudkitty.rating.coverage.unused import overlaps
from cloudkitty.rating.hashmap.rules import MappingRule, Rules
from cloudkitty.rating.hashmap.view import AnyRule, key
from cloudkitty.storage.v2.base import Portion, SeriesSums

#: How many rules of one parent are named.
_NAMED: Final = 10

#: Kind, service, and (group, field, kind of rule) of what comes together.
_Shape = tuple[Overlap, str, tuple[tuple[str, str | None, Kind], ...]]


class Overlaps:
    """Gathers what comes together; a finding for each combination of parents and groups."""

    def __init__(self, rules: Rules) -> None:
        self._rules = every(rules)
        self._shapes: dict[_Shape, Overlapping] = {}
        self._known: WeakKeyDictionary[Applied, list[Overlapping]] = WeakKeyDictionary()
        #: Rule that another one with the same key hides -> that.
        self._hidden: dict[AnyRule, Overlapping] = {}

    def add(
        self,
        series: SeriesSums,
        portion: Portion,
        match: Match,
        values: Mapping[str, str | None],
        place: Place,
    ) -> None:
        """Note what comes together for a portion, at its highest quantity."""
        applied = match.applied(portion.most)
        if applied not in self._known:
            self._known[applied] = list(self._look(applied))
        for finding in self._known[applied]:
            finding.tally.add(portion, place)
            if finding.example is None:
                finding.example = Example(series.scope, series.groupby, values)

    def found(self, begin: dt.datetime, end: dt.datetime) -> list[Overlapping]:
        """Give what was found, and rules with the same key without usage; the worst first."""
        limits = timeutils.naive_local(begin), timeutils.naive_local(end)
        for hidden, by in _same_keys(self._rules, *limits):
            self._hide(hidden, by)
        found = [*self._shapes.values(), *self._hidden.values()]
        return sorted(found, key=_order)

    def _look(self, applied: Applied) -> Iterator[Overlapping]:
        charging = list(_charging(applied))
        if len(charging) > 1:
            yield self._shape(charging)
        for hit in applied.hits:
            for rule in hit.replaced:
                if rule.tenant == hit.rule.tenant:
                    yield self._hide(rule, hit.rule)

    def _shape(self, charging: list[AnyRule]) -> Overlapping:
        worst = max((_how(*pair) for pair in combinations(charging, 2)), key=_RANK.index)
        parents = tuple((rule.group, rule.field, kind(rule)) for rule in charging)
        shape = (worst, charging[0].service, parents)
        finding = self._shapes.get(shape)
        if finding is None:
            level = Level.FINE if worst is Overlap.GROUPS_ADD else Level.WARNING
            parts = [OverlapPart(group(rule), rule.field, kind(rule), []) for rule in charging]
            finding = Overlapping(level, worst, charging[0].service, parts, Tally(), None)
            self._shapes[shape] = finding
        for part, rule in zip(finding.parts, charging, strict=True):
            if rule.id not in part.rules and len(part.rules) < _NAMED:
                part.rules.append(rule.id)
        return finding

    def _hide(self, hidden: AnyRule, by: AnyRule) -> Overlapping:
        finding = self._hidden.get(hidden)
        if finding is None:
            part = OverlapPart(group(by), by.field, kind(by), [hidden.id, by.id])
            finding = Overlapping(
                Level.WARNING, Overlap.SAME_KEY, by.service, [part], Tally(), None
            )
            self._hidden[hidden] = finding
        return finding


def _order(one: Overlapping) -> tuple[int, int, str, str]:
    return -one.level, -one.tally.points, one.service, repr(one.parts)


#: The worst last.
_RANK: Final = (Overlap.GROUPS_ADD, Overlap.SAME_PARENT, Overlap.TENANT_ADDS)


def _charging(applied: Applied) -> Iterator[AnyRule]:
    """Give the rule with the price of each group, for groups that have one, by group."""
    best: dict[str, AnyRule] = {}
    for hit in applied.hits:
        rule = hit.rule
        if not rule.price.flat or rule.price.cost <= 0:
            continue
        known = best.get(rule.group)
        if known is None or _rank(rule) > _rank(known):
            best[rule.group] = rule
    for name in sorted(best):
        yield best[name]


def _rank(rule: AnyRule) -> tuple[bool, Any]:
    """Order rules of a group: mappings by cost, the highest counts; then thresholds by level."""
    if isinstance(rule, MappingRule):
        return True, rule.price.cost
    return False, rule.level


def _how(one: AnyRule, other: AnyRule) -> Overlap:
    """Say how bad it is that two groups have a price for the same usage."""
    alike = type(one) is type(other) and _without_group(one) == _without_group(other)
    if not alike:
        return Overlap.GROUPS_ADD
    return Overlap.SAME_PARENT if one.tenant == other.tenant else Overlap.TENANT_ADDS


def _without_group(rule: AnyRule) -> tuple[Any, ...]:
    field, _group, value, level = key(rule)
    return field, value, level


def _same_keys(
    rules: Iterable[AnyRule], begin: dt.datetime, end: dt.datetime
) -> Iterator[tuple[AnyRule, AnyRule]]:
    """Give rules that a later one with the same key and tenant hides, some time in the interval."""
    alike: dict[Any, list[AnyRule]] = {}
    for rule in rules:
        if overlaps(rule, begin, end):
            what = (rule.service, rule.tenant, isinstance(rule, MappingRule), *key(rule))
            alike.setdefault(what, []).append(rule)
    for many in alike.values():
        for index, rule in enumerate(many):
            for later in reversed(many[index + 1 :]):
                limits = max(begin, later.start or begin), min(end, later.end or end)
                if overlaps(rule, *limits):
                    yield rule, later
                    break
