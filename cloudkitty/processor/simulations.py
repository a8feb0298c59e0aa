# SPDX-License-Identifier: Apache-2.0
"""Carrying out simulations: what stored usage would cost under a draft of rules.

Rating processes do it, in a thread beside the worker, one simulation at a time. Which process has
which is in the database (:mod:`cloudkitty.state.simulations`); while one is worked on, another
thread says so, writes down how far it is, and sees when somebody has deleted it.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from oslo_config import cfg
from oslo_log import log

from cloudkitty import timeutils
from cloudkitty.db.errors import unreachable
from cloudkitty.processor.notices import Notices
from cloudkitty.rating import document
from cloudkitty.simulation import SimulationError, simulate
from cloudkitty.state import simulations
from cloudkitty.state.lease import new_owner
from cloudkitty.state.simulations import State
from cloudkitty.storage.v2.base import BaseStorage

LOG = log.getLogger(__name__)

#: How long a process that died keeps others from its simulation, if they cannot see that it died.
LEASE_SECONDS: Final = 60
#: How often it says that it goes on.
_INTERVAL: Final = 2.0
#: How often it is looked for what is too old.
_HOUSEKEEPING: Final = 3600


class _EndError(Exception):
    """The work is to end: nobody wants it any more, or this process stops."""


class Simulations:
    """Carries out what is ordered."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        storage: BaseStorage,
        notices: Notices,
        stop: threading.Event,
        interval: float = _INTERVAL,
    ) -> None:
        """Work is given up, for others to begin again, when `stop` is set."""
        self._options = conf.simulations
        self._storage = storage
        self._notices = notices
        self._stop = stop
        self._interval = interval
        self._owner = new_owner()
        self._due = 0.0

    def run(self) -> bool:
        """Carry out the simulations that nobody else is at; gives whether there were any.

        Raises what the database raises when it cannot be asked.
        """
        self._forget()
        done = False
        while not self._stop.is_set():
            state = simulations.claim(self._owner, LEASE_SECONDS)
            if state is None:
                break
            self._carry_out(state)
            done = True
        return done

    def close(self) -> None:
        """Nothing is held between two simulations."""

    def _carry_out(self, state: State) -> None:
        watch = _Watch(state.id, self._owner, self._stop, self._interval)
        watch.start()
        started = time.monotonic()
        try:
            found = document.loads(state.question.rules)
            most: int = self._options.max_rows
            outcome = simulate(self._storage, state.question, found, watch.tell, most)
            watch.tell(1)
            simulations.finish(state.id, self._owner, outcome.answer, outcome.rows)
        except _EndError:
            simulations.give_back(state.id, self._owner)
            LOG.info("simulation %s ended: deleted, or to be begun again", state.simulation_id)
        except (SimulationError, document.DocumentError) as exc:
            simulations.fail(state.id, self._owner, str(exc))
            LOG.info("simulation %s failed: %s", state.simulation_id, exc)
        except Exception as exc:
            if unreachable(exc):
                # Nothing can be written down now; others, or this process, begin again later.
                raise
            LOG.exception("simulation %s failed", state.simulation_id)
            reason = f"unexpected error: {type(exc).__name__} (see the log of the processor)"
            simulations.fail(state.id, self._owner, reason)
        else:
            LOG.info(
                "simulation %s: %d points, %d groups in %.2f s",
                state.simulation_id,
                outcome.answer["points"],
                len(outcome.rows),
                time.monotonic() - started,
            )
        finally:
            watch.end()

    def _forget(self) -> None:
        now = time.time()
        if now < self._due:
            return
        self._due = now + _HOUSEKEEPING
        count = simulations.forget(int(now) - self._options.keep_days * timeutils.SECONDS_PER_DAY)
        if count:
            LOG.info("%d simulations forgotten: too old", count)


class _Watch(threading.Thread):
    """Says now and then that a simulation goes on, and learns whether it is to end."""

    def __init__(self, id_: int, owner: str, stop: threading.Event, interval: float) -> None:
        super().__init__(name="simulation watch", daemon=True)
        self._id = id_
        self._owner = owner
        self._stop_all = stop
        self._interval = interval
        self._progress = 0.0
        self._over = threading.Event()
        self._unwanted = False

    def tell(self, progress: float) -> None:
        """Take the part that is done; raises _EndError when it is enough."""
        self._progress = progress
        if self._unwanted or self._stop_all.is_set():
            raise _EndError

    def end(self) -> None:
        """Say nothing any more."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """Write until it is over."""
        while not self._over.wait(self._interval):
            try:
                going_on = simulations.keep(self._id, self._owner, self._progress, LEASE_SECONDS)
            except Exception as exc:  # noqa: BLE001 - the work itself sees what is wrong
                LOG.debug("simulation: not written that it goes on: %s", exc)
            else:
                if not going_on:
                    self._unwanted = True
                    return
