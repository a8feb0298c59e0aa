# SPDX-License-Identifier: Apache-2.0
"""Which scopes exist, as the fetcher said last.

While the fetcher fails, its last list counts, however old: a scope that is gone has no usage, so
nothing wrong is billed, whereas everybody's bill would be late otherwise.

An empty list is a failure too when scopes were rated before: a source without data gives one, and a
processor without work looks like one that is done. What was before is read in the state table, so
that it outlives the process: any scope of this origin that is not switched off. Switching all of
them off is how an operator says that there really are none any more. The state table is never a
list of what to rate (contract processor.md 2), as it also has scopes that ceased to be announced
long ago: a processor that starts while the fetcher fails waits for it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from oslo_log import log

from cloudkitty.fetcher.base import BaseFetcher
from cloudkitty.processor.failures import some
from cloudkitty.processor.notices import Notices
from cloudkitty.state.scope import MAX_ID_LENGTH, Origin, states_for

LOG = log.getLogger(__name__)

#: Seconds that the fetcher's answer counts.
REFRESH: Final = 60
#: Seconds that its answer about scopes of the recent past counts.
RECENT: Final = 600
_RETRY: Final = 5


class Scopes:
    """The fetcher's list; the last one counts while the fetcher fails."""

    def __init__(
        self, fetcher: BaseFetcher, notices: Notices, origin: Origin, period: float
    ) -> None:
        """`origin` is that of the fetcher's scopes."""
        self._fetcher = fetcher
        self._notices = notices
        self._origin = origin
        self._period = period
        self._known: list[str] = []
        self._until = 0.0
        self._failures = 0
        #: When the fetcher last named a scope.
        self._named = float("-inf")
        self._recent: list[str] = []
        self._recent_until = 0.0

    def known(self, now: float) -> list[str]:
        """Give the scopes, asking the fetcher if its last answer is old.

        Raises what the database raises.
        """
        if now >= self._until or self._until > now + REFRESH:
            self._refresh(now)
        return self._known

    def expires(self) -> float:
        """Give when the fetcher will be asked again."""
        return self._until

    def _refresh(self, now: float) -> None:
        try:
            announced = self._announced(now)
        except Exception as exc:
            LOG.debug("the fetcher failed", exc_info=True)
            self._go_on(now, "failed", f"{type(exc).__name__}: {' '.join(str(exc).split())}")
            return
        if announced:
            self._named = now
        elif missed := self._missed(now):
            self._go_on(
                now,
                "names no scopes",
                f"{len(missed)} scope(s) that were named before ({some(missed)}) are not switched "
                "off",
            )
            return
        if self._failures:
            LOG.info("fetcher '%s' works again", self._fetcher.name)
            self._notices.over("fetcher")
            self._failures = 0
        self._until = now + REFRESH
        if len(announced) != len(self._known) or not announced:
            LOG.log(
                log.INFO if announced or self._known else log.DEBUG,
                "%d scopes loaded for fetcher %s",
                len(announced),
                self._fetcher.name,
            )
        self._known = announced

    def _announced(self, now: float) -> list[str]:
        """Ask the fetcher; raises whatever it raises, and TypeError for what are no ids."""
        present = self._fetcher.get_tenants()
        scopes = dict.fromkeys([*present, *self._lately(now)])
        return [scope for scope in scopes if self._usable(scope)]

    def _lately(self, now: float) -> list[str]:
        """Give scopes that may be gone by now, but whose last periods are still to be rated."""
        # Plug-ins need not know about it, nor be a BaseFetcher.
        ask = getattr(self._fetcher, "get_recent", None)
        if ask is not None and not self._recent_until - RECENT <= now < self._recent_until:
            try:
                self._recent = list(ask())
            except Exception as exc:
                LOG.debug("the fetcher failed for the recent past", exc_info=True)
                self._notices.warn(
                    "fetcher, recent",
                    "fetcher '%s' cannot say which scopes are gone since a short while, whose last "
                    "periods may not be rated: %s: %s",
                    self._fetcher.name,
                    type(exc).__name__,
                    " ".join(str(exc).split()),
                )
                self._recent = []
                return []
            self._recent_until = now + RECENT
        return self._recent

    def _missed(self, now: float) -> Collection[str]:
        """Give the scopes that an empty list should have had."""
        states = states_for(self._origin)
        missed = {scope for scope, state in states.items() if state.active}
        # One that was never rated cannot be switched off: it is missed for a period only.
        if now - self._named <= self._period:
            missed |= {scope for scope in self._known if scope not in states}
        return sorted(missed)

    def _go_on(self, now: float, what: str, why: str) -> None:
        self._failures += 1
        self._until = now + min(REFRESH, _RETRY * 2.0 ** min(self._failures - 1, 10))
        self._notices.warn(
            "fetcher",
            "fetcher '%s' %s, %s: %s",
            self._fetcher.name,
            what,
            f"going on with the {len(self._known)} scopes known"
            if self._known
            else "nothing is rated until it does",
            why,
        )

    def _usable(self, scope: str) -> bool:
        if not isinstance(scope, str):
            raise TypeError(f"a scope id is not text: {scope!r}")
        if 0 < len(scope) <= MAX_ID_LENGTH:
            return True
        self._notices.warn(
            f"scope {scope[:20]}",
            "scope %.40r left out: an id has 1 to %d characters",
            scope,
            MAX_ID_LENGTH,
        )
        return False
