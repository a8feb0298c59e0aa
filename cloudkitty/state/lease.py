# SPDX-License-Identifier: Apache-2.0
"""Leases on scopes: who works on which, so that no two workers do the same work.

They live in the SQL database that every processor shares anyway. Nothing relies on them for
correctness: see :func:`cloudkitty.state.scope.advance`.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
import uuid
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.state.insert import insert_missing
from cloudkitty.state.models import ScopeLease
from cloudkitty.state.scope import Origin, chunks, retried


def lock_name(scope_id: str, origin: Origin) -> str:
    """Give the name of a scope's lock and lease (contract processor.md 3)."""
    text = f"cloudkitty-{scope_id}-{origin.collector}-{origin.fetcher}-{origin.scope_key}"
    return hashlib.sha256(text.encode()).hexdigest()


def new_owner() -> str:
    """Give a name for this process that no other ever has, and that tells whether it is alive."""
    pid = os.getpid()
    return f"{_host()}-{pid}-{_started(pid) or 0}-{uuid.uuid4().hex[:12]}"


class Leases:
    """The leases of one worker."""

    def __init__(self, owner: str, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self.owner = owner
        self._seconds = seconds
        self._clock = clock

    @retried
    def acquire(self, names: Collection[str]) -> set[str]:
        """Take, or prolong, the leases that nobody else holds; gives the names of those.

        Leases of processes of this host that are no more count as not held.
        """
        now = int(self._clock())
        got: set[str] = set()
        with db.session_for_write() as session:
            for some in chunks(sorted(names)):
                taken = self._take(session, some, now)
                refused = set(some) - taken
                if refused and self._bury(session, refused):
                    taken |= self._take(session, sorted(refused), now)
                got |= taken
        return got

    @retried
    def release(self, names: Iterable[str], after: float = 0) -> None:
        """Give leases back, `after` seconds from now; those that are not ours any more stay.

        Until then nobody but this worker can have them.
        """
        expires = int(self._clock() + after) if after else 0
        with db.session_for_write() as session:
            for some in chunks(sorted(names)):
                session.execute(
                    sa.update(ScopeLease)
                    .where(ScopeLease.name.in_(some), ScopeLease.owner == self.owner)
                    .values(expires=expires)
                    .execution_options(synchronize_session=False),
                )

    def _take(self, session: Session, names: list[str], now: int) -> set[str]:
        until = now + self._seconds
        session.execute(
            sa.update(ScopeLease)
            .where(
                ScopeLease.name.in_(names),
                sa.or_(ScopeLease.expires <= now, ScopeLease.owner == self.owner),
            )
            .values(owner=self.owner, expires=until)
            .execution_options(synchronize_session=False),
        )
        mine = sa.select(ScopeLease.name).where(
            ScopeLease.name.in_(names),
            ScopeLease.owner == self.owner,
            ScopeLease.expires > now,
        )
        taken = set(session.scalars(mine))
        if len(taken) == len(names):
            return taken
        rows = [
            {"name": name, "owner": self.owner, "expires": until}
            for name in names
            if name not in taken
        ]
        if insert_missing(session, ScopeLease, rows):
            taken = set(session.scalars(mine))
        return taken

    def _bury(self, session: Session, names: set[str]) -> bool:
        """End the leases on `names` whose owner, a process of this host, is gone."""
        owners = session.scalars(
            sa.select(ScopeLease.owner).where(ScopeLease.name.in_(names)).distinct(),
        )
        dead = [owner for owner in owners if is_gone(owner)]
        if dead:
            session.execute(
                sa.update(ScopeLease)
                .where(ScopeLease.owner.in_(dead))
                .values(expires=0)
                .execution_options(synchronize_session=False),
            )
        return bool(dead)


def _host() -> str:
    """Name the set of processes that this one can see: containers may share a host's name."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:12]


def is_gone(owner: str) -> bool:
    """Whether `owner` is known to be a process of this host that has ended."""
    host, _, rest = owner.partition("-")
    pid, _, rest = rest.partition("-")
    started = rest.partition("-")[0]
    if host != _host() or not pid.isdigit() or not started.isdigit() or started == "0":
        return False
    return _started(int(pid)) != int(started)


def _started(pid: int) -> int | None:
    """Give when a process began, in the kernel's ticks; None if there is none, or no telling."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field, the command in parentheses, may hold blanks; the state follows it.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])
