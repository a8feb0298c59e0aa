# SPDX-License-Identifier: Apache-2.0
"""Idempotency keys: a caller that got no answer may send a request again, and it counts once.

A key belongs to one project. What is kept is its digest and that of the body that came with it, for
as long as ``[api] idempotency_key_lifetime`` says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.db.models import IdempotencyKey


class KeyReusedError(Exception):
    """The key has come before, with another body."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that carries a key; what a storage asks before it stores (``Once``)."""

    digest: str
    body: str
    #: When the key is forgotten, in epoch seconds.
    expires: int

    def done(self, session: Session) -> bool:
        """Whether it has been carried out; KeyReusedError if another one has with its key."""
        known = session.scalar(
            sa.select(IdempotencyKey.body).where(
                IdempotencyKey.digest == self.digest,
                IdempotencyKey.expires > _now(),
            ),
        )
        if known not in {None, self.body}:
            raise KeyReusedError
        return known is not None

    def record(self, session: Session) -> None:
        """Write down that it is carried out in this transaction.

        Whoever does the same at the same time waits here, and gets DBDuplicateEntry.
        """
        session.execute(
            sa.delete(IdempotencyKey).where(
                IdempotencyKey.digest == self.digest,
                IdempotencyKey.expires <= _now(),
            ),
        )
        session.execute(
            sa.insert(IdempotencyKey).values(
                digest=self.digest,
                body=self.body,
                expires=self.expires,
            ),
        )


def request(project_id: str | None, key: str, body: bytes, lifetime: int) -> Request:
    """Give what is kept of a request of a project with a key."""
    return Request(
        hashlib.sha256(f"{project_id or ''}\n{key}".encode()).hexdigest(),
        hashlib.sha256(body).hexdigest(),
        _now() + lifetime,
    )


def forget_expired() -> None:
    """Delete the keys whose time is over; the processor does it now and then."""
    with db.session_for_write() as session:
        session.execute(sa.delete(IdempotencyKey).where(IdempotencyKey.expires <= _now()))


def _now() -> int:
    return timeutils.to_epoch(timeutils.utcnow())
