# SPDX-License-Identifier: Apache-2.0
"""Carrying out orders to reset scopes (contract processor.md 8).

Rating processes do it, in a thread beside the worker, which may be waiting for the source for long.
The worker is called afterwards, since the scope has become due. Processes that rate again do it
where nobody rates.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from oslo_log import log
from sqlalchemy.orm import Session

from cloudkitty.processor.backoff import Backoff
from cloudkitty.processor.locks import Locks
from cloudkitty.processor.notices import Notices
from cloudkitty.state import orders
from cloudkitty.state.scope import Origin
from cloudkitty.storage.v2.base import BaseStorage

LOG = log.getLogger(__name__)

#: Seconds between two looks for orders.
INTERVAL: Final = 2.0


class Resets:
    """Carries out what is ordered."""

    def __init__(
        self,
        origin: Origin,
        period: int,
        storage: BaseStorage,
        locks: Locks,
        notices: Notices,
        stop: threading.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the configured origin and period, and locks that nobody else uses."""
        self._origin = origin
        self._period = period
        self._storage = storage
        self._locks = locks
        self._notices = notices
        self._stop = stop
        self._clock = clock
        self._backoff = Backoff(60)

    def run(self) -> bool:
        """Carry out the orders for scopes that nobody else is at; gives whether there were any.

        Raises what the database raises when it cannot be asked.
        """
        found = orders.pending(self._origin, self._period)
        self._backoff.keep_only(str(reset.id) for reset in found)
        done = False
        for reset in found:
            if self._stop.is_set():
                break
            if not self._backoff.waits(str(reset.id), self._clock()):
                done |= self._try(reset)
        return done

    def close(self) -> None:
        """Leave the lock service."""
        self._locks.close()

    def _try(self, reset: orders.Reset) -> bool:
        mine = self._locks.acquire([reset.scope_id], reset.origin)
        if not mine:
            return False
        try:
            return self._carry_out(reset)
        except Exception as exc:
            delay = self._backoff.failed(str(reset.id), self._clock())
            LOG.debug("scope %s could not be reset", reset.scope_id, exc_info=True)
            reason = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
            self._notices.warn(
                f"reset {reason}",
                "scope %s could not be reset, trying again in %.0f s: %s",
                reset.scope_id,
                delay,
                reason,
            )
            return False
        finally:
            self._locks.release(mine, origin=reset.origin)

    def _carry_out(self, reset: orders.Reset) -> bool:
        def set_back(session: Session) -> dt.datetime | None:
            return reset.to if orders.carry_out(session, reset, self._origin) else None

        done = self._storage.rewind({reset.origin.scope_key: reset.scope_id}, set_back)
        if done:
            LOG.info("scope %s was reset to %s", reset.scope_id, reset.to.isoformat())
        return done


class Work(Protocol):
    """Orders of one kind."""

    def run(self) -> bool:
        """Carry out what there is; gives whether there was anything."""

    def close(self) -> None:
        """Let go of everything."""


class Attendant:
    """The thread that looks for orders."""

    def __init__(
        self,
        work: Work,
        notices: Notices,
        done: Callable[[], None],
        what: str = "resets",
    ) -> None:
        """`done` is called when something has been carried out; `what` says what it is."""
        self._work = work
        self._notices = notices
        self._done = done
        self._what = what
        self._stop = threading.Event()
        self._called = threading.Event()
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)

    def start(self) -> None:
        """Begin to look for orders now and then."""
        self._thread.start()

    def call(self) -> None:
        """Have it look at once."""
        self._called.set()

    def stop(self, seconds: float) -> None:
        """Take up no more orders; waits so long for one that is being carried out."""
        self._stop.set()
        self._called.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._work.run():
                    self._done()
            except Exception as exc:
                LOG.debug("%s not read", self._what, exc_info=True)
                reason = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
                self._notices.warn(
                    f"{self._what} {reason}", "cannot look for %s: %s", self._what, reason
                )
            self._called.wait(INTERVAL)
            self._called.clear()
        self._work.close()
