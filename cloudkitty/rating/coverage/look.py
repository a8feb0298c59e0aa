# SPDX-License-Identifier: Apache-2.0
"""Looks at stored usage and live rules, series by series."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Final

from cloudkitty import timeutils
from cloudkitty.db import module_info
from cloudkitty.rating import modules
from cloudkitty.rating.base import RatingProcessorBase
from cloudkitty.rating.coverage import matching
from cloudkitty.rating.coverage.matching import Matcher
from cloudkitty.rating.coverage.overlaps import Overlaps
from cloudkitty.rating.coverage.prices import Prices, why
from cloudkitty.rating.coverage.report import Coverage, Level, ModuleState, Reason
from cloudkitty.rating.coverage.tally import Place
from cloudkitty.rating.coverage.unused import Uses
from cloudkitty.rating.hashmap import rules
from cloudkitty.rating.hashmap.rules import Rules
from cloudkitty.rating.hashmap.tariff import Tariffs
from cloudkitty.storage.v2.base import PRICED, BaseStorage, SeriesSums

HASHMAP: Final = "hashmap"
#: How many days are looked at when nobody says since when.
DAYS: Final = 7
#: How often rules may change in an interval: usage is summed between changes.
MOST_CUTS: Final = 500
LIMIT: Final = 100


class TooManyChanges(Exception):  # noqa: N818 - says what is, not what went wrong
    """Rules change too often in the interval to be looked at in one go; the text says it."""


class UnreadableRules(Exception):  # noqa: N818 - says what is, not what went wrong
    """Rules in the database make no sense, so that nothing can be rated; the text says which."""


def interval(
    begin: dt.datetime | None, end: dt.datetime | None, now: dt.datetime
) -> tuple[dt.datetime, dt.datetime]:
    """Give the interval to look at.

    Without `begin` it is about the last week: long enough for what is seldom used, so that the
    rules for it are not called unused, and for a mistake that has been put right over after that.
    (A month so far would call every rule unused when it begins.) It begins at midnight UTC,
    for then most of it is answered from daily sums.
    """
    end = end or now
    if begin is None:
        day = timeutils.to_epoch(end) // timeutils.SECONDS_PER_DAY - DAYS
        begin = timeutils.from_epoch(day * timeutils.SECONDS_PER_DAY)
    return begin, end


def look(
    storage: BaseStorage,
    begin: dt.datetime,
    end: dt.datetime,
    *,
    ignored: Collection[str] = (),
    limit: int = LIMIT,
) -> Coverage:
    """Say what rules cover of the usage that begins in [begin, end); lists have `limit` entries.

    Metric types that are `ignored` may be without a price. Raises TooManyChanges, Unsupported
    (storage), UnreadableRules, and what the database raises.
    """
    states = module_states()
    on = any(state.name == HASHMAP and state.enabled for state in states)
    found = _rules() if on else Rules((), (), ())
    run = _Run(found, begin, end, ignored, on=on)
    run.read(storage)
    coverage = Coverage(begin, end, states, _notes(states, on=on), run.prices.ledger)
    unpriced, at_zero = run.prices.found(limit)
    unused = run.uses.found(begin, end)
    overlaps = run.overlaps.found(begin, end)
    coverage.unpriced, coverage.at_zero = unpriced[:limit], at_zero[:limit]
    coverage.unused, coverage.overlaps = unused[:limit], overlaps[:limit]
    coverage.totals = {
        "unpriced": len(unpriced),
        "at_zero": len(at_zero),
        "unused": len(unused),
        "overlaps": len(overlaps),
    }
    coverage.warnings = {
        "unpriced": sum(not one.ignored for one in unpriced),
        "unused": sum(one.level is Level.WARNING for one in unused),
        "overlaps": sum(one.level is Level.WARNING for one in overlaps),
    }
    return coverage


def _rules() -> Rules:
    try:
        return rules.load()
    except ValueError as exc:
        raise UnreadableRules(str(exc)) from exc


def module_states() -> list[ModuleState]:
    """Give the rating modules and whether they are on, by name."""
    stored = module_info.all_states()
    found = []
    for name, module in sorted(modules.find().classes.items()):
        if module.enabled is RatingProcessorBase.enabled:
            enabled = stored.get(module.module_name or name, (False, 1))[0]
        else:
            enabled = bool(module().enabled)
        found.append(ModuleState(name, enabled))
    return found


def _notes(states: list[ModuleState], *, on: bool) -> list[str]:
    notes = []
    if not on:
        notes.append("hashmap is off: its rules were not looked at")
    others = [
        state.name for state in states if state.enabled and state.name not in {HASHMAP, "noop"}
    ]
    if others:
        notes.append(
            f"{', '.join(others)} may change any price: whether usage has one is what the stored "
            "price says; what is said of rules is about those of hashmap alone"
        )
    return notes


class _Run:
    """One look; fills what it gathers."""

    def __init__(
        self,
        found: Rules,
        begin: dt.datetime,
        end: dt.datetime,
        ignored: Collection[str],
        *,
        on: bool,
    ) -> None:
        self.prices = Prices(ignored)
        self.uses = Uses(found)
        self.overlaps = Overlaps(found)
        self._limits = begin, end
        self._on = on
        first, stop = map(timeutils.to_epoch, self._limits)
        self._cuts = matching.cuts(found, first, stop)
        if len(self._cuts) > MOST_CUTS:
            raise TooManyChanges(
                f"rules change {len(self._cuts)} times from {begin.isoformat()} to "
                f"{end.isoformat()}, more than {MOST_CUTS}: ask for a shorter interval"
            )
        self._matcher = Matcher(Tariffs(found), [first, *self._cuts])
        self._scope: object = self
        self._place = Place(0, 0)

    def read(self, storage: BaseStorage) -> None:
        """Go through all series."""
        with storage.series_sums(
            *self._limits, list(map(timeutils.from_epoch, self._cuts))
        ) as all_:
            for series in all_:
                moved = series.scope != self._scope
                self._scope = series.scope
                self._place = Place(self._place.scope + moved, self._place.series + 1)
                self._add(series)

    def _add(self, series: SeriesSums) -> None:
        self.uses.see(series)
        for portion in series.portions:
            service = self._matcher.service(series, portion.stretch)
            if service is None:
                off = Reason.NO_SERVICE if self._on else Reason.OFF
                reason = None if portion.kind == PRICED else off
                self.prices.add(series, portion, reason, {}, self._place)
                continue
            dates = self._matcher.dates(portion.stretch)
            match = service.match(series, dates)
            self.uses.add(portion, match)
            reason = why(portion, match)
            values = service.values(series, dates)
            self.prices.add(series, portion, reason, values, self._place)
            self.overlaps.add(series, portion, match, values, self._place)
