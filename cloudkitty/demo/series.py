# SPDX-License-Identifier: Apache-2.0
"""Time series that change in steps and are sampled on a regular grid, as a scrape would."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

#: Seconds between two samples; samples lie on multiples of it.
SCRAPE: Final = 60
#: An instant query looks back this far for the last sample, like Prometheus.
LOOKBACK: Final = 300


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One series: it has `values[i]` from `times[i]` on, and nothing from `end` on.

    `times` is ascending, in epoch seconds.
    """

    labels: dict[str, str]
    times: tuple[int, ...]
    values: tuple[float, ...]
    end: int

    def at(self, instant: float, newest: int) -> float | None:
        """Give the value that an instant query at `instant` sees; no sample is past `newest`."""
        sample = min(int(instant), newest) // SCRAPE * SCRAPE
        if not self.times[0] <= sample < self.end or instant - sample > LOOKBACK:
            return None
        return self.values[bisect_right(self.times, sample) - 1]

    def window(self, start: float, stop: float, newest: int) -> list[tuple[int, float]]:
        """Give (number of samples, value), oldest first, of the samples in [start, stop].

        Both ends belong to it, as in Prometheus 2.
        """
        first = max(_ceil(start), _ceil(self.times[0]))
        last = min(int(stop), newest, self.end - 1) // SCRAPE
        if last < first:
            return []
        step = bisect_right(self.times, first * SCRAPE) - 1
        found = []
        while first <= last:
            until = last
            if step + 1 < len(self.times):
                until = min(last, _ceil(self.times[step + 1]) - 1)
            if until >= first:
                found.append((until - first + 1, self.values[step]))
            first = until + 1
            step += 1
        return found


def _ceil(seconds: float) -> int:
    """Give the number of the first grid point at or after `seconds`."""
    return int(-(-seconds // SCRAPE))
