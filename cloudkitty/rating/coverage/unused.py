# SPDX-License-Identifier: Apache-2.0
"""Which rules no usage matches, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

from cloudkitty import timeutils
from cloudkitty.rating.coverage.matching import Match, Service, every
from cloudkitty.rating.coverage.report import Level, Unused, UnusedRule
from cloudkitty.rating.hashmap.rules import Rules, ThresholdRule
from cloudkitty.rating.hashmap.view import AnyRule
from cloudkitty.storage.v2.base import Portion, SeriesSums

#: How many of the rules that replace one are named.
_NAMED: Final = 5


class Uses:
    """Gathers which rules apply to anything."""

    def __init__(self, rules: Rules) -> None:
        self._rules = every(rules)
        # Scopes and services for which it matters what that scope alone has.
        self._own = {(rule.tenant, rule.service) for rule in self._rules if rule.tenant is not None}
        self._fields: dict[str, set[str]] = {}
        for rule in self._rules:
            if rule.field is not None:
                self._fields.setdefault(rule.service, set()).add(rule.field)
        self._used: set[AnyRule] = set()
        #: Rule -> ids of those that have taken its place.
        self._replaced: dict[AnyRule, dict[str, None]] = {}
        self._outranked: set[AnyRule] = set()
        #: Match -> stretches of quantities that were looked at.
        self._noted: WeakKeyDictionary[Match, set[tuple[int, int]]] = WeakKeyDictionary()
        # What was seen of all, scope None, and of scopes with rules of their own.
        self._services: set[tuple[str | None, str]] = set()
        self._present: set[tuple[str | None, str, str]] = set()

    def see(self, series: SeriesSums) -> None:
        """Note that there is a series, whether or not rules apply to it."""
        metric = series.metric
        names = [name for name in self._fields.get(metric, ()) if _has(series, name)]
        own = (series.scope, metric) in self._own
        for scope in (None, series.scope) if own else (None,):
            self._services.add((scope, metric))
            for name in names:
                self._present.add((scope, metric, name))

    def add(self, portion: Portion, match: Match) -> None:
        """Note the rules that apply to a portion."""
        levels = match.service.tariff.levels
        stretches = levels.stretch(portion.least), levels.stretch(portion.most)
        noted = self._noted.setdefault(match, set())
        if stretches in noted:
            return
        noted.add(stretches)
        for applied in match.between(portion.least, portion.most):
            for hit in applied.hits:
                self._used.add(hit.rule)
                for rule in hit.replaced:
                    by = self._replaced.setdefault(rule, {})
                    if len(by) < _NAMED:
                        by[hit.rule.id] = None
                if isinstance(hit.rule, ThresholdRule):
                    self._outranked.update(_below(match.service, hit.rule))

    def found(self, begin: dt.datetime, end: dt.datetime) -> list[UnusedRule]:
        """Give the rules that apply to nothing in [begin, end), those to look at first."""
        limits = timeutils.naive_local(begin), timeutils.naive_local(end)
        found = []
        for rule in self._rules:
            if rule not in self._used:
                reason = self._why(rule, *limits)
                level = Level.FINE if reason is Unused.NOT_IN_FORCE else Level.WARNING
                by = self._replaced.get(rule, {}) if reason is Unused.REPLACED else {}
                found.append(UnusedRule(level, reason, rule, list(by)))
        return sorted(found, key=lambda one: -one.level)

    def _why(self, rule: AnyRule, begin: dt.datetime, end: dt.datetime) -> Unused:
        own = (rule.tenant, rule.service)
        threshold = isinstance(rule, ThresholdRule)
        reasons = (
            (Unused.NOT_IN_FORCE, not overlaps(rule, begin, end)),
            (Unused.SERVICE_NOT_SEEN, (None, rule.service) not in self._services),
            (Unused.SCOPE_NOT_SEEN, own not in self._services),
            (Unused.REPLACED, rule in self._replaced),
            (Unused.FIELD_NOT_SEEN, rule.field and (*own, rule.field) not in self._present),
            (Unused.OUTRANKED, rule in self._outranked),
            (Unused.LEVEL_NOT_REACHED, threshold),
            (Unused.VALUE_NOT_SEEN, rule.field),
        )
        return next((reason for reason, holds in reasons if holds), Unused.OTHER_TIME)


def overlaps(rule: AnyRule, begin: dt.datetime, end: dt.datetime) -> bool:
    """Whether a rule is in force at some time in [begin, end), host-local and naive."""
    starts = rule.start is None or rule.start < end
    return starts and (rule.end is None or rule.end > max(begin, rule.start or begin))


def _has(series: SeriesSums, name: str) -> bool:
    if series.calendar and name in timeutils.CALENDAR_NAMES:
        return True
    return name in series.groupby or name in series.metadata


def _below(service: Service, winner: ThresholdRule) -> Iterator[AnyRule]:
    """Give the thresholds of the same holder and group whose level is lower."""
    for (field, of_group, _value, level), rules in service.rules.items():
        same = (field, of_group) == (winner.field, winner.group)
        if same and level is not None and level < winner.level:
            yield rules[-1]
