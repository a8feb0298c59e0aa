# SPDX-License-Identifier: Apache-2.0
"""Scripts: list, read, make, change, remove (contract api.md 8, rating.md 5.1)."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, defer

from cloudkitty import db
from cloudkitty.rating import dates
from cloudkitty.rating.common import values
from cloudkitty.rating.common.db import audit, window
from cloudkitty.rating.common.db.transaction import retried, stored_date, write
from cloudkitty.rating.common.db.window import WindowFilter
from cloudkitty.rating.common.errors import ConflictError, NotFoundError, bad_attribute
from cloudkitty.rating.pyscripts import models
from cloudkitty.rating.pyscripts.store import history, source

_TABLE: Final = models.Script.__tablename__
# What a body may say about a script that runs, if it says what is so.
_FIXED: Final = (
    "name",
    "data",
    "created_at",
    "start",
    "description",
    "deleted",
    "created_by",
    "deleted_by",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script; dates are host-local and naive, `data` is None when it was not asked for."""

    script_id: str
    name: str
    data: str | None
    checksum: str
    created_at: dt.datetime
    start: dt.datetime
    end: dt.datetime | None
    description: str | None
    deleted: dt.datetime | None
    created_by: str
    updated_by: str | None
    deleted_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewScript:
    """What a caller says about a script to be made."""

    name: str | None
    data: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    description: str | None = None


def get_all(wanted: WindowFilter, *, with_data: bool = True) -> list[Script]:
    """Give the scripts that `wanted` describes, in order of creation."""
    script = models.Script
    query = sa.select(script).where(*window.conditions(script, wanted)).order_by(script.id)
    if not with_data:
        query = query.options(defer(script.data))
    with db.session_for_read() as session:
        found = [_record(row, with_data=with_data) for row in session.execute(query).scalars()]
    return [record for record in found if window.admits(wanted, record)]


def get(script_id: str) -> Script:
    """Give one script that is not deleted; raises NotFoundError."""
    with db.session_for_read() as session:
        return _record(_find_alive(session, script_id))


@retried
def create(new: NewScript, user: str | None, *, force: bool = False) -> Script:
    """Make a script, with `force` also one that starts in the past.

    Raises InvalidError, or ConflictError when a script that is not deleted has the name.
    """
    name = values.mandatory_name("name", new.name, values.NAME_LIMIT)
    if new.data is None:
        raise bad_attribute("data", None, "Mandatory field missing.")
    code = source.encode(new.data)
    description = values.text("description", new.description, values.DESCRIPTION_LIMIT)
    now = dates.local_now()
    start = new.start or now
    if not force:
        values.check_not_past(start, now)
    values.check_window(start, new.end)
    with _exclusive() as session:
        _check_free(session, name)
        row = models.Script(
            script_id=str(uuid.uuid4()),
            name=name,
            data=source.pack(code),
            checksum=source.checksum(code),
            created_at=stored_date(session, now),
            start=stored_date(session, start),
            end=_stored(session, new.end),
            description=description,
            created_by=audit.name(session, _TABLE, user),
        )
        with history.watch(session, row):
            session.add(row)
        return _record(row)


@retried
def update(script_id: str, attributes: Mapping[str, Any], user: str | None) -> Script:
    """Change a script as a PUT with these attributes does; the same again writes nothing.

    `attributes` holds what the body held, dates host-local and naive. Raises NotFoundError or
    InvalidError.
    """
    values.mandatory_name("name", attributes.get("name"), values.NAME_LIMIT)
    values.text("description", attributes.get("description"), values.DESCRIPTION_LIMIT)
    with _exclusive() as session:
        row = _find_alive(session, script_id)
        now = dates.local_now()
        end = _stored(session, attributes.get("end"))
        with history.watch(session, row):
            if row.start < now:
                same = _says_what_is_so(_record(row), attributes)
                changed = values.closes(row.start, row.end, end, now, same=same)
                if changed:
                    row.end = end
            else:
                changed = _rewrite(session, row, attributes, end, now)
            if changed:
                row.updated_by = audit.name(session, _TABLE, user)
        return _record(row)


@retried
def delete(script_id: str, user: str | None) -> None:
    """Delete a script softly; raises NotFoundError, also when it is deleted already."""
    with _exclusive() as session:
        row = _find_alive(session, script_id)
        with history.watch(session, row):
            row.deleted = stored_date(session, dates.local_now())
            row.deleted_by = audit.name(session, _TABLE, user)


@contextmanager
def _exclusive() -> Iterator[Session]:
    """Yield a session for a change that must not meet another one: checks, then writes.

    That names are unique among living scripts no unique key can say. PostgreSQL locks the table
    for writers. MySQL and MariaDB lock all rows and what is between them: of two that write one
    is chosen as victim of a deadlock, and tries again. SQLite has one writer at a time.
    """
    with write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(sa.text(f"LOCK TABLE {_TABLE} IN SHARE ROW EXCLUSIVE MODE"))
        else:
            ids = sa.select(models.Script.id).order_by(models.Script.id)
            session.execute(ids.with_for_update()).all()
        yield session


def _check_free(session: Session, name: str) -> None:
    query = sa.select(models.Script.name, models.Script.script_id).where(
        models.Script.deleted.is_(None),
        models.Script.name == name,
    )
    # Tables that upstream made on MySQL find names in other cases too.
    for found, script_id in session.execute(query):
        if found == name:
            raise ConflictError(f"Script {name} already exists (UUID: {script_id})")


def _rewrite(
    session: Session,
    row: models.Script,
    attributes: Mapping[str, Any],
    end: dt.datetime | None,
    now: dt.datetime,
) -> bool:
    """Change a script that has not started; whether anything changed.

    An absent end or description clears it, an absent start or source stays; the name does not
    count.
    """
    start = _stored(session, attributes.get("start")) or row.start
    values.check_not_past(start, now)
    values.check_window(start, end)
    description = attributes.get("description")
    text = attributes.get("data")
    code = None if text is None else source.encode(text)
    if code is not None and source.checksum(code) != source.checksum(source.unpack(row.data)):
        row.data, row.checksum = source.pack(code), source.checksum(code)
    row.start, row.end, row.description = start, end, description
    return session.is_modified(row)


def _find_alive(session: Session, script_id: str) -> models.Script:
    if values.maybe_id(script_id):
        query = sa.select(models.Script).where(
            models.Script.script_id == script_id,
            models.Script.deleted.is_(None),
        )
        row = session.execute(query).scalar_one_or_none()
        if row is not None:
            return row
    raise NotFoundError(f"No such script: None (UUID: {script_id})")


def _stored(session: Session, moment: dt.datetime | None) -> dt.datetime | None:
    return None if moment is None else stored_date(session, moment)


def _says_what_is_so(stored: Script, attributes: Mapping[str, Any]) -> bool:
    """Whether every attribute given is as stored; empty ones say nothing."""
    return all(
        attributes[name] == getattr(stored, name)
        for name in _FIXED
        if attributes.get(name) not in {None, ""}
    )


def _record(row: models.Script, *, with_data: bool = True) -> Script:
    return Script(
        script_id=row.script_id,
        name=row.name,
        # A source that came past the API may be in any encoding.
        data=source.unpack(row.data).decode(errors="replace") if with_data else None,
        checksum=row.checksum,
        created_at=row.created_at,
        start=row.start,
        end=row.end,
        description=row.description,
        deleted=row.deleted,
        created_by=row.created_by,
        updated_by=row.updated_by,
        deleted_by=row.deleted_by,
    )
