# SPDX-License-Identifier: Apache-2.0
"""Entries of the audit log, written in the transaction of the change."""

from __future__ import annotations

import datetime as dt
import json
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.db.changes import actor
from cloudkitty.db.models import AuditEntry, AuditSource

CREATE: Final = "create"
UPDATE: Final = "update"
DELETE: Final = "delete"

_INSTANT: Final = "cloudkitty_instant"
#: What the columns hold.
_LONGEST: Final = 255
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Change:
    """One object, as it was and as it is; None when it was not there, or is not any more.

    `kind` says what it is, in two words or so ("hashmap mapping"), `object_id` is what the API
    calls it by. `number` is that of its row, where the order of rows is that of their creation.
    """

    kind: str
    object_id: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    number: int | None = None

    @property
    def action(self) -> str:
        """What was done: CREATE, UPDATE or DELETE."""
        if self.before is None:
            return CREATE
        return DELETE if self.after is None else UPDATE


def record(session: Session, changes: Iterable[Change]) -> None:
    """Write entries for changes in the order given; what is as it was is left out.

    They are part of the session's transaction, and all entries of one have the same time. Raises
    TypeError for what is no JSON.
    """
    who = actor.current()
    rows = [
        {
            "time": instant(session),
            "user_id": _cut(who.user_id),
            "project_id": _cut(who.project_id),
            "request_id": _cut(who.request_id),
            "way": who.way,
            "kind": change.kind,
            "object_id": change.object_id,
            "object_number": change.number,
            "action": change.action,
            "before": _json(change.before),
            "after": _json(change.after),
        }
        for change in changes
        if change.before != change.after
    ]
    if rows:
        session.execute(sa.insert(AuditEntry), rows)


def keep_source(session: Session, checksum: str, source: bytes) -> None:
    """Keep what an entry of this transaction names by its checksum; each source is kept once."""
    used = instant(session)
    table = AuditSource
    known: Any = session.execute(
        sa.update(table)
        .where(table.checksum == checksum)
        .values(used=used)
        .execution_options(synchronize_session=False)
    )
    if not known.rowcount:
        data = zlib.compress(source)
        session.execute(sa.insert(table), [{"checksum": checksum, "data": data, "used": used}])


def instant(session: Session) -> int:
    """Give the time of what the session's transaction changes, in microseconds since the epoch."""
    found: int = session.info.setdefault(_INSTANT, _now())
    return found


def moment(microseconds: int) -> dt.datetime:
    """Give the time of an entry, aware, UTC."""
    seconds, rest = divmod(microseconds, _MICROSECONDS)
    return dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=rest)


def microseconds(moment: dt.datetime) -> int:
    """Give an aware time as entries have it."""
    return int(moment.timestamp()) * _MICROSECONDS + moment.microsecond


def _now() -> int:
    return time.time_ns() // 1000


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:_LONGEST]


def _json(data: Mapping[str, Any] | None) -> str | None:
    if data is None:
        return None
    return json.dumps(data, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be in an audit log")
