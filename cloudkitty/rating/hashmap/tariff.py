# SPDX-License-Identifier: Apache-2.0
"""Which rules are in force for a tenant at a date, compiled once per stretch of time.

Rules change only with the tables (then there are new :class:`Tariffs`) and when the date crosses
the start or end of a window (contract rating.md 8): between two such bounds one :class:`Tariff`
serves every period, and every tenant without rules of its own.
"""

from __future__ import annotations

import datetime as dt
import decimal
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeVar

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating import quantities
from cloudkitty.rating.hashmap.formula import CONTEXT
from cloudkitty.rating.hashmap.rules import MappingRule, Rules, ThresholdRule
from cloudkitty.rating.hashmap.service import ServiceTariff
from cloudkitty.usage import ScopeUsage, Series

#: Compiled stretches of time, and periods looked up, kept per tenant before all are dropped.
MAX_STRETCHES: Final = 256
MAX_PERIODS: Final = 5_000

_Rule = TypeVar("_Rule", bound=MappingRule | ThresholdRule)

NO_DATES: Final[Mapping[str, Any]] = {}

#: What is in force at one time: service -> its rules. Services without rules are in it too.
Tariff = Mapping[str, ServiceTariff]


class TenantTariffs:
    """The tariffs of one tenant, or of all that have no rules of their own."""

    def __init__(
        self,
        services: Iterable[str],
        mappings: Iterable[MappingRule],
        thresholds: Iterable[ThresholdRule],
        general: TenantTariffs | None = None,
    ) -> None:
        """Take the rules for these services, global ones first; `general` serves the others."""
        self._services = tuple(services)
        self._mappings = _by_service(mappings)
        self._thresholds = _by_service(thresholds)
        self._general = general
        dated: list[list[MappingRule] | list[ThresholdRule]] = [
            *self._mappings.values(),
            *self._thresholds.values(),
        ]
        bounds = {
            bound
            for rules in dated
            for rule in rules
            for bound in (rule.start, rule.end)
            if bound is not None
        }
        #: When what is in force may change, ascending.
        self.bounds: list[dt.datetime] = sorted(bounds.union(general.bounds if general else ()))
        self._stretches: dict[int, Tariff] = {}
        self._periods: dict[int, Tariff] = {}

    def at(self, when: dt.datetime) -> Tariff:
        """Give what is in force at `when`, host-local and naive."""
        stretch = bisect_right(self.bounds, when)
        tariff = self._stretches.get(stretch)
        if tariff is None:
            if len(self._stretches) >= MAX_STRETCHES:
                self._stretches.clear()
                self._periods.clear()
            tariff = self._stretches[stretch] = self._compile(when)
        return tariff

    def at_period(self, begin: int) -> Tariff:
        """Give what is in force for the period that begins then, epoch seconds."""
        tariff = self._periods.get(begin)
        if tariff is None:
            tariff = self.at(timeutils.naive_local(timeutils.from_epoch(begin)))
            if len(self._periods) >= MAX_PERIODS:
                self._periods.clear()
            self._periods[begin] = tariff
        return tariff

    def _compile(self, when: dt.datetime) -> Tariff:
        tariff = dict(self._general.at(when)) if self._general else {}
        for service in self._services:
            tariff[service] = ServiceTariff(
                service,
                in_force(self._mappings[service], when),
                in_force(self._thresholds[service], when),
            )
        return tariff


