# SPDX-License-Identifier: Apache-2.0
"""Entries of the audit log, newest first."""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.db.changes.writing import microseconds, moment
from cloudkitty.db.models import AuditEntry, AuditSource

_CHUNK: Final = 1000
_COLUMN: Final = AuditEntry.__table__.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change; `time` is aware, UTC, `before` and `after` are JSON data."""

    id: int
    time: dt.datetime
    user_id: str | None
    project_id: str | None
    request_id: str | None
    way: str
    kind: str
    object_id: str
    object_number: int | None
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries: all that is given is ANDed. `end` is exclusive, `older_than` an id."""

    kinds: Collection[str] | None = None
    object_ids: Collection[str] | None = None
    user_ids: Collection[str] | None = None
    actions: Collection[str] | None = None
    begin: dt.datetime | None = None
    end: dt.datetime | None = None
    older_than: int | None = None


def entries(session: Session, wanted: Wanted, limit: int | None = None) -> Iterator[Entry]:
    """Yield entries, newest first, while they are read."""
    query = sa.select(AuditEntry.__table__).where(*_conditions(wanted))
    yield from _read(session, query.order_by(_COLUMN.id.desc()).limit(limit))


def history(session: Session, kinds: Collection[str]) -> Iterator[Entry]:
    """Yield all entries of these kinds, oldest first."""
    query = sa.select(AuditEntry.__table__).where(_COLUMN.kind.in_(list(kinds)))
    yield from _read(session, query.order_by(_COLUMN.id))


def extent(session: Session, kinds: Collection[str]) -> tuple[int, int | None]:
    """Give the number and the newest id of the entries of these kinds: both the same, all same."""
    query = sa.select(sa.func.count(), sa.func.max(_COLUMN.id)).where(_COLUMN.kind.in_(list(kinds)))
    number, newest = session.execute(query).one()
    return number, newest


def source(checksum: str) -> bytes | None:
    """Give a source that entries name by its checksum; None when none does any more."""
    with db.session_for_read() as session:
        data = session.scalar(sa.select(AuditSource.data).where(AuditSource.checksum == checksum))
    return None if data is None else zlib.decompress(data)


def _conditions(wanted: Wanted) -> Iterator[sa.ColumnElement[bool]]:
    for column, values in (
        (_COLUMN.kind, wanted.kinds),
        (_COLUMN.object_id, wanted.object_ids),
        (_COLUMN.user_id, wanted.user_ids),
        (_COLUMN.action, wanted.actions),
    ):
        if values is not None:
            yield column.in_(list(values))
    if wanted.begin is not None:
        yield _COLUMN.time >= microseconds(wanted.begin)
    if wanted.end is not None:
        yield _COLUMN.time < microseconds(wanted.end)
    if wanted.older_than is not None:
        yield _COLUMN.id < wanted.older_than


def _read(session: Session, query: sa.Select[Any]) -> Iterator[Entry]:
    for row in session.execute(query.execution_options(yield_per=_CHUNK)):
        yield Entry(
            id=row.id,
            time=moment(row.time),
            user_id=row.user_id,
            project_id=row.project_id,
            request_id=row.request_id,
            way=row.way,
            kind=row.kind,
            object_id=row.object_id,
            object_number=row.object_number,
            action=row.action,
            before=None if row.before is None else json.loads(row.before),
            after=None if row.after is None else json.loads(row.after),
        )
