# SPDX-License-Identifier: Apache-2.0
"""A rating worker: plan a round, take what nobody else has, rate it, sleep if idle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from oslo_log import log

from cloudkitty.processor.gather import Stopped
from cloudkitty.processor.housekeeping import Housekeeping
from cloudkitty.processor.loop import LONGEST_SLEEP, Loop, Tools
from cloudkitty.processor.pipeline import Outcome, Store
from cloudkitty.processor.planner import NEVER_RATED, Batch, Planner, Position
from cloudkitty.processor.scopes import Scopes
from cloudkitty.state.scope import Origin, ScopeState, states_for
from cloudkitty.timeutils import from_epoch, to_epoch

LOG = log.getLogger(__name__)

#: Sleep while others have what is due.
_FIRST_POLL: Final = 0.25
_LONGEST_POLL: Final = 5.0


class Worker(Loop):
    """Rates what is due."""

    def __init__(
        self,
        number: int,
        tools: Tools,
        origin: Origin,
        scopes: Scopes,
        planner: Planner,
        store: Store,
        housekeeping: Housekeeping,
    ) -> None:
        super().__init__(number, tools)
        self._origin = origin
        self._scopes = scopes
        self._planner = planner
        self._store = store
        self._housekeeping = housekeeping
        self._contended = 0

    def _round(self) -> float:
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
        until = min(now + LONGEST_SLEEP, self._scopes.expires(), plan.next_due or now * 2)
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
        outcome = self._process(batch, self._store, mine)
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