class Tariffs:
    """One version of the rules, for every tenant and time."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        #: Text that stands for this version of the rules.
        self.version = rules.version()
        self._mappings = _by_tenant(rules.mappings)
        self._thresholds = _by_tenant(rules.thresholds)
        self._general = TenantTariffs(
            rules.services,
            self._mappings[None],
            self._thresholds[None],
        )
        self._tenants: dict[str, TenantTariffs] = {}
        self._services: dict[str, list[MappingRule | ThresholdRule]] | None = None

    def rules_of(self, service: str) -> Sequence[MappingRule | ThresholdRule]:
        """Give the rules of a service, of all tenants and times, in order of creation.

        For who asks about prices; rating does not.
        """
        if self._services is None:
            every: list[MappingRule | ThresholdRule] = [*self.rules.mappings]
            every += self.rules.thresholds
            self._services = _by_service(every)
        return self._services.get(service, ())

    def of(self, tenant: str | None) -> TenantTariffs:
        """Give the tariffs of a tenant; None sees global rules only."""
        if tenant is None:
            return self._general
        found = self._tenants.get(tenant)
        if found is None:
            own = {r.service for r in self._mappings.get(tenant, ())}
            own.update(r.service for r in self._thresholds.get(tenant, ()))
            if not own:
                return self._general
            found = self._tenants[tenant] = TenantTariffs(
                own,
                (r for t in (None, tenant) for r in self._mappings.get(t, ()) if r.service in own),
                (
                    r
                    for t in (None, tenant)
                    for r in self._thresholds.get(t, ())
                    if r.service in own
                ),
                self._general,
            )
        return found

    def rate(self, usage: ScopeUsage) -> None:
        """Set the prices of a scope's usage in place, each period by its own tariff."""
        tariffs = self.of(usage.scope_id)
        begins = set(usage.begins).union(*(series.begins for series in usage.series))
        found = {begin: tariffs.at_period(begin) for begin in begins}
        first = next(iter(found.values()), {})
        changes = any(tariff is not first for tariff in found.values())
        quantities.drop_unusable(usage)
        with decimal.localcontext(CONTEXT):
            for series in usage.series:
                if changes:
                    services = [found[begin].get(series.metric) for begin in series.begins]
                    _rate_runs(series, services, usage.scope_id)
                elif series.metric in first:
                    _rate_series(series, first[series.metric], usage.scope_id)


def rate_frame(frame: DataFrame, tariff: Tariff, scope: str | None) -> DataFrame:
    """Give the frame rated; metrics without points and points without a number are left out."""
    out = DataFrame(frame.start, frame.end)
    with decimal.localcontext(CONTEXT):
        for metric, point in frame.iterpoints():
            if not quantities.usable(point.qty, metric, scope):
                continue
            service = tariff.get(metric)
            rated = point
            if service is not None:
                formula = service.formula(point.groupby, point.metadata, NO_DATES, scope)
                rated = point.set_price(formula.price(point.qty, point.price))
            out.add_point(rated, metric)
    return out


def _rate_series(series: Series, service: ServiceTariff, scope: str) -> None:
    if series.calendar and service.date_fields:
        _rate_runs(series, [service] * len(series.begins), scope)
    else:
        formula = service.formula(series.groupby, series.metadata, NO_DATES, scope)
        series.prices = formula.prices(series.qtys, series.prices)


def _rate_runs(series: Series, services: list[ServiceTariff | None], scope: str) -> None:
    """Rate a series whose formula changes on its way, run by run of equal ones."""
    prices = list(series.prices)
    for service, dates, run in _runs(series, services):
        if service is not None:
            formula = service.formula(series.groupby, series.metadata, dates, scope)
            prices[run] = formula.prices(series.qtys[run], prices[run])
    series.prices = prices


def _runs(
    series: Series,
    services: list[ServiceTariff | None],
) -> Iterator[tuple[ServiceTariff | None, Mapping[str, Any], slice]]:
    def dates(index: int) -> dict[str, str]:
        service = services[index]
        if service is None or not series.calendar or not service.date_fields:
            return {}
        keys = timeutils.calendar_keys(series.begins[index])
        return {name: keys[name] for name in service.date_fields}

    def alike(index: int) -> tuple[int, dict[str, str]]:
        return id(services[index]), dates(index)

    for (_, found), indexes in groupby(range(len(services)), alike):
        first, *rest = indexes
        yield services[first], found, slice(first, (rest[-1] if rest else first) + 1)


def in_force(rules: Iterable[_Rule], when: dt.datetime) -> Iterator[_Rule]:
    """Give those of `rules` that are in force at `when`, host-local and naive."""
    for rule in rules:
        starts, ends = rule.start, rule.end
        if (starts is None or starts <= when) and (ends is None or ends > when):
            yield rule


def _by_service(rules: Iterable[_Rule]) -> defaultdict[str, list[_Rule]]:
    out: defaultdict[str, list[_Rule]] = defaultdict(list)
    for rule in rules:
        out[rule.service].append(rule)
    return out


def _by_tenant(rules: Iterable[_Rule]) -> defaultdict[str | None, list[_Rule]]:
    out: defaultdict[str | None, list[_Rule]] = defaultdict(list)
    for rule in rules:
        out[rule.tenant].append(rule)
    return out
