# SPDX-License-Identifier: Apache-2.0
"""The loop of a rating process: plan a round, take what nobody else has, rate it, sleep if idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from oslo_log import log

from cloudkitty.processor.backoff import Backoff
from cloudkitty.processor.gather import Stopped
from cloudkitty.processor.housekeeping import Housekeeping
from cloudkitty.processor.locks import Locks
from cloudkitty.processor.notices import Notices
from cloudkitty.processor.pipeline import Outcome, Pipeline
from cloudkitty.processor.planner import NEVER_RATED, Batch, Limits, Planner, Position
from cloudkitty.processor.scopes import Scopes
from cloudkitty.processor.sizes import Density
from cloudkitty.state.scope import Origin, ScopeState, states_for
from cloudkitty.timeutils import from_epoch, to_epoch

LOG = log.getLogger(__name__)

#: Longest sleep, so that new scopes are seen soon.
_LONGEST_SLEEP: Final = 60.0
#: Sleep while others have what is due.
_FIRST_POLL: Final = 0.25
_LONGEST_POLL: Final = 5.0
_FIRST_RETRY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bounds of a batch, from the configuration."""

    scopes: int
    periods: int
    lease_seconds: int


class Worker:
    """Rates until it is told to stop."""

    def __init__(
        self,
        number: int,
        origin: Origin,
        scopes: Scopes,
        planner: Planner,
        backoff: Backoff,
        density: Density,
        locks: Locks,
        pipeline: Pipeline,
        notices: Notices,
        housekeeping: Housekeeping,
        sizes: Sizes,
        stop: threading.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.number = number
        self._origin = origin
        self._scopes = scopes
        self._planner = planner
        self._backoff = backoff
        self._density = density
        self._locks = locks
        self._pipeline = pipeline
        self._notices = notices
        self._housekeeping = housekeeping
        self._sizes = sizes
        self._stop = stop
        self._clock = clock
        self._contended = 0
        self._failures = 0
        self._finished = threading.Event()
        self._finished.set()

    @property
    def committing(self) -> bool:
        """Whether a transaction is under way."""
        return self._pipeline.committing

    def finished(self, seconds: float) -> bool:
        """Wait for the loop to end; gives whether it has."""
        return self._finished.wait(seconds)

    def abandon(self) -> None:
        """Free the scopes at hand for others; the process ends without finishing them."""
        self._locks.abandon()

    def run(self) -> None:
        """Rate until told to stop."""
        self._finished.clear()
        try:
            while not self._stop.is_set():
                self._stop.wait(self._sleep_after_round())
        finally:
            self._locks.close()
            self._finished.set()

    def _sleep_after_round(self) -> float:
        """Rate one round; gives the seconds to sleep. Whatever fails is tried again later."""
        try:
            seconds = self.round()
        except Stopped:
            return 0
        except Exception as exc:
            self._failures += 1
            seconds = min(_LONGEST_SLEEP, _FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
            reason = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
            LOG.debug("worker %d: the pass failed", self.number, exc_info=True)
            self._notices.warn(
                f"round {type(exc).__name__}",
                "worker %d cannot go on, trying again in %.0f s: %s",
                self.number,
                seconds,
                reason,
            )
            return seconds
        if self._failures:
            LOG.info("worker %d goes on after %d failures", self.number, self._failures)
            self._failures = 0
        return seconds

    def round(self) -> float:
        """Take one slice of every scope that is due; gives the seconds until it is worth while.

        Raises Stopped, and what the database or the rating modules raise.
        """
        now = self._clock()
        known = self._scopes.known(now)
        self._backoff.keep_only(known)
        positions = self._positions(known, states_for(self._origin))
        plan = self._planner.plan(positions, self._limits(), now)
        worked = refused = False
        for batch in plan.batches:
            if self._stop.is_set():
                raise Stopped
            if self._take(batch):
                worked = True
            else:
                refused = True
        if worked:
            self._contended = 0
            return 0
        until = min(now + _LONGEST_SLEEP, self._scopes.expires(), plan.next_due or now * 2)
        seconds = max(0.05, until - self._clock())
        if refused:
            self._contended += 1
            poll = min(_LONGEST_POLL, _FIRST_POLL * 1.5 ** min(self._contended - 1, 20))
            return min(poll, seconds)
        self._contended = 0
        self._housekeeping.run(now)
        return seconds

    def _take(self, batch: Batch) -> bool:
        """Rate those scopes of a planned batch that can be had; gives whether any was."""
        mine = self._locks.acquire(batch.scopes)
        if not mine:
            return False
        outcome = Outcome()
        try:
            # Somebody else may have rated them between the plan and the lease.
            positions = self._positions(mine, states_for(self._origin, mine))
            fresh = self._planner.plan(positions, self._limits(), self._clock()).batches
            if fresh:
                batch = max(fresh, key=lambda found: len(found.scopes))
                outcome = self._rate(batch, mine)
        finally:
            self._release(mine, outcome)
        return bool(outcome.moved or outcome.failed)

    def _rate(self, batch: Batch, mine: set[str]) -> Outcome:
        started = time.monotonic()
        outcome = self._pipeline.run(
            batch,
            lambda: self._locks.keep(mine, self._sizes.lease_seconds / 3),
        )
        LOG.info(
            "[worker: %d] %d scopes rated from %s for %d period(s): %d points in %.2f s",
            self.number,
            len(outcome.moved),
            from_epoch(batch.begins[0]).isoformat(),
            len(batch.begins),
            outcome.points,
            time.monotonic() - started,
        )
        if outcome.idle:
            LOG.debug("no usage data for %d of them", outcome.idle)
        if outcome.lost:
            LOG.info(
                "[worker: %d] work on %d scopes dropped: moved or switched off by somebody else",
                self.number,
                len(outcome.lost),
            )
        return outcome

    def _release(self, mine: set[str], outcome: Outcome) -> None:
        now = self._clock()
        self._backoff.succeeded(outcome.moved)
        later = {scope: self._backoff.failed(scope, now) for scope in outcome.failed}
        self._tell(outcome.failed, later)
        self._locks.release(mine, later)

    def _tell(self, failed: Mapping[str, str], later: Mapping[str, float]) -> None:
        """Log failures: one line for each reason, once a minute."""
        by_reason: dict[str, list[str]] = {}
        for scope, reason in failed.items():
            by_reason.setdefault(reason, []).append(scope)
        for reason, scopes in by_reason.items():
            self._notices.warn(
                reason,
                "[worker: %d] %d scope(s) not rated (%s%s), trying again in %.0f s: %s",
                self.number,
                len(scopes),
                scopes[0],
                ", ..." if len(scopes) > 1 else "",
                min(later[scope] for scope in scopes),
                reason,
            )

    def _positions(
        self,
        scopes: list[str] | set[str],
        states: Mapping[str, ScopeState],
    ) -> dict[str, Position]:
        return {
            scope: (
                Position(to_epoch(states[scope].last_processed), states[scope].active)
                if scope in states
                else NEVER_RATED
            )
            for scope in scopes
        }

    def _limits(self) -> Limits:
        return Limits(self._sizes.scopes, self._sizes.periods, self._density.cells)
