# SPDX-License-Identifier: Apache-2.0
"""Labels as they are now, remembered for a while: what sources without a history give."""

from __future__ import annotations

import abc
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cloudkitty.collector.joins.base import Answer, Key, Labels, Lookup, Timeline, Window

#: Seconds after which a key that nobody knows is asked for again, at the latest.
_UNKNOWN: Final = 60


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    timeline: Timeline


class Directory(Lookup):
    """Remembers what it is told about each key.

    A key that the source does not know any more keeps what was last known of it; one that was
    never known has no labels. No answer at all is an error, also where older ones are remembered:
    whether they still hold is what could not be found out.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember everything for so many `seconds`."""
        self._seconds = seconds
        self._clock = clock
        self._known: dict[Key, _Known] = {}
        self._lock = threading.Lock()

    def find(self, keys: Iterable[Key], window: Window) -> Answer:
        """Give the timelines of `keys`, the same for every period; raises CollectError."""
        keys = set(keys)
        # One at a time: the metrics of a batch ask for the same at the same moment.
        with self._lock:
            now = self._clock()
            old = [
                key for key in keys if (known := self._known.get(key)) is None or known.until <= now
            ]
            if old:
                self._take(sorted(old), self.fetch(sorted(old)), self._clock())
            return Answer({key: self._known[key].timeline for key in keys})

    @abc.abstractmethod
    def fetch(self, keys: Collection[Key]) -> Mapping[Key, Labels]:
        """Give the labels of those of `keys` that the source knows, and of others if it likes to.

        Raises CollectError.
        """

    def _take(self, asked: Collection[Key], found: Mapping[Key, Labels], now: float) -> None:
        for key, labels in found.items():
            self._known[key] = _Known(now + self._seconds, Timeline(labels))
        for key in asked:
            if key in found:
                continue
            before = self._known.get(key)
            if before is not None and before.timeline.always is not None:
                self._known[key] = _Known(now + self._seconds, before.timeline)
            else:
                until = now + min(self._seconds, _UNKNOWN)
                self._known[key] = _Known(until, Timeline())
