# SPDX-License-Identifier: Apache-2.0
"""When a scope that failed is tried again, and with how many periods at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

#: Seconds before the first repetition; each further failure doubles them, up to a period.
FIRST_DELAY: Final = 5
#: Longest delay while no scope at all can be rated: what fails then is the source or the database,
#: and once it is back nobody shall wait for the rest of a period. It costs a few requests a minute.
OUTAGE_DELAY: Final = 60


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0
    until: float = 0


class Backoff:
    """The failures of scopes, as one worker has seen them."""

    def __init__(self, longest: float) -> None:
        """`longest` is the longest delay in seconds."""
        self._longest = max(FIRST_DELAY, longest)
        self._failures: dict[str, _Failures] = {}
        #: When any scope was last rated.
        self._worked = float("-inf")

    def failed(self, scope: str, now: float) -> float:
        """Note a failure; gives the seconds to wait.

        They grow to a period for a scope that fails while others are rated.
        """
        failures = self._failures.setdefault(scope, _Failures(now))
        failures.count += 1
        longest = self._longest if self._worked >= failures.since else OUTAGE_DELAY
        delay = min(longest, self._longest, FIRST_DELAY * 2.0 ** min(failures.count - 1, 30))
        failures.until = now + delay
        return delay

    def succeeded(self, scopes: Collection[str], now: float) -> set[str]:
        """Forget the failures of `scopes`, which were rated; gives those that had failed."""
        if scopes:
            self._worked = now
        return {scope for scope in scopes if self._failures.pop(scope, None) is not None}

    def waits(self, scope: str, now: float) -> bool:
        """Whether the scope is to be left alone at `now`."""
        failures = self._failures.get(scope)
        return failures is not None and now < failures.until

    def until(self, scope: str) -> float:
        """Give when the scope may be tried again; 0 for one that did not fail."""
        failures = self._failures.get(scope)
        return failures.until if failures else 0

    def limit(self, scope: str, periods: int) -> int:
        """Give how many of `periods` to take at once.

        Half as many after each failure: a period that cannot be had must not keep the ones
        before it from being rated.
        """
        failures = self._failures.get(scope)
        return max(1, periods >> failures.count) if failures else periods

    def count(self, scope: str) -> int:
        """Give how often the scope failed in a row."""
        failures = self._failures.get(scope)
        return failures.count if failures else 0

    def keep_only(self, scopes: Iterable[str]) -> None:
        """Forget all scopes but these."""
        known = set(scopes)
        self._failures = {s: f for s, f in self._failures.items() if s in known}
