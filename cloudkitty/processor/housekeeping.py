# SPDX-License-Identifier: Apache-2.0
"""What a processor does for the database when it has nothing else to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from oslo_log import log

from cloudkitty import timeutils
from cloudkitty.db import idempotency
from cloudkitty.db.changes import retention
from cloudkitty.storage.v2.base import BaseStorage

LOG = log.getLogger(__name__)

_INTERVAL: Final = 3600
#: Days that have ended longer ago than this are summed up, whoever they belong to.
_AGE: Final = 2 * timeutils.SECONDS_PER_DAY


class Housekeeping:
    """Forgets what is over, and sums up days that nobody rates any more.

    What is over are idempotency keys and, if they are to be, old entries of the audit log.
    """

    def __init__(
        self,
        storage: BaseStorage,
        stop: threading.Event,
        *,
        enabled: bool,
        audit_days: int = 0,
    ) -> None:
        """`enabled` is true for one worker of each processor; `audit_days` of 0 keeps all."""
        found: Any = getattr(storage, "roll_up_closed_days", None)
        self._roll_up: Callable[..., int] | None = found
        self._enabled = enabled
        self._audit_seconds = audit_days * timeutils.SECONDS_PER_DAY
        self._stop = stop
        self._due = 0.0

    def run(self, now: float) -> None:
        """Do it if an hour has passed since it was last done; raises what the database raises."""
        if not self._enabled or now < self._due:
            return
        self._due = now + _INTERVAL
        idempotency.forget_expired()
        if self._audit_seconds:
            before = timeutils.from_epoch(int(now) - self._audit_seconds)
            forgotten = retention.forget(before, self._stop.is_set)
            if forgotten:
                LOG.info("%d entries of the audit log deleted", forgotten)
        while self._roll_up and not self._stop.is_set():
            days = self._roll_up(timeutils.from_epoch(int(now) - _AGE))
            if not days:
                return
            LOG.info("%d days of scopes summed up", days)
