# SPDX-License-Identifier: Apache-2.0
"""Ids of scopes and series: looked up once, made when new, remembered while they are used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.storage.v2.sqlalchemy import bulk, identity, labels, models
from cloudkitty.storage.v2.sqlalchemy.identity import ScopeName, SeriesInfo, loads
from cloudkitty.storage.v2.sqlalchemy.session import retried, writing
from cloudkitty.usage import Series

_T = TypeVar("_T")
_K = TypeVar("_K")
_V = TypeVar("_V")

_SCOPES: Final = models.Scope.__table__
_SERIES: Final = models.Series.__table__
_CHUNK: Final = 500
_CREATING: Final = "cloudkitty_storage_creating"
#: About 50 MB when full.
_REMEMBERED: Final = 200_000


class SeriesRef(NamedTuple):
    """A series that has an id, the id of its scope, and what its points are known by."""

    id: int
    scope_id: int
    identity: bytes


class Catalog:
    """Ids of scopes and series; safe for several threads.

    Only what is committed is remembered, and no id is ever given to another series, so what is
    remembered stays true.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._series = _Memory[bytes, SeriesRef](remembered)
        self._quick = _Memory[bytes, SeriesRef](remembered)
        self._scopes = _Memory[ScopeName, int](remembered)

    def scopes(self, names: Iterable[ScopeName]) -> dict[ScopeName, int]:
        """Give name -> id; scopes not seen before get a row."""
        found, missing = self._scopes.split(names)
        if missing:
            found |= self._missing_scopes(missing)
        return found

    def series(self, infos: Iterable[SeriesInfo]) -> dict[bytes, SeriesRef]:
        """Give digest -> reference; series not seen before get a row."""
        wanted = {info.digest: info for info in infos}
        found, missing = self._series.split(wanted)
        if missing:
            found |= self._missing_series([wanted[digest] for digest in missing])
        return found

    def references(self, found: Sequence[Series], scope_key: str) -> list[SeriesRef]:
        """Give the references of `found`, which are described only when they are new here.

        Raises ValueError for a series that cannot be stored.
        """
        keys = [identity.quick_key(one, scope_key) for one in found]
        refs: list[SeriesRef | None] = [self._quick.get(key) if key else None for key in keys]
        infos = {
            index: identity.describe(found[index], scope_key)
            for index, ref in enumerate(refs)
            if ref is None
        }
        if not infos:
            return cast("list[SeriesRef]", refs)
        by_digest = self.series(infos.values())
        learnt: dict[bytes, SeriesRef] = {}
        for index, info in infos.items():
            refs[index] = by_digest[info.digest]
            key = keys[index]
            # What this process does not remember may still be rolled back.
            if key and self._series.get(info.digest):
                learnt[key] = by_digest[info.digest]
        self._quick.keep(learnt)
        return cast("list[SeriesRef]", refs)

    def _missing_scopes(self, names: Collection[ScopeName]) -> dict[ScopeName, int]:
        with db.session_for_read() as session:
            found = _read_scopes(session, names)
            _when_stored(session, lambda: self._scopes.keep(found))
        if new := sorted(set(names) - found.keys()):
            return self._create_scopes(new) | found
        return found

    @retried
    def _create_scopes(self, names: Sequence[ScopeName]) -> dict[ScopeName, int]:
        with writing() as session:
            rows = [{"scope_key": key, "identifier": identifier} for key, identifier in names]
            session.info[_CREATING] = True
            bulk.insert_missing(session, _SCOPES, rows)
            found = _read_scopes(session, names)
            _when_stored(session, lambda: self._scopes.keep(found))
        return found

    def _missing_series(self, infos: Sequence[SeriesInfo]) -> dict[bytes, SeriesRef]:
        with db.session_for_read() as session:
            found = _read_series(session, [info.digest for info in infos])
            _when_stored(session, lambda: self._series.keep(found))
        new = [info for info in infos if info.digest not in found]
        if new:
            scopes = self.scopes({info.scope for info in new})
            # In order, so that two writers of the same series cannot wait for one another.
            found |= self._create_series(sorted(new, key=lambda info: info.digest), scopes)
        return found

    @retried
    def _create_series(
        self,
        infos: Sequence[SeriesInfo],
        scopes: dict[ScopeName, int],
    ) -> dict[bytes, SeriesRef]:
        with writing() as session:
            session.info[_CREATING] = True
            for some in chunks(infos, _CHUNK):
                bulk.insert_missing(session, _SERIES, [_row(info, scopes) for info in some])
            found = _read_series(session, [info.digest for info in infos])
            _when_stored(session, lambda: self._series.keep(found))
        return found


