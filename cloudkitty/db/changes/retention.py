# SPDX-License-Identifier: Apache-2.0
"""What becomes of old entries of the audit log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.db.changes.writing import microseconds
from cloudkitty.db.models import AuditEntry, AuditSource

#: Entries deleted in one transaction.
_CHUNK: Final = 1000


def forget(before: dt.datetime, stop: Callable[[], bool] = lambda: False) -> int:
    """Delete the entries older than an aware time, and sources that none names any more.

    Gives how many entries. Ends early, with some left, when `stop` says so.
    """
    limit = microseconds(before)
    forgotten = 0
    while not stop():
        with db.session_for_write() as session:
            old = sa.select(AuditEntry.id).where(AuditEntry.time < limit).limit(_CHUNK)
            ids = list(session.scalars(old))
            if not ids:
                session.execute(sa.delete(AuditSource).where(AuditSource.used < limit))
                break
            session.execute(sa.delete(AuditEntry).where(AuditEntry.id.in_(ids)))
        forgotten += len(ids)
    return forgotten
