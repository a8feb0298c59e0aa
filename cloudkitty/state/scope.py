# SPDX-License-Identifier: Apache-2.0
"""Scope states: how far each scope has been rated (contract processor.md 4.1, api.md 13.1).

A state row belongs to a scope id *and* an origin: the scope key, fetcher and collector that the
scope was found with. Rows of releases before 2019 have no origin; they count as those of the
configured one, and get it written down when they first move.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import api as db_api
from oslo_log import log
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.state.insert import insert_missing, taking_turns
from cloudkitty.state.models import IdentifierState

LOG = log.getLogger(__name__)
_T = TypeVar("_T")

_COLUMN: Final = IdentifierState.__table__.c
#: Number of values in one IN list.
_CHUNK: Final = 1000
#: Longest scope id that the table takes.
MAX_ID_LENGTH: Final = 256
#: Longest scope key, name of a fetcher and name of a collector.
MAX_NAME_LENGTH: Final = 40

#: Runs a whole transaction again after a deadlock.
retried: Final = db_api.wrap_db_retry(
    max_retries=5,
    retry_on_deadlock=True,
    inc_retry_interval=True,
    jitter=True,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where scopes come from."""

    scope_key: str
    fetcher: str
    collector: str

    @classmethod
    def configured(cls, conf: cfg.ConfigOpts) -> Origin:
        """Give the origin of every scope that a processor with this configuration rates."""
        return cls(conf.collect.scope_key, conf.fetcher.backend, conf.collect.collector)


@dataclass(frozen=True, slots=True)
class ScopeState:
    """One row of the state table; both times are aware, UTC."""

    id: int
    scope_id: str
    scope_key: str
    fetcher: str
    collector: str
    #: Begin of the last period rated.
    last_processed: dt.datetime
    active: bool
    #: When `active` last changed; when the row was made, if never.
    toggled: dt.datetime

    @property
    def origin(self) -> Origin:
        """Where the scope comes from."""
        return Origin(self.scope_key, self.fetcher, self.collector)


class ScopeExists(Exception):  # noqa: N818 - says what is, not what went wrong
    """There is a scope with this id already."""


class NoScope(LookupError):  # noqa: N818
    """There is no scope with this id."""


class SeveralScopes(LookupError):  # noqa: N818
    """Several scopes have this id, from different origins."""


@dataclass(frozen=True, slots=True)
class Move:
    """Moves one scope from the period `expected` (None: no row yet) to `to`; epoch seconds."""

    scope_id: str
    expected: int | None
    to: int


