# SPDX-License-Identifier: Apache-2.0
"""Which scopes exist, as the fetcher said last."""

from __future__ import annotations

from typing import Final

from oslo_log import log

from cloudkitty.fetcher.base import BaseFetcher
from cloudkitty.processor.notices import Notices
from cloudkitty.state.scope import MAX_ID_LENGTH

LOG = log.getLogger(__name__)

#: Seconds that the fetcher's answer counts.
REFRESH: Final = 60
_RETRY: Final = 5


class Scopes:
    """The fetcher's list; the last one counts while the fetcher fails."""

    def __init__(self, fetcher: BaseFetcher, notices: Notices) -> None:
        self._fetcher = fetcher
        self._notices = notices
        self._known: list[str] = []
        self._until = 0.0
        self._failures = 0

    def known(self, now: float) -> list[str]:
        """Give the scopes, asking the fetcher if its last answer is old."""
        if now >= self._until or self._until > now + REFRESH:
            self._refresh(now)
        return self._known

    def expires(self) -> float:
        """Give when the fetcher will be asked again."""
        return self._until

    def _refresh(self, now: float) -> None:
        try:
            announced = self._fetcher.get_tenants()
        except Exception as exc:
            self._failures += 1
            self._until = now + min(REFRESH, _RETRY * 2.0 ** min(self._failures - 1, 10))
            LOG.debug("the fetcher failed", exc_info=True)
            self._notices.warn(
                "fetcher",
                "fetcher '%s' failed, going on with the %d scopes known: %s: %s",
                self._fetcher.name,
                len(self._known),
                type(exc).__name__,
                " ".join(str(exc).split()),
            )
            return
        if self._failures:
            LOG.info("fetcher '%s' works again", self._fetcher.name)
            self._notices.over("fetcher")
            self._failures = 0
        self._until = now + REFRESH
        self._known = [scope for scope in dict.fromkeys(announced) if self._usable(scope)]
        LOG.debug("%d scopes loaded for fetcher %s", len(self._known), self._fetcher.name)

    def _usable(self, scope: str) -> bool:
        if 0 < len(scope) <= MAX_ID_LENGTH:
            return True
        self._notices.warn(
            f"scope {scope[:20]}",
            "scope %.40r left out: an id has 1 to %d characters",
            scope,
            MAX_ID_LENGTH,
        )
        return False
