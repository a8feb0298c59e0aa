# SPDX-License-Identifier: Apache-2.0
"""Collecting all metrics of a batch: one question per metric, within bounds of time and memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

from oslo_log import log

from cloudkitty.collector import metrics
from cloudkitty.collector.base import (
    BaseCollector,
    BatchFailure,
    BatchQuery,
    CollectError,
    NoDataCollected,
)
from cloudkitty.processor.planner import Batch
from cloudkitty.processor.sizes import Density
from cloudkitty.usage import ScopeUsage, Series

LOG = log.getLogger(__name__)

#: Points that may be on their way from the source at the same time.
_IN_FLIGHT: Final = 60_000
_POLL_SECONDS: Final = 0.5

Found = dict[str, list[Series]]


class Stopped(Exception):  # noqa: N818 - no error
    """The worker is to stop; what it was at is given up."""


@dataclass(slots=True)
class Gathered:
    """What a batch has used; a scope of the batch in neither field is left for later."""

    usages: list[ScopeUsage]
    #: Scope id -> why nothing is known about it.
    failed: dict[str, str] = field(default_factory=dict)


class Gatherer:
    """Asks a collector for batches."""

    def __init__(
        self,
        collector: BaseCollector,
        density: Density,
        stop: threading.Event,
        *,
        threads: int,
        timeout: float,
    ) -> None:
        """`threads` bounds the requests at the same time, `timeout` the seconds for a batch."""
        self._collector = collector
        self._density = density
        self._stop = stop
        self._threads = threads
        self._timeout = timeout
        # In the order of their names in data frames, which is that of points in a frame.
        self._keys = sorted(
            collector.conf,
            key=lambda key: (metrics.frame_name(key, collector.conf[key]), key),
        )
        self._pool = self._new_pool()
        # What collectors raised against the rules, as far as it was logged in full.
        self._bugs: set[tuple[str, str]] = set()

    def gather(self, batch: Batch) -> Gathered:
        """Collect every metric of a batch.

        Gives fewer scopes, or fewer periods, than asked for when all of them would not fit into
        memory. Raises Stopped.
        """
        state = _State(batch, self._keys, self._density)
        deadline = time.monotonic() + self._timeout
        waiting = list(reversed(self._keys))
        running: dict[Future[Found], str] = {}
        try:
            while (waiting or running) and state.scopes:
                while waiting and len(running) < self._width(state):
                    key = waiting.pop()
                    running[self._pool.submit(self._fetch, key, state.query())] = key
                done, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    self._take(state, running.pop(future), future)
                if self._stop.is_set():
                    raise Stopped
                if time.monotonic() > deadline and (waiting or running):
                    late = ", ".join(sorted(running.values()))
                    state.fail_all(f"metric(s) {late}: no answer within {self._timeout:g} s")
        finally:
            if running:
                # Threads that still wait for an answer end when their requests do.
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = self._new_pool()
        return state.result()

    def close(self) -> None:
        """Give up what is under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="collect")

    def _take(self, state: _State, key: str, future: Future[Found]) -> None:
        """Take over the answer for one metric, which may be an exception of any kind."""
        try:
            state.take(key, future)
        except Exception as exc:
            reason = f"metric '{key}': {type(exc).__name__}: {' '.join(str(exc).split())}"
            # The reason is told with the scopes; where it comes from is worth telling once.
            bug = (key, type(exc).__name__)
            LOG.log(
                log.DEBUG if bug in self._bugs else log.ERROR,
                "metric '%s': the collector failed",
                key,
                exc_info=True,
            )
            self._bugs.add(bug)
            state.fail_all(reason)

    def _width(self, state: _State) -> int:
        """Give how many requests to have under way: answers must fit into memory together."""
        expected = state.points_per_metric()
        if expected is None:
            return 1
        return max(2, min(self._threads, int(_IN_FLIGHT / max(expected, 1))))

    def _fetch(self, key: str, query: BatchQuery) -> Found:
        try:
            return self._collector.fetch_batch(key, query)
        except NoDataCollected:
            return {}


class _State:
    """A batch while it is being collected."""

    def __init__(self, batch: Batch, keys: Sequence[str], density: Density) -> None:
        self.scopes: list[str] = list(batch.scopes)
        self._begins: Sequence[int] = batch.begins
        self._period = batch.period
        self._keys = keys
        self._density = density
        self._found: dict[str, Found] = {}
        self._failed: dict[str, str] = {}
        self._points = 0

    def query(self) -> BatchQuery:
        return BatchQuery(tuple(self.scopes), self._begins, self._period)

    def points_per_metric(self) -> float | None:
        """Give how many points the answer to one question is likely to have, if known."""
        if self._found:
            return self._points / len(self._found)
        if not self._density.known:
            return None
        cells = len(self.scopes) * len(self._begins)
        return self._density.batch_points / self._density.cells * cells / len(self._keys)

    def take(self, key: str, future: Future[Found]) -> None:
        """Take over the answer for one metric; raises what a collector must not raise."""
        try:
            found: Mapping[str, list[Series]] = future.result()
        except BatchFailure as exc:
            found = exc.series
            self._fail(exc.failed)
        except CollectError as exc:
            name = f"metric '{key}'"
            self.fail_all(str(exc) if name in str(exc) else f"{name}: {exc}")
            return
        kept = {scope: found[scope] for scope in self.scopes if scope in found}
        self._found[key] = kept
        self._trim(kept)
        self._points += _count(kept)
        self._shrink()

    def fail_all(self, reason: str) -> None:
        self._fail(dict.fromkeys(self.scopes, reason))

    def result(self) -> Gathered:
        usages = []
        for scope in self.scopes:
            series = [
                one
                for key in self._keys
                for one in self._found.get(key, {}).pop(scope, ())
                if one.begins
            ]
            usages.append(ScopeUsage(scope, self._period, self._begins, series))
        if usages:
            self._density.seen(self._points, len(usages) * len(self._begins))
        return Gathered(usages, self._failed)

    def _fail(self, failed: Mapping[str, str]) -> None:
        known = set(self.scopes)
        self._failed |= {scope: why for scope, why in failed.items() if scope in known}
        self._keep([scope for scope in self.scopes if scope not in failed])

    def _shrink(self) -> None:
        """Leave scopes, or periods of the last one, for later while the batch is too large."""
        expected = self._points / len(self._found) * len(self._keys)
        cells = len(self.scopes) * len(self._begins)
        while expected > self._density.batch_points * 1.25 and cells > 1:
            before = self._points
            if len(self.scopes) > 1:
                self._keep(self.scopes[: (len(self.scopes) + 1) // 2])
            else:
                self._begins = self._begins[: (len(self._begins) + 1) // 2]
                for found in self._found.values():
                    self._trim(found)
            self._points = sum(map(_count, self._found.values()))
            cells = len(self.scopes) * len(self._begins)
            expected *= self._points / before if before else 0.5

    def _keep(self, scopes: list[str]) -> None:
        for scope in set(self.scopes).difference(scopes):
            for found in self._found.values():
                self._points -= _count({scope: found.pop(scope, [])})
        self.scopes = scopes

    def _trim(self, found: Found) -> None:
        """Cut off what lies after the last period."""
        if not self._begins:
            return
        last = self._begins[-1]
        for series in (one for some in found.values() for one in some):
            while series.begins and series.begins[-1] > last:
                series.begins.pop()
                series.qtys.pop()
                series.prices.pop()


def _count(found: Mapping[str, Iterable[Series]]) -> int:
    return sum(len(series.begins) for some in found.values() for series in some)