def list_scopes(
    conf: cfg.ConfigOpts,
    session: Session | None = None,
    *,
    scope_id: Collection[str] | None = None,
    scope_key: Collection[str] | None = None,
    fetcher: Collection[str] | None = None,
    collector: Collection[str] | None = None,
    active: Collection[bool] | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> list[ScopeState]:
    """Give the scopes that match every filter given, in order of creation.

    A filter is a collection of values, None for no condition; an empty one matches nothing. A
    missing origin is shown, and found, as the configured one (contract api.md D46).
    """
    origin = Origin.configured(conf)
    query = _select(origin).order_by(_COLUMN.id).offset(offset).limit(limit)
    for column, values in (
        (_COLUMN.identifier, scope_id),
        (sa.func.coalesce(_COLUMN.scope_key, origin.scope_key), scope_key),
        (sa.func.coalesce(_COLUMN.fetcher, origin.fetcher), fetcher),
        (sa.func.coalesce(_COLUMN.collector, origin.collector), collector),
        (_COLUMN.active, active),
    ):
        if values is not None:
            query = query.where(column.in_(list(values)))
    with reading(session) as reader:
        return [_state(row) for row in reader.execute(query)]


def states_for(
    origin: Origin,
    scope_ids: Collection[str] | None = None,
    session: Session | None = None,
) -> dict[str, ScopeState]:
    """Give scope id -> state of the scopes of one origin: all of them, or those asked for.

    One statement for all, one per thousand asked for.
    """
    query = _select(origin).where(_of(origin)).order_by(_COLUMN.id)
    with reading(session) as reader:
        if scope_ids is None:
            rows = list(reader.execute(query))
        else:
            rows = [
                row
                for chunk in chunks(sorted(scope_ids))
                for row in reader.execute(query.where(_COLUMN.identifier.in_(chunk)))
            ]
    return {row.identifier: _state(row) for row in _best(rows).values()}


def advance(session: Session, origin: Origin, moves: Sequence[Move]) -> set[str]:
    """Move scopes on, each only if it still is where `Move.expected` says and is active.

    Gives the ids of those moved. Their rows stay locked until the session's transaction ends, so
    that whatever else it writes belongs to the move. A few statements for all scopes, and one for
    each scope that has no row yet.
    """
    ids = sorted(move.scope_id for move in moves)
    query = _select(origin).where(_of(origin)).order_by(_COLUMN.id).with_for_update()
    rows = _best(
        [
            row
            for chunk in chunks(ids)
            for row in session.execute(query.where(_COLUMN.identifier.in_(chunk)))
        ],
    )
    moved: set[str] = set()
    targets: dict[tuple[int, bool], list[int]] = {}
    # One order for everybody: those who insert the same scopes must not wait for one another.
    for move in sorted(moves, key=lambda move: move.scope_id):
        row = rows.get(move.scope_id)
        if row is None:
            if move.expected is None and _insert(session, origin, move):
                moved.add(move.scope_id)
        elif row.active and timeutils.to_epoch(row.last_processed_timestamp) == move.expected:
            targets.setdefault((move.to, _orphan(row)), []).append(row.id)
            moved.add(move.scope_id)
            if _orphan(row):
                LOG.info('Updating identifier "%s" with %s', row.identifier, origin)
    for (to, orphan), row_ids in targets.items():
        values: dict[str, Any] = {"last_processed_timestamp": _naive(to)}
        if orphan:
            values |= origin_values(origin)
        for some in chunks(row_ids):
            session.execute(sa.update(IdentifierState).where(_COLUMN.id.in_(some)).values(values))
    return moved


@retried
def create(
    conf: cfg.ConfigOpts,
    scope_id: str,
    last_processed: dt.datetime,
    *,
    active: bool = True,
    **names: str,
) -> ScopeState:
    """Make the state of a scope; `names` are those of its origin that differ from the configured.

    Raises ScopeExists when any scope has this id, active or not. Of several callers at the same
    time one succeeds: the table's key would let each have the id with an origin of its own.
    """
    configured = Origin.configured(conf)
    values = {
        "identifier": scope_id,
        **origin_values(configured),
        **names,
        "last_processed_timestamp": timeutils.naive_utc(last_processed),
        "scope_activation_toggle_date": timeutils.naive_utc(timeutils.utcnow()),
        "active": active,
    }
    query = _select(configured).where(_COLUMN.identifier == scope_id)
    with db.session_for_write() as session, taking_turns(session, f"create scope {scope_id}"):
        if session.execute(query).first() or not insert_missing(session, IdentifierState, [values]):
            raise ScopeExists(scope_id)
        return _state(session.execute(query).one())


@retried
def change(
    conf: cfg.ConfigOpts,
    scope_id: str,
    *,
    active: bool | None = None,
    **names: str,
) -> ScopeState:
    """Switch a scope on or off, give it other `names` of its origin; what is left out stays.

    Gives the state as it is then. Raises NoScope, SeveralScopes.
    """
    configured = Origin.configured(conf)
    query = _select(configured).where(_COLUMN.identifier == scope_id)
    with db.session_for_write() as session:
        rows = session.execute(query.with_for_update()).all()
        if not rows:
            raise NoScope(scope_id)
        if len(rows) > 1:
            raise SeveralScopes(scope_id)
        values: dict[str, Any] = dict(names)
        if names and _orphan(rows[0]):
            values = {**origin_values(configured), **names}
        if active is not None and active != bool(rows[0].active):
            values["active"] = active
            values["scope_activation_toggle_date"] = timeutils.naive_utc(timeutils.utcnow())
        if values:
            session.execute(
                sa.update(IdentifierState).where(_COLUMN.id == rows[0].id).values(values)
            )
        return _state(session.execute(query).one())


def lock_active(
    session: Session,
    origin: Origin,
    scope_ids: Collection[str] | None = None,
) -> dict[str, ScopeState]:
    """Give scope id -> state of active scopes of any origin: all of them, or those asked for.

    Their rows stay locked until the session's transaction ends. Of several rows with one id, one of
    `origin`, the configured one, goes before others, then the oldest.
    """
    query = _select(origin).where(_COLUMN.active).order_by(_COLUMN.id).with_for_update()
    found: dict[str, ScopeState] = {}
    for chunk in [None] if scope_ids is None else chunks(sorted(set(scope_ids))):
        some = query if chunk is None else query.where(_COLUMN.identifier.in_(chunk))
        for state in map(_state, session.execute(some)):
            known = found.get(state.scope_id)
            if known is None or (state.origin == origin != known.origin):
                found[state.scope_id] = state
    return found


def _insert(session: Session, origin: Origin, move: Move) -> bool:
    """Insert the first state of a scope; False when somebody else just did."""
    values = {
        "identifier": move.scope_id,
        **origin_values(origin),
        "last_processed_timestamp": _naive(move.to),
        "scope_activation_toggle_date": timeutils.naive_utc(timeutils.utcnow()),
        "active": True,
    }
    return insert_missing(session, IdentifierState, [values]) == 1


def _select(origin: Origin) -> sa.Select[Any]:
    return sa.select(
        _COLUMN.id,
        _COLUMN.identifier,
        sa.func.coalesce(_COLUMN.scope_key, origin.scope_key).label("scope_key"),
        sa.func.coalesce(_COLUMN.fetcher, origin.fetcher).label("fetcher"),
        sa.func.coalesce(_COLUMN.collector, origin.collector).label("collector"),
        _COLUMN.scope_key.label("own_scope_key"),
        _COLUMN.last_processed_timestamp,
        _COLUMN.active,
        _COLUMN.scope_activation_toggle_date,
    )


def _of(origin: Origin) -> sa.ColumnElement[bool]:
    own = sa.and_(*(_COLUMN[name] == value for name, value in origin_values(origin).items()))
    none = sa.and_(*(_COLUMN[name].is_(None) for name in origin_values(origin)))
    return sa.or_(own, none)


def _best(rows: Sequence[sa.Row[Any]]) -> dict[str, sa.Row[Any]]:
    """Give identifier -> row; a row with an origin goes before one without."""
    found: dict[str, sa.Row[Any]] = {}
    for row in rows:
        known = found.get(row.identifier)
        if known is None or (_orphan(known) and not _orphan(row)):
            found[row.identifier] = row
    return found


def _orphan(row: sa.Row[Any]) -> bool:
    return row.own_scope_key is None


def _state(row: sa.Row[Any]) -> ScopeState:
    return ScopeState(
        id=row.id,
        scope_id=row.identifier,
        scope_key=row.scope_key,
        fetcher=row.fetcher,
        collector=row.collector,
        last_processed=timeutils.as_utc(row.last_processed_timestamp),
        active=bool(row.active),
        toggled=timeutils.as_utc(row.scope_activation_toggle_date),
    )


def origin_values(origin: Origin) -> dict[str, str]:
    """Give the columns that hold the origin of a scope."""
    return {
        "scope_key": origin.scope_key,
        "fetcher": origin.fetcher,
        "collector": origin.collector,
    }


def _naive(epoch: int) -> dt.datetime:
    return timeutils.naive_utc(timeutils.from_epoch(epoch))


def chunks(values: Sequence[_T]) -> Iterator[list[_T]]:
    """Cut `values` into lists short enough for one IN list."""
    rest = iter(values)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


@contextmanager
def reading(session: Session | None) -> Iterator[Session]:
    """Yield `session`, or one of our own for reading when there is none."""
    if session is not None:
        yield session
        return
    with db.session_for_read() as own:
        yield own
