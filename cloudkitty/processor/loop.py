# SPDX-License-Identifier: Apache-2.0
"""What every worker does: rounds until it is told to stop, sleep if idle, failures told once."""

from __future__ import annotations

import abc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from oslo_log import log

from cloudkitty.processor.backoff import Backoff
from cloudkitty.processor.failures import Failures
from cloudkitty.processor.gather import Stopped
from cloudkitty.processor.locks import Locks
from cloudkitty.processor.notices import Notices
from cloudkitty.processor.pipeline import Outcome, Pipeline, Store
from cloudkitty.processor.planner import Batch, Limits
from cloudkitty.processor.rulechoice import PRESENT, RuleChoice
from cloudkitty.processor.sizes import Density

LOG = log.getLogger(__name__)

#: Longest sleep, so that new scopes are seen soon.
LONGEST_SLEEP: Final = 60.0
_FIRST_RETRY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bounds of a batch, from the configuration."""

    scopes: int
    periods: int
    lease_seconds: int


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker works with, whatever it does."""

    locks: Locks
    pipeline: Pipeline
    backoff: Backoff
    density: Density
    notices: Notices
    sizes: Sizes
    stop: threading.Event
    clock: Callable[[], float] = time.time


class Loop(abc.ABC):
    """A worker: :meth:`_round` is what it does."""

    def __init__(self, number: int, tools: Tools) -> None:
        """Take over `tools`; `number` tells workers of one kind apart."""
        self.number = number
        self._tools = tools
        self._locks = tools.locks
        self._backoff = tools.backoff
        self._notices = tools.notices
        self._stop = tools.stop
        self._clock = tools.clock
        self._called = threading.Event()
        self._failures = 0
        self._not_rated = Failures(number)
        self._finished = threading.Event()
        self._finished.set()

    def round(self) -> float:
        """Do what is to be done; gives the seconds until it is worth while to look again.

        Raises Stopped, and what the database or the rating modules raise.
        """
        try:
            return self._round()
        finally:
            self._not_rated.tell()

    @abc.abstractmethod
    def _round(self) -> float:
        """Do what :meth:`round` does, but for telling what failed."""

    @property
    def committing(self) -> bool:
        """Whether a transaction is under way."""
        return self._tools.pipeline.committing

    def finished(self, seconds: float) -> bool:
        """Wait for the loop to end; gives whether it has."""
        return self._finished.wait(seconds)

    def abandon(self) -> None:
        """Free the scopes at hand for others; the process ends without finishing them."""
        self._locks.abandon()

    def call(self) -> None:
        """Have the worker look for work at once; for other threads."""
        self._called.set()

    def run(self) -> None:
        """Work until told to stop."""
        self._finished.clear()
        try:
            while not self._stop.is_set():
                self._once()
        finally:
            self._locks.close()
            self._finished.set()

    def _once(self) -> None:
        """Do a round and sleep. Whatever fails is tried again later."""
        try:
            self._called.clear()
            self._sleep(self.round())
        except Stopped:
            return
        except Exception as exc:
            self._failures += 1
            seconds = min(LONGEST_SLEEP, _FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
            reason = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
            LOG.debug("worker %d: the pass failed", self.number, exc_info=True)
            self._notices.warn(
                f"round {type(exc).__name__}",
                "worker %d cannot go on, trying again in %.0f s: %s",
                self.number,
                seconds,
                reason,
            )
            self._stop.wait(seconds)
            return
        if self._failures:
            LOG.info("worker %d goes on after %d failures", self.number, self._failures)
            self._failures = 0

    def _sleep(self, seconds: float) -> None:
        """Sleep until the worker is called; whatever that is about is looked at in a new round."""
        until = time.monotonic() + seconds
        while not self._stop.is_set() and (rest := until - time.monotonic()) > 0:
            if self._called.wait(min(rest, 1)):
                return

    def _limits(self) -> Limits:
        sizes = self._tools.sizes
        return Limits(sizes.scopes, sizes.periods, self._tools.density.cells)

    def _process(
        self, batch: Batch, store: Store, mine: set[str], rules: RuleChoice = PRESENT
    ) -> Outcome:
        """Take a batch through the pipeline; `mine` are the scopes that are held for it."""
        seconds = self._tools.sizes.lease_seconds / 3
        return self._tools.pipeline.run(
            batch, store, lambda: self._locks.keep(mine, seconds), rules
        )

    def _release(self, mine: set[str], outcome: Outcome) -> None:
        """Give scopes back; those that failed stay ours until they are tried again."""
        self._locks.release(mine, self._note(outcome))

    def _note(self, outcome: Outcome) -> dict[str, float]:
        """Take down what succeeded and what did not; gives scope -> seconds to wait."""
        now = self._clock()
        self._not_rated.over(self._backoff.succeeded(outcome.moved, now))
        later = {scope: self._backoff.failed(scope, now) for scope in outcome.failed}
        self._not_rated.add(outcome.failed, later)
        return later