class _Memory(Generic[_K, _V]):
    """The last so many entries."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[_K, _V] = {}
        self._lock = threading.Lock()

    def get(self, key: _K) -> _V | None:
        """Give the entry of a key if it is remembered."""
        return self._entries.get(key)

    def split(self, keys: Iterable[_K]) -> tuple[dict[_K, _V], list[_K]]:
        """Give the entries of those keys that are remembered, and the other keys."""
        entries = self._entries
        found: dict[_K, _V] = {}
        missing: list[_K] = []
        for key in keys:
            value = entries.get(key)
            if value is None:
                missing.append(key)
            else:
                found[key] = value
        return found, missing

    def keep(self, entries: dict[_K, _V]) -> None:
        """Remember `entries`; the oldest are forgotten when there are too many."""
        with self._lock:
            self._entries.update(entries)
            surplus = len(self._entries) - self._size
            if surplus > 0:
                # A tenth at once, so that this is not done for every new entry from then on.
                for key in list(islice(self._entries, max(surplus, self._size // 10))):
                    del self._entries[key]


def chunks(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """Cut `items` into pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _read_scopes(session: Session, names: Collection[ScopeName]) -> dict[ScopeName, int]:
    by_key: dict[str, list[str]] = {}
    for key, identifier in names:
        by_key.setdefault(key, []).append(identifier)
    found: dict[ScopeName, int] = {}
    for key, identifiers in by_key.items():
        for some in chunks(identifiers, _CHUNK):
            query = sa.select(_SCOPES.c.identifier, _SCOPES.c.id).where(
                _SCOPES.c.scope_key == key,
                _SCOPES.c.identifier.in_(some),
            )
            found |= {(key, identifier): id_ for identifier, id_ in session.execute(query)}
    return found


def _read_series(session: Session, digests: Sequence[bytes]) -> dict[bytes, SeriesRef]:
    columns = (_SERIES.c.digest, _SERIES.c.id, _SERIES.c.scope_id, _SERIES.c.identity)
    found: dict[bytes, SeriesRef] = {}
    for some in chunks(digests, _CHUNK):
        query = sa.select(*columns).where(_SERIES.c.digest.in_(some))
        for digest, id_, scope_id, shared in session.execute(query):
            found[bytes(digest)] = SeriesRef(id_, scope_id, bytes(shared))
    return found


def _row(info: SeriesInfo, scopes: dict[ScopeName, int]) -> dict[str, Any]:
    return {
        "digest": info.digest,
        "identity": info.identity,
        "scope_id": scopes[info.scope],
        "metric": info.metric,
        "unit": info.unit,
        "groupby": info.groupby,
        "metadata": info.metadata,
        "labels": labels.encode(loads(info.groupby), loads(info.metadata)),
        "description": info.description,
        "calendar": info.calendar,
    }


def _when_stored(session: Session, function: Callable[[], None]) -> None:
    """Call `function` when the scopes and series that `session` sees are there for everybody.

    That is at once, unless it is the caller's transaction and has made some of them itself.
    """
    if session.info.get(_CREATING):
        event.listen(session, "after_commit", lambda _session: function(), once=True)
    else:
        function()
