# SPDX-License-Identifier: Apache-2.0
"""Messages that would come again and again are logged once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from oslo_log import log

LOG = log.getLogger(__name__)

_SECONDS: Final = 60
_KEPT: Final = 1000


class Notices:
    """Logs a message unless it was logged a short while ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}

    def warn(self, key: str, message: str, *args: Any) -> None:
        """Log at warning level; messages with the same `key` count as the same."""
        now = self._clock()
        if now - self._told.get(key, -_SECONDS) < _SECONDS:
            LOG.debug(message, *args)
            return
        if len(self._told) >= _KEPT:
            self._told.clear()
        self._told[key] = now
        LOG.warning(message, *args)

    def over(self, key: str) -> bool:
        """Forget `key`; gives whether it had been logged."""
        return self._told.pop(key, None) is not None
