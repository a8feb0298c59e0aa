# SPDX-License-Identifier: Apache-2.0
"""Which rules apply to a series, by the tariffs that rate: nothing is matched a second way.

A tariff knows prices by key (rating.md 4.2); here the keys are led back to the rules, those that
others with the same key have replaced included.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from cloudkitty import timeutils
from cloudkitty.rating.hashmap.formula import CONTEXT
from cloudkitty.rating.hashmap.rules import Rules
from cloudkitty.rating.hashmap.service import Hits, ServiceTariff
from cloudkitty.rating.hashmap.tariff import NO_DATES, Tariffs, TenantTariffs, in_force
from cloudkitty.rating.hashmap.view import AnyRule, Key, key, shown
from cloudkitty.storage.v2.base import SeriesSums

#: Matches kept per service before all are dropped.
_REMEMBERED: Final = 20_000


class Hit(NamedTuple):
    """A rule that applies, and the rules with the same key that it replaces."""

    rule: AnyRule
    replaced: Sequence[AnyRule]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Applied:
    """What applies to labels and a quantity; there is one for all that is alike."""

    hits: tuple[Hit, ...]
    #: The price of that quantity; whether it is zero is what counts.
    price: Decimal


class Service:
    """The rules of a service in force for a scope in a stretch of time."""

    def __init__(self, tariff: ServiceTariff, rules: Iterable[AnyRule]) -> None:
        """Take what was compiled, and what it was compiled from, in the same order."""
        self.tariff = tariff
        self.fields = tariff.fields
        self.rules: dict[Key, list[AnyRule]] = {}
        for rule in rules:
            self.rules.setdefault(key(rule), []).append(rule)
        self._matches: dict[Hits, Match] = {}

    def match(self, series: SeriesSums, dates: Mapping[str, str]) -> Match:
        """Give what its labels match."""
        if not (series.calendar and self.tariff.date_fields):
            dates = NO_DATES
        hits = self.tariff.hits(series.groupby, series.metadata, dates, series.scope)
        found = self._matches.get(hits)
        if found is None:
            if len(self._matches) >= _REMEMBERED:
                self._matches.clear()
            found = self._matches[hits] = Match(self, hits)
        return found

    def values(self, series: SeriesSums, dates: Mapping[str, str]) -> dict[str, str | None]:
        """Give the texts of the fields that rules look at; None for one that is absent."""
        if not series.calendar:
            dates = NO_DATES
        return {
            name: next(
                (shown(of[name]) for of in (dates, series.groupby, series.metadata) if name in of),
                None,
            )
            for name in self.fields
        }


class Match:
    """What the labels of a series match; several series have the same."""

    def __init__(self, service: Service, hits: Hits) -> None:
        self.service = service
        self._hits = hits
        self._applied: dict[int, Applied] = {}

    def applied(self, qty: Decimal) -> Applied:
        """Give what applies to a point of this quantity."""
        stretch = self.service.tariff.levels.stretch(qty)
        found = self._applied.get(stretch)
        if found is None:
            found = self._applied[stretch] = self._make(stretch, qty)
        return found

    def between(self, least: Decimal, most: Decimal) -> tuple[Applied, ...]:
        """Give what may apply to points with quantities from `least` to `most`."""
        levels = self.service.tariff.levels
        first, last = levels.stretch(least), levels.stretch(most)
        inner = levels.all[first : max(last - 1, first)]
        ends = (least,) if first == last else (least, most)
        return tuple(self.applied(qty) for qty in (*ends, *inner))

    def _make(self, stretch: int, qty: Decimal) -> Applied:
        tariff, rules = self.service.tariff, self.service.rules
        hits = []
        for one in tariff.applied(self._hits, stretch):
            *replaced, rule = rules[one.field, one.group, one.value, one.level]
            hits.append(Hit(rule, replaced))
        with decimal.localcontext(CONTEXT):
            # Any quantity but zero tells whether there is a price in this stretch of them.
            price = tariff.formula_of(self._hits).price(qty or _nonzero(tariff), _ZERO)
        return Applied(tuple(hits), price)


_ZERO: Final = Decimal(0)


def _nonzero(tariff: ServiceTariff) -> Decimal:
    """Give a quantity above 0 that reaches the same levels."""
    return next((level for level in tariff.levels.all if level > 0), Decimal(2)) / 2


class Matcher:
    """Matches series in stretches of time, those of a scope in a row."""

    def __init__(self, tariffs: Tariffs, begins: Sequence[int]) -> None:
        """Take rules, and the first second of each stretch: no rule comes or goes inside."""
        self._tariffs = tariffs
        self._begins = begins
        self._whens = [timeutils.naive_local(timeutils.from_epoch(begin)) for begin in begins]
        self._general: dict[tuple[str, int], Service | None] = {}
        self._own: dict[tuple[str, int], Service | None] = {}
        self._scope: str | None = None
        self._of_all = tariffs.of(None)
        self._of_scope = self._of_all

    def service(self, series: SeriesSums, stretch: int) -> Service | None:
        """Give the rules of the series' service; None when there is no such service."""
        if series.scope != self._scope:
            self._scope = series.scope
            self._of_scope = self._tariffs.of(series.scope)
            self._own = {}
        general = self._of_scope is self._of_all
        known = self._general if general else self._own
        where = (series.metric, stretch)
        if where not in known:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[where] = self._compile(self._of_scope, None if general else series.scope, where)
        return known[where]

    def dates(self, stretch: int) -> Mapping[str, str]:
        """Give the date keys of periods in a stretch, where stretches are no longer than a day."""
        return timeutils.calendar_keys(self._begins[stretch])

    def _compile(
        self, tariffs: TenantTariffs, tenant: str | None, where: tuple[str, int]
    ) -> Service | None:
        metric, stretch = where
        when = self._whens[stretch]
        tariff = tariffs.at(when).get(metric)
        if tariff is None:
            return None
        whose = dict.fromkeys((None, tenant))
        rules = self._tariffs.rules_of(metric)
        visible = [rule for owner in whose for rule in rules if rule.tenant == owner]
        return Service(tariff, in_force(visible, when))


def every(rules: Rules) -> tuple[AnyRule, ...]:
    """Give mappings, then thresholds, in order of creation."""
    return (*rules.mappings, *rules.thresholds)


def cuts(rules: Rules, first: int, stop: int) -> list[int]:
    """Give the seconds in [first, stop), but for `first`, at which other rules come into force.

    Where rules look at dates, that is every midnight as well.
    """
    moments = {
        _epoch(bound, fold)
        for rule in every(rules)
        for bound in (rule.start, rule.end)
        # Years that no usage is of may be beyond what can be converted.
        if bound is not None and 1970 <= bound.year < 9000
        for fold in (0, 1)
    }
    if any(rule.field in timeutils.CALENDAR_NAMES for rule in every(rules)):
        day = timeutils.naive_local(timeutils.from_epoch(first)).replace(hour=0, minute=0, second=0)
        while (midnight := _epoch(day, 0)) < stop:
            moments.add(midnight)
            day += dt.timedelta(days=1)
    return sorted(moment for moment in moments if first < moment < stop)


def _epoch(bound: dt.datetime, fold: int) -> int:
    """Give the first whole second that is not before a bound, which is host-local."""
    local = bound.replace(fold=fold, tzinfo=timeutils.local_timezone())
    return timeutils.to_epoch(local) + bool(local.microsecond)
