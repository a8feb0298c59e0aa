# SPDX-License-Identifier: Apache-2.0
"""The scripts in the database, read again only when they have changed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.rating.pyscripts import models
from cloudkitty.rating.pyscripts.store import source
from cloudkitty.sandbox.engine import Source

#: Periods looked up before all are dropped.
MAX_PERIODS: Final = 5_000
_CHECKSUM_LENGTH: Final = 128


class Script(NamedTuple):
    """A script that is not deleted; `key` stands for its version, dates are host-local, naive."""

    key: str
    id: int
    name: str
    start: dt.datetime
    end: dt.datetime | None
    #: What the API calls it by; empty for a script that is not stored.
    script_id: str = ""


class Scripts:
    """All scripts at one moment, in order of creation."""

    def __init__(self, scripts: Iterable[Script], sources: Mapping[str, Source]) -> None:
        self.scripts = tuple(scripts)
        self._sources = {script.key: sources[script.key] for script in self.scripts}
        self._periods: dict[int, tuple[str, ...]] = {}
        text = repr([tuple(script) for script in self.scripts])
        #: Text that stands for them.
        self.version = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def sources(self) -> Mapping[str, Source]:
        """The sources by key."""
        return self._sources

    def at(self, when: dt.datetime) -> tuple[str, ...]:
        """Give the keys of those in force at `when`, host-local and naive (rating.md 3)."""
        return tuple(
            script.key
            for script in self.scripts
            if script.start <= when and (script.end is None or script.end > when)
        )

    def at_period(self, begin: int) -> tuple[str, ...]:
        """Give the keys of those in force for the period that begins then, epoch seconds."""
        found = self._periods.get(begin)
        if found is None:
            if len(self._periods) >= MAX_PERIODS:
                self._periods.clear()
            found = self.at(timeutils.naive_local(timeutils.from_epoch(begin)))
            self._periods[begin] = found
        return found


def load(known: Scripts | None = None, *, deleted: bool = False) -> Scripts:
    """Read the scripts; gives `known` itself when they are as they were.

    With `deleted` those that are deleted too, valid until they were. (Whatever else changes a
    script that has been in force is its end, so nothing more than the table has to be known of the
    past.) Raises ValueError naming a script whose source is damaged, and what the database raises.
    """
    s = models.Script
    sources = dict(known.sources) if known else {}
    found = []
    with db.session_for_read() as session:
        query = select(s.id, s.script_id, s.name, s.checksum, s.start, s.end, s.deleted)
        if not deleted:
            query = query.where(s.deleted.is_(None))
        rows = session.execute(query.order_by(s.id)).all()
        for id_, script_id, name, checksum, start, ends, gone in rows:
            end = min((date for date in (ends, gone) if date is not None), default=None)
            if end is not None and end <= start:
                continue
            key = f"{id_} {checksum} {name}"
            if key not in sources or len(checksum or "") != _CHECKSUM_LENGTH:
                code = _code(session, id_, name)
                # Old rows have checksums that need not have followed the source.
                key = f"{id_} {source.checksum(code)} {name}"
                sources[key] = Source(key, name, code)
            found.append(Script(key, id_, name, start, end, script_id))
    if known is not None and known.scripts == tuple(found):
        return known
    return Scripts(found, sources)


def _code(session: Session, id_: int, name: str) -> bytes:
    stored = session.execute(select(models.Script.data).where(models.Script.id == id_)).scalar_one()
    try:
        return source.unpack(stored)
    except ValueError as exc:
        raise ValueError(f"script '{name}': {exc}") from exc
