# SPDX-License-Identifier: Apache-2.0
"""Orders to reset scopes: rows that the API writes and the processor carries out (processor.md 8).

A scope that is reset to T counts as rated up to and including the period that begins at T; what was
stored of later periods is to be deleted. The API places orders (:func:`place`), old callers of the
RPC method ``reset_state`` do with :func:`place_by_name`. A processor asks for :func:`pending` ones
and, holding the scope's lock, carries each out in one transaction::

    def set_back(session):
        return reset.to if orders.carry_out(session, reset, origin) else None

    storage.rewind({reset.origin.scope_key: reset.scope_id}, set_back)

An order outlives a transaction that fails and is carried out again, which deletes nothing more.
Work on the scope that is under way meanwhile moves it by compare-and-set, and loses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from oslo_log import log
from sqlalchemy.orm import Session

from cloudkitty import timeutils
from cloudkitty.state import scope
from cloudkitty.state.models import IdentifierState, ScopeReset
from cloudkitty.state.scope import Move, Origin, ScopeState

LOG = log.getLogger(__name__)

_STATE = IdentifierState.__table__.c
_ORDER = ScopeReset.__table__.c


@dataclass(frozen=True, slots=True)
class Reset:
    """One order that nobody has carried out yet."""

    id: int
    #: The scope's row in the state table.
    state_id: int
    scope_id: str
    #: Where the scope comes from: `scope_key` is what its data are found by.
    origin: Origin
    #: Begin of the last period that is to count as rated; aware, UTC.
    to: dt.datetime
    #: What was asked for, which need not be the begin of a period.
    asked: dt.datetime


def place(session: Session, scopes: Iterable[ScopeState], to: dt.datetime) -> int:
    """Order `scopes` to be reset to `to`; gives the number of orders, one for each scope.

    Orders for one scope are carried out in the order in which they were placed.
    """
    created = timeutils.naive_utc(timeutils.utcnow())
    rows = [
        {
            "state_id": state.id,
            "identifier": state.scope_id,
            "last_processed_timestamp": timeutils.naive_utc(to),
            "created": created,
        }
        for state in scopes
    ]
    if rows:
        session.execute(sa.insert(ScopeReset), rows)
    return len(rows)


def place_by_name(
    session: Session,
    names: Iterable[tuple[str, Origin]],
    to: dt.datetime,
) -> int:
    """Order scopes to be reset that are given as (scope id, origin); gives the number of orders.

    A scope without a state gets one that says `to` (processor.md 8, step 3).
    """
    by_origin: dict[Origin, set[str]] = {}
    for scope_id, origin in names:
        by_origin.setdefault(origin, set()).add(scope_id)
    placed = 0
    for origin, ids in by_origin.items():
        moves = [Move(scope_id, None, timeutils.to_epoch(to)) for scope_id in ids]
        # Only those without a row have been nowhere.
        scope.advance(session, origin, moves)
        placed += place(session, scope.states_for(origin, ids, session).values(), to)
    return placed


def pending(origin: Origin, period: int, session: Session | None = None) -> list[Reset]:
    """Give the oldest order of every scope that has one, oldest first, whatever its origin.

    `origin` is the configured one, which scopes without an origin of their own count as. The
    periods of a scope keep their grid: a time between two begins of periods counts as the earlier
    one (processor.md 8). Scopes whose state is gone are left out.
    """
    oldest = sa.select(sa.func.min(_ORDER.id)).group_by(_ORDER.state_id)
    query = (
        sa.select(
            _ORDER.id,
            _ORDER.state_id,
            _ORDER.identifier,
            _ORDER.last_processed_timestamp.label("asked"),
            _STATE.last_processed_timestamp.label("last"),
            sa.func.coalesce(_STATE.scope_key, origin.scope_key).label("scope_key"),
            sa.func.coalesce(_STATE.fetcher, origin.fetcher).label("fetcher"),
            sa.func.coalesce(_STATE.collector, origin.collector).label("collector"),
        )
        .join(
            IdentifierState,
            # SQLite gives the id of a row that was deleted to another.
            sa.and_(_STATE.id == _ORDER.state_id, _STATE.identifier == _ORDER.identifier),
        )
        .where(_ORDER.id.in_(oldest))
        .order_by(_ORDER.id)
    )
    with scope.reading(session) as reader:
        return [_reset(row, period) for row in reader.execute(query)]


def carry_out(session: Session, reset: Reset, origin: Origin) -> bool:
    """Set the scope to `reset.to` and take the order away; gives whether it was still there.

    The rows stay locked until the session's transaction ends. `origin`, the configured one, is
    written down for a scope without.
    """
    taken: Any = session.execute(sa.delete(ScopeReset).where(_ORDER.id == reset.id))
    if not taken.rowcount:
        return False
    if reset.to != reset.asked:
        LOG.warning(
            "Scope %s is reset to %s: %s is not the begin of one of its periods",
            reset.scope_id,
            reset.to.isoformat(),
            reset.asked.isoformat(),
        )
    here = sa.and_(_STATE.id == reset.state_id, _STATE.identifier == reset.scope_id)
    session.execute(
        sa.update(IdentifierState)
        .where(here)
        .values(last_processed_timestamp=timeutils.naive_utc(reset.to))
        .execution_options(synchronize_session=False),
    )
    session.execute(
        sa.update(IdentifierState)
        .where(here, _STATE.scope_key.is_(None))
        .values(scope.origin_values(origin))
        .execution_options(synchronize_session=False),
    )
    return True


def _reset(row: Any, period: int) -> Reset:
    asked = timeutils.as_utc(row.asked)
    shift = (timeutils.to_epoch(asked) - timeutils.to_epoch(row.last)) % period
    return Reset(
        id=row.id,
        state_id=row.state_id,
        scope_id=row.identifier,
        origin=Origin(row.scope_key, row.fetcher, row.collector),
        to=asked - dt.timedelta(seconds=shift),
        asked=asked,
    )
