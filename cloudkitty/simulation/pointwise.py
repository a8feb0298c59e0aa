# SPDX-License-Identifier: Apache-2.0
"""Any modules: all points go through them again, as they did when they were rated.

What a module has once made of usage beside its price (a script may change anything) is what it
finds now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack

from oslo_log import log

from cloudkitty.dataframe import ImmutableDict
from cloudkitty.rating.modules import Rating
from cloudkitty.rating.pyscripts import isolation
from cloudkitty.rating.snapshots import RuleSet
from cloudkitty.simulation.exact import Rounding, total
from cloudkitty.simulation.groups import Groups
from cloudkitty.simulation.sums import Limits
from cloudkitty.storage.v2.base import BaseStorage, Column
from cloudkitty.usage import ZERO, ScopeUsage, Series

LOG = log.getLogger(__name__)


def run(
    storage: BaseStorage,
    limits: Limits,
    scopes: Collection[str] | None,
    rule_set: RuleSet,
    groups: Groups,
    progress: Callable[[float], None],
) -> int:
    """Fill `groups`; gives the number of points that nobody rated, which keep their prices.

    Raises ModuleError naming what failed first.
    """
    rating = _Rating(rule_set=rule_set)
    rating.begin_batch()
    rounding = storage.rounding()
    posted = 0
    with ExitStack() as stack:
        slices = stack.enter_context(storage.columns(*limits, scopes=scopes, progress=progress))
        stack.enter_context(isolation.apart())
        for columns in slices:
            usages = _usages(columns, storage.period)
            for column in columns:
                posted += _add_current(groups, column)
            rating.rate(usages)
            for usage in usages:
                for series in usage.series:
                    _add_simulated(groups, series, rounding)
    return posted


class _Rating(Rating):
    """Rating by a draft: when it fails, that is told to who made it, not to the operator's log."""

    def _trace(self, failed: Mapping[str, Exception]) -> None:
        for scope, error in failed.items():
            LOG.debug("scope %s could not be rated by a draft", scope, exc_info=error)


def _add_current(groups: Groups, column: Column) -> int:
    """Add what is stored; gives the number of points that are simulated already: as they are."""
    counted = 0
    for key, start, stop in groups.runs(column, column.begins):
        price = total(column.prices[start:stop])
        simulated = price if column.posted else ZERO
        groups.of(key).add(stop - start, total(column.qtys[start:stop]), price, simulated)
        counted += stop - start
    return counted if column.posted else 0


def _add_simulated(groups: Groups, series: Series, rounding: Rounding) -> None:
    prices = list(map(rounding, series.prices)) if rounding else series.prices
    for key, start, stop in groups.runs(series, series.begins):
        groups.of(key).add(0, ZERO, ZERO, total(prices[start:stop]))


def _usages(columns: Sequence[Column], period: int) -> list[ScopeUsage]:
    """Give what was rated as it was before: without prices."""
    found: dict[str, list[Series]] = {}
    for column in columns:
        if not column.posted:
            found.setdefault(column.scope or "", []).append(
                Series(
                    column.metric,
                    column.unit,
                    ImmutableDict(column.groupby),
                    ImmutableDict(column.metadata),
                    None,
                    column.calendar,
                    column.begins,
                    column.qtys,
                    [ZERO] * len(column.begins),
                )
            )
    return [
        ScopeUsage(
            scope,
            period,
            sorted(set().union(*(one.begins for one in series))),
            sorted(series, key=lambda one: one.metric),
        )
        for scope, series in found.items()
    ]
