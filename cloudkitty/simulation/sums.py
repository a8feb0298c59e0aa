# SPDX-License-Identifier: Apache-2.0
"""hashmap alone: from what the storage knows of each series, mostly daily sums.

Where sums do not say what the exact prices are (:mod:`.exact`), the points of just those series
are looked at.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from cloudkitty import timeutils
from cloudkitty.db.engines import EXACT
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


class _Stretch(NamedTuple):
    """Points of a series that all cost the same way, and their sums."""

    formula: Formula
    key: Key
    rated: list[Portion]


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
        #: Stretches of series whose sums do not say the price.
        self._aside: dict[int, dict[int, _Stretch]] = {}
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
            price = self._price(formula, rated)
            if price is None:
                self._aside.setdefault(series.id, {})[stretch] = _Stretch(formula, key, rated)
            else:
                sums.add(0, ZERO, ZERO, price)
        if len(self._aside) >= _ASIDE:
            self.look_at_points()

    def _price(self, formula: Formula, rated: list[Portion]) -> Decimal | None:
        """Give the sum of the prices; None when it cannot be told from sums."""
        prices = []
        for one in rated:
            price = exact.of_sums(formula, one.points, one.qty, one.least, one.most, self._rounding)
            if price is None:
                return None
            prices.append(price)
        return exact.total(prices)

    def look_at_points(self) -> None:
        """Add the prices of what was set aside."""
        if not self._aside:
            return
        stretches = sorted(set().union(*self._aside.values()))
        edges = [*self.edges, self._stop]
        first, stop = edges[stretches[0]], edges[stretches[-1] + 1]
        limits = timeutils.from_epoch(first), timeutils.from_epoch(stop)
        if self._rounding is not None:
            self._add_with_digits(self._storage.digits(*limits, self._aside.keys()))
        if not self._aside:
            return
        with self._storage.columns(
            *limits,
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
                        qtys = column.qtys[start:stop]
                        price = exact.of_points(wanted[stretch].formula, qtys, self._rounding)
                        self._groups.of(wanted[stretch].key).add(0, ZERO, ZERO, price)
                    start = stop
        self._aside.clear()

    def _add_with_digits(self, digits: Mapping[int, int]) -> None:
        """Add what can be told after all, knowing how many digits quantities really have."""
        for id_ in self._aside.keys() & digits.keys():
            stretches = self._aside[id_]
            for number, (formula, key, rated) in list(stretches.items()):
                shown = [one._replace(qty=_shown(one.qty, digits[id_])) for one in rated]
                price = self._price(formula, shown)
                if price is not None:
                    self._groups.of(key).add(0, ZERO, ZERO, price)
                    del stretches[number]
            if not stretches:
                del self._aside[id_]

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


def _shown(number: Decimal, digits: int) -> Decimal:
    """Give a number with so many digits after the point, or as it is if it has more."""
    found = EXACT.quantize(number, Decimal(1).scaleb(-digits))
    return found if found == number else number


def _by_stretch(series: SeriesSums) -> Iterator[tuple[int, list[Portion]]]:
    found: dict[int, list[Portion]] = {}
    for portion in series.portions:
        found.setdefault(portion.stretch, []).append(portion)
    yield from found.items()
