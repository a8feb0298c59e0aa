# SPDX-License-Identifier: Apache-2.0
"""hashmap alone: from what the storage knows of each series, mostly daily sums.

Where sums do not say what the exact prices are (:mod:`.exact`), the points of just those series
are looked at.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from typing import Final

from cloudkitty import timeutils
from cloudkitty.rating.hashmap.formula import Formula
from cloudkitty.rating.hashmap.tariff import NO_DATES, Tariffs
from cloudkitty.simulation import cutting, exact
from cloudkitty.simulation.groups import Groups, Key
from cloudkitty.storage.v2.base import BaseStorage, Portion, SeriesSums
from cloudkitty.usage import ZERO

#: So many series are set aside before their points are read.
_ASIDE: Final = 5_000

Limits = tuple[dt.datetime, dt.datetime]


def run(
    storage: BaseStorage,
    limits: Limits,
    scopes: Collection[str] | None,
    tariffs: Tariffs,
    groups: Groups,
    progress: Callable[[float], None],
) -> int:
    """Fill `groups`; gives the number of points that nobody rated, which keep their prices."""
    found = _Sums(storage, limits, tariffs, groups, progress)
    with storage.series_sums(
        *limits,
        [timeutils.from_epoch(cut) for cut in found.edges[1:]],
        scopes=scopes,
        posted_apart=True,
        progress=found.tell,
    ) as all_:
        for series in all_:
            found.add(series)
        found.look_at_points()
    return found.posted


class _Sums:
    """Prices by stretch: between two edges all that rules can tell of a series is the same."""

    def __init__(
        self,
        storage: BaseStorage,
        limits: Limits,
        tariffs: Tariffs,
        groups: Groups,
        progress: Callable[[float], None],
    ) -> None:
        self._storage = storage
        self._tariffs = tariffs
        self._groups = groups
        self._progress = progress
        self._done = 0.0
        self._rounding = storage.rounding()
        first, stop = map(timeutils.to_epoch, limits)
        #: Where each stretch begins.
        self.edges = [first, *cutting.cuts(tariffs.rules, groups, first, stop)]
        self._whens = [timeutils.naive_local(timeutils.from_epoch(edge)) for edge in self.edges]
        self._stop = stop
        #: Stretches of series whose points have to be looked at, with their formulas.
        self._aside: dict[int, dict[int, tuple[Formula, Key]]] = {}
        self.posted = 0

    def tell(self, part: float) -> None:
        """Say what part of the sums has been read."""
        self._done = part
        self._progress(part)

    def add(self, series: SeriesSums) -> None:
        """Add a series, or set it aside."""
        for stretch, portions in _by_stretch(series):
            key = self._groups.key(series, self.edges[stretch])
            if key is None:
                continue
            sums = self._groups.of(key)
            rated = [portion for portion in portions if not portion.posted]
            for portion in portions:
                if portion.posted:
                    self.posted += portion.points
                # What nobody rated is not rated here either.
                simulated = portion.price if portion.posted else ZERO
                sums.add(portion.points, portion.qty, portion.price, simulated)
            formula = self._formula(series, stretch) if rated else None
            if formula is None:
                continue
            prices = [
                exact.of_sums(formula, one.points, one.qty, one.least, one.most, self._rounding)
                for one in rated
            ]
            known = [price for price in prices if price is not None]
            if len(known) == len(prices):
                sums.add(0, ZERO, ZERO, exact.total(known))
            else:
                self._aside.setdefault(series.id, {})[stretch] = (formula, key)
        if len(self._aside) >= _ASIDE:
            self.look_at_points()

    def look_at_points(self) -> None:
        """Add the prices of what was set aside."""
        if not self._aside:
            return
        stretches = sorted(set().union(*self._aside.values()))
        edges = [*self.edges, self._stop]
        limits = edges[stretches[0]], edges[stretches[-1] + 1]
        with self._storage.columns(
            *map(timeutils.from_epoch, limits),
            ids=self._aside.keys(),
            # It is known only afterwards how many points there were to look at.
            progress=lambda _part: self._progress(self._done),
        ) as slices:
            for column in (column for columns in slices for column in columns):
                if column.posted:
                    continue
                wanted = self._aside[column.id]
                start = 0
                while start < len(column.begins):
                    stretch = bisect_right(self.edges, column.begins[start]) - 1
                    stop = bisect_right(column.begins, edges[stretch + 1] - 1)
                    if stretch in wanted:
                        formula, key = wanted[stretch]
                        price = exact.of_points(formula, column.qtys[start:stop], self._rounding)
                        self._groups.of(key).add(0, ZERO, ZERO, price)
                    start = stop
        self._aside.clear()

    def _formula(self, series: SeriesSums, stretch: int) -> Formula | None:
        """Give what a series costs; None when there are no rules for what it is."""
        tariff = self._tariffs.of(series.scope).at(self._whens[stretch])
        service = tariff.get(series.metric)
        if service is None:
            return None
        dates = NO_DATES
        if series.calendar and service.date_fields:
            keys = timeutils.calendar_keys(self.edges[stretch])
            dates = {name: keys[name] for name in service.date_fields}
        return service.formula(series.groupby, series.metadata, dates, series.scope)


def _by_stretch(series: SeriesSums) -> Iterator[tuple[int, list[Portion]]]:
    found: dict[int, list[Portion]] = {}
    for portion in series.portions:
        found.setdefault(portion.stretch, []).append(portion)
    yield from found.items()
