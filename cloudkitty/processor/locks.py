# SPDX-License-Identifier: Apache-2.0
"""Who rates which scope: leases in the database and, where configured, locks of a lock service.

Both only save work; what keeps points from being stored twice is the compare-and-set on the state
(contract processor.md 3 and 9). The lock service keeps processors of older releases, which
know nothing of the leases, off the same scopes.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from oslo_log import log
from tooz import ToozError, coordination

from cloudkitty.processor.notices import Notices
from cloudkitty.state.lease import Leases, lock_name
from cloudkitty.state.scope import Origin

LOG = log.getLogger(__name__)


def connect(url: str) -> Any:
    """Connect to the lock service; gives a tooz coordinator.

    Raises ToozError, or what the driver makes of a URL that it cannot use.
    """
    coordinator: Any = coordination.get_coordinator(url, uuid.uuid4().hex.encode())
    coordinator.start(start_heart=True)
    return coordinator


class Locks:
    """The scopes that a worker holds."""

    def __init__(self, leases: Leases, origin: Origin, url: str, notices: Notices) -> None:
        """`url` names the lock service, empty for none."""
        self._leases = leases
        self._origin = origin
        self._url = url
        self._notices = notices
        self._coordinator: Any = None
        self._held: dict[str, list[Any]] = {}
        self._leased: set[str] = set()
        self._renewed = 0.0

    def acquire(
        self,
        scopes: Collection[str],
        origin: Origin | None = None,
        also: Mapping[str, str] | None = None,
    ) -> set[str]:
        """Take those of `scopes` that nobody else has, without waiting for the others.

        `origin` is theirs, if it is not the configured one. `also` has scope -> name of one more
        lock of the lock service that is needed for it.
        """
        names = {self._name(scope, origin): scope for scope in scopes}
        self._renewed = time.monotonic()
        leased = self._leases.acquire(names)
        self._leased |= leased
        if not leased or not self._connected():
            return {names[name] for name in leased}
        more = {name: also[scope] for name, scope in names.items() if also and scope in also}
        refused = {name for name in leased if not self._lock(name, more.get(name))}
        if refused:
            self._leases.release(refused)
            self._leased -= refused
        return {names[name] for name in leased - refused}

    def keep(self, scopes: Collection[str], seconds: float) -> None:
        """Prolong the leases if `seconds` have passed since they were last."""
        if time.monotonic() - self._renewed > seconds:
            self._renewed = time.monotonic()
            self._leases.acquire([self._name(scope) for scope in scopes])

    def release(
        self,
        scopes: Iterable[str],
        later: Mapping[str, float] | None = None,
        origin: Origin | None = None,
    ) -> None:
        """Give scopes back; those in `later` stay ours for so many seconds."""
        at_once: list[str] = []
        delayed: dict[float, list[str]] = {}
        for scope in scopes:
            name = self._name(scope, origin)
            for lock in self._held.pop(name, ()):
                self._unlock(lock)
            if later and scope in later:
                delayed.setdefault(later[scope], []).append(name)
            else:
                at_once.append(name)
        if at_once:
            self._leases.release(at_once)
        for seconds, names in delayed.items():
            self._leases.release(names, after=seconds)
        self._leased.difference_update(at_once, *delayed.values())

    def abandon(self) -> None:
        """Give leases back for a thread that is not going to: the process is about to end."""
        self._leases.release(self._leased)

    def close(self) -> None:
        """Give everything back and leave the lock service."""
        for locks in self._held.values():
            for lock in locks:
                self._unlock(lock)
        self._held.clear()
        if self._coordinator is not None:
            self._stop()

    def _name(self, scope: str, origin: Origin | None = None) -> str:
        return lock_name(scope, origin or self._origin)

    def _connected(self) -> bool:
        """Whether there is a lock service to ask; leases alone do when it is down."""
        if not self._url:
            return False
        if self._coordinator is None:
            try:
                self._coordinator = connect(self._url)
            except ToozError as exc:
                self._notices.warn("locks", "lock service: %s; going on with leases alone", exc)
                return False
        return True

    def _lock(self, name: str, more: str | None) -> bool:
        """Take the lock of that name, and one more; both or none."""
        held: list[Any] = []
        for one in (name, more):
            if one is None or self._coordinator is None:
                continue
            lock = self._coordinator.get_lock(one.encode())
            try:
                taken = bool(lock.acquire(blocking=False))
            except ToozError as exc:
                self._notices.warn("locks", "lock service: %s; going on with leases alone", exc)
                self._stop()
                return True
            if not taken:
                for other in held:
                    self._unlock(other)
                return False
            held.append(lock)
        self._held[name] = held
        return True

    def _unlock(self, lock: Any) -> None:
        try:
            lock.release()
        except ToozError as exc:
            LOG.debug("a lock could not be released: %s", exc)

    def _stop(self) -> None:
        coordinator, self._coordinator = self._coordinator, None
        try:
            coordinator.stop()
        except ToozError as exc:
            LOG.debug("the lock service could not be left: %s", exc)
