# SPDX-License-Identifier: Apache-2.0
"""Counting usage in little memory: sums, and the largest of many things."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Generic, NamedTuple, TypeVar

from cloudkitty.db.engines import EXACT
from cloudkitty.storage.v2.base import Portion

_K = TypeVar("_K", bound=Hashable)

#: How many different things are told apart; the smallest of more are put together.
MOST: Final = 10_000


class Place(NamedTuple):
    """Which scope and series it is, counted from 1; those of a scope come in a row."""

    scope: int
    series: int


@dataclass(slots=True)
class Tally:
    """How much usage something applies to."""

    points: int = 0
    qty: Decimal = Decimal(0)
    series: int = 0
    scopes: int = 0
    _last: Place = field(default=Place(0, 0), repr=False)

    def add(self, portion: Portion, place: Place) -> None:
        """Count a portion of the series at `place`."""
        self.points += portion.points
        self.qty = EXACT.add(self.qty, portion.qty)
        # Each comes in a row: no set has to be kept of those that were counted.
        self.series += place.series != self._last.series
        self.scopes += place.scope != self._last.scope
        self._last = place


class Largest(Generic[_K]):
    """Tallies of the things with the most points.

    What falls out is forgotten, and begins anew when it comes again: with more than `most`
    different things, the numbers of the smaller ones are at least what is shown.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tallies: dict[_K, Tally] = {}
        #: Whether something was forgotten.
        self.forgotten = False

    def add(self, key: _K, portion: Portion, place: Place) -> bool:
        """Count a portion for `key`; gives whether it was unknown."""
        tally = self._tallies.get(key)
        new = tally is None
        if tally is None:
            if len(self._tallies) >= 2 * self._most:
                self._tallies = dict(self.ranked()[: self._most])
                self.forgotten = True
            tally = self._tallies[key] = Tally()
        tally.add(portion, place)
        return new

    def ranked(self) -> list[tuple[_K, Tally]]:
        """Give things and tallies, the most points first, always in the same order."""
        return sorted(self._tallies.items(), key=lambda item: (-item[1].points, repr(item[0])))
