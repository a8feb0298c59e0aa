# SPDX-License-Identifier: Apache-2.0
"""Asking a source for many scopes and periods at once, for less when that fails.

A question that fails is asked again for each half of its scopes, then for each half of the periods
of a single scope, until what fails is one scope in one period: so a scope that the source chokes
on never keeps the others from being rated, and a source that can take only so much gets no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from cloudkitty.collector.base import BatchFailure, CollectError
from cloudkitty.usage import Series

#: Scopes that may fail alone, with nothing answered yet, before the source counts as broken.
_GIVE_UP: Final = 3

Answer = dict[str, list[Series]]


class SourceUnusable(CollectError):  # noqa: N818 - a state, not a mistake
    """The source fails whatever is asked, so that asking for less is no use."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One question: these scopes in these periods."""

    scopes: Sequence[str]
    begins: Sequence[int]

    @property
    def cells(self) -> int:
        """How much is asked."""
        return len(self.scopes) * len(self.begins)

    def halves(self) -> list[Chunk]:
        """Give two smaller questions, none when this one asks for one scope and period."""
        if (middle := len(self.scopes) // 2) > 0:
            return [
                Chunk(self.scopes[:middle], self.begins),
                Chunk(self.scopes[middle:], self.begins),
            ]
        if (middle := len(self.begins) // 2) > 0:
            return [
                Chunk(self.scopes, self.begins[:middle]),
                Chunk(self.scopes, self.begins[middle:]),
            ]
        return []


#: Answers a chunk within so many seconds; raises CollectError.
Ask = Callable[[Chunk, float], Answer]


class Halving:
    """One batch being asked for; use once.

    Afterwards `succeeded` is the size of the largest question that was answered and `smallest` of
    the smallest one that failed (0: none).
    """

    def __init__(self, ask: Ask, seconds: float, subject: str) -> None:
        """Take the way to ask, the time for all of it, and what it is about (for messages)."""
        self._ask = ask
        self._last = subject
        self._seconds = seconds
        self._limit = time.monotonic() + seconds
        self._series: dict[str, list[Series]] = {}
        self._failed: dict[str, str] = {}
        self._alone = 0
        self._stop: CollectError | None = None
        self.succeeded = 0
        self.smallest = 0

    def run(self, chunks: Iterable[Chunk], threads: int = 1) -> Answer:
        """Ask for all chunks, `threads` at a time; no scope may be in two chunks at once then.

        Gives what the source has; raises BatchFailure when some scopes, or all, failed.
        """
        chunks = list(chunks)
        if threads > 1 and len(chunks) > 1:
            with ThreadPoolExecutor(max_workers=min(threads, len(chunks))) as pool:
                list(pool.map(self._work, chunks))
        else:
            for chunk in chunks:
                self._work(chunk)
        if self._failed:
            series = {s: got for s, got in self._series.items() if s not in self._failed}
            raise BatchFailure(series, self._failed)
        return self._series

    def _work(self, chunk: Chunk) -> None:
        pending = [chunk]
        while pending:
            chunk = pending.pop()
            # What is left of a scope of which a period failed is not worth asking for.
            scopes = [scope for scope in chunk.scopes if scope not in self._failed]
            chunk = Chunk(scopes, chunk.begins)
            if not scopes:
                continue
            if self._stop is None:
                try:
                    self._take(self._ask(chunk, self._time(chunk)), chunk)
                    continue
                except SourceUnusable as exc:
                    self._stop = exc
                except CollectError as exc:
                    self._last = str(exc)
                    self.smallest = min(chunk.cells, self.smallest or chunk.cells)
                    halves = chunk.halves()
                    pending += reversed(halves)
                    if not halves:
                        self._fail_alone(scopes[0], exc)
                    if self._stop is None:
                        continue
            reason = str(self._stop)
            for scope in scopes:
                self._failed.setdefault(scope, reason)

    def _time(self, chunk: Chunk) -> float:
        """Give the seconds this question may take: half of what is left, to have time for less."""
        left = self._limit - time.monotonic()
        if left <= 0:
            raise SourceUnusable(f"{self._last}; no more questions after {self._seconds:g} s")
        return left if chunk.cells == 1 else left / 2

    def _fail_alone(self, scope: str, exc: CollectError) -> None:
        self._failed[scope] = str(exc)
        self._alone += 1
        if self._alone >= _GIVE_UP and not self.succeeded:
            self._stop = exc

    def _take(self, answer: Answer, chunk: Chunk) -> None:
        self.succeeded = max(self.succeeded, chunk.cells)
        extend(self._series, answer)


def extend(answer: Answer, later: Answer) -> None:
    """Add to an answer what was found for other scopes, or for later periods of the same."""
    for scope, series in later.items():
        known = answer.setdefault(scope, series)
        if known is not series:
            _append(known, series)


def _append(known: list[Series], later: list[Series]) -> None:
    """Continue the series of earlier periods with what the same series have in later ones."""
    by_labels: dict[object, list[Series]] = {}
    for series in known:
        by_labels.setdefault((series.groupby, series.metadata), []).append(series)
    for series in later:
        for before in by_labels.get((series.groupby, series.metadata), ()):
            if before.begins[-1] < series.begins[0]:
                before.begins += series.begins
                before.qtys += series.qtys
                before.prices += series.prices
                break
        else:
            known.append(series)
