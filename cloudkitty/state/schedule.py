# SPDX-License-Identifier: Apache-2.0
"""Reprocessing schedules: wishes to rate periods of scopes again (contract processor.md 6).

The API makes them (:func:`create`); a processor works on :func:`unfinished` ones, oldest first,
period by period, and writes down how far it is with :func:`progress`, a compare-and-set, in the
transaction that replaces the period::

    begin = schedule.following(period)
    if begin is None:
        close(session, schedule)  # nothing is left
    else:
        ...                       # collect, rate; then, in one transaction:
        if not progress(session, schedule, begin):
            ...                   # somebody else has done it: roll back

Rows stay when they are finished: they are the history that clients are shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.state import scope
from cloudkitty.state.models import ReprocessingSchedule
from cloudkitty.state.scope import Origin, ScopeState

#: Periods are rated by the rules that were valid when they began, also by those deleted since.
VALID_THEN: Final = "valid_then"
#: Periods are rated as they would be for the first time now: deleted rules never were.
CURRENT: Final = "current"
#: Periods are rated by the very rules that they were rated by, as far as these are recorded.
AS_RATED: Final = "as_rated"
RULES: Final = (VALID_THEN, CURRENT, AS_RATED)

_COLUMN = ReprocessingSchedule.__table__.c
_UNFINISHED = sa.or_(
    _COLUMN.current_reprocess_time.is_(None),
    _COLUMN.current_reprocess_time < _COLUMN.end_reprocess_time,
)


@dataclass(frozen=True, slots=True)
class Window:
    """Periods that are to be rated again: the begins of the first and of the last, aware, UTC."""

    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """One row; the times are aware, UTC."""

    id: int
    scope_id: str
    window: Window
    #: Begin of the period that was rated again last; None before the first.
    current: dt.datetime | None
    reason: str
    #: By which rules, one of RULES.
    rules: str = VALID_THEN

    @property
    def finished(self) -> bool:
        """Whether every period has been rated again."""
        return self.current is not None and self.current >= self.window.end

    def following(self, period: int) -> dt.datetime | None:
        """Give the begin of the period to rate next; None when there is none left."""
        if self.current is None:
            return self.window.start
        following = self.current + dt.timedelta(seconds=period)
        return None if following > self.window.end else following

    def at(self, current: dt.datetime) -> Schedule:
        """Give the schedule as it is after :func:`progress` to `current`."""
        return replace(self, current=current)


class Refused(ValueError):  # noqa: N818 - says what happened, as its kinds do
    """A schedule cannot be made; nothing was written."""


class UnknownScopes(Refused):
    """Scopes do not exist, or are not active."""

    def __init__(self, scope_ids: Collection[str]) -> None:
        super().__init__(f"no such active scopes: {', '.join(scope_ids)}")
        self.scope_ids = list(scope_ids)


class OffGrid(Refused):
    """The window does not begin or end with a period; `nearest` does."""

    def __init__(self, nearest: Window) -> None:
        super().__init__("the window is not made of periods of the scope")
        self.nearest = nearest


class NotRatedYet(Refused):
    """The window begins (`bound` is ``start``) or ends (``end``) after what `scope` is rated to."""

    def __init__(self, state: ScopeState, bound: str) -> None:
        super().__init__(f"scope {state.scope_id} is not rated up to the {bound}")
        self.scope = state
        self.bound = bound


class Overlapping(Refused):
    """`scope` has an unfinished schedule, `other`, that the window meets."""

    def __init__(self, state: ScopeState, other: Schedule) -> None:
        super().__init__(f"scope {state.scope_id} has schedule {other.id} for a similar time")
        self.scope = state
        self.other = other


def list_schedules(
    session: Session | None = None,
    *,
    scope_ids: Collection[str] | None = None,
    newest_first: bool = True,
    offset: int = 0,
    limit: int | None = None,
) -> list[Schedule]:
    """Give schedules, finished ones too, in order of creation, of all scopes or of those given."""
    query = sa.select(ReprocessingSchedule.__table__).offset(offset).limit(limit)
    query = query.order_by(_COLUMN.id.desc() if newest_first else _COLUMN.id)
    if scope_ids is not None:
        query = query.where(_COLUMN.identifier.in_(list(scope_ids)))
    return _read(query, session)


def unfinished(
    session: Session | None = None,
    *,
    scope_ids: Collection[str] | None = None,
) -> list[Schedule]:
    """Give all schedules that have periods left, oldest first, of all scopes or of those given."""
    query = sa.select(ReprocessingSchedule.__table__).where(_UNFINISHED).order_by(_COLUMN.id)
    if scope_ids is None:
        return _read(query, session)
    with scope.reading(session) as reader:
        found = [
            schedule
            for chunk in scope.chunks(sorted(scope_ids))
            for schedule in _read(query.where(_COLUMN.identifier.in_(chunk)), reader)
        ]
    return sorted(found, key=lambda schedule: schedule.id)


@scope.retried
def create(
    origin: Origin,
    scope_ids: Collection[str] | None,
    window: Window,
    reason: str,
    period: int,
    *,
    rules: str = VALID_THEN,
    check: Callable[[Collection[str]], None] = lambda _scope_ids: None,
) -> int:
    """Make a schedule for each scope, or for none; gives how many. None: every active scope.

    `origin` is the configured one: it decides between scopes that share an id. Raises, in this
    order: OffGrid, UnknownScopes, NotRatedYet, Overlapping, and what `check` raises for the ids of
    the scopes. Whoever makes schedules for the same
    scopes at the same time waits, and then sees these.
    """
    with db.session_for_write() as session:
        scopes = scope.lock_active(session, origin, scope_ids)
        _check_grid(window, scopes.values(), period)
        unknown = [scope_id for scope_id in scope_ids or () if scope_id not in scopes]
        if unknown:
            raise UnknownScopes(unknown)
        _check_rated(window, scopes.values())
        _check_overlaps(session, window, scopes)
        check(list(scopes))
        rows = [
            {
                "identifier": state.scope_id,
                "start_reprocess_time": timeutils.naive_utc(window.start),
                "end_reprocess_time": timeutils.naive_utc(window.end),
                "reason": reason,
                "ck_rules": rules,
            }
            for state in scopes.values()
        ]
        if rows:
            session.execute(sa.insert(ReprocessingSchedule), rows)
        return len(rows)


def progress(session: Session, schedule: Schedule, to: dt.datetime) -> bool:
    """Write down that the period beginning at `to` is done, if the row is where `schedule` says.

    Gives whether it was. The row stays locked until the session's transaction ends.
    """
    current = _COLUMN.current_reprocess_time
    done: Any = session.execute(
        sa.update(ReprocessingSchedule)
        .where(
            _COLUMN.id == schedule.id,
            current.is_(None)
            if schedule.current is None
            else current == timeutils.naive_utc(schedule.current),
        )
        .values(current_reprocess_time=timeutils.naive_utc(to))
        .execution_options(synchronize_session=False),
    )
    return bool(done.rowcount)


def close(session: Session, schedule: Schedule) -> bool:
    """Finish a schedule whatever is left of it; gives whether nobody else has changed it."""
    return progress(session, schedule, schedule.window.end)


def _check_grid(window: Window, scopes: Collection[ScopeState], period: int) -> None:
    """Refuse a window off the periods of a scope; without any scope those of the epoch count."""
    start, end = timeutils.to_epoch(window.start), timeutils.to_epoch(window.end)
    shifts = sorted({timeutils.to_epoch(state.last_processed) % period for state in scopes})
    for shift in shifts or [0]:
        if (start - shift) % period or (end - shift) % period:
            first = start - (start - shift) % period
            last = end + (shift - end) % period
            raise OffGrid(Window(timeutils.from_epoch(first), timeutils.from_epoch(last)))


def _check_rated(window: Window, scopes: Iterable[ScopeState]) -> None:
    for state in scopes:
        if window.start > state.last_processed:
            raise NotRatedYet(state, "start")
        if window.end > state.last_processed:
            raise NotRatedYet(state, "end")


def _check_overlaps(session: Session, window: Window, scopes: Mapping[str, ScopeState]) -> None:
    """Refuse a window that has an instant in common with what is not finished."""
    query = sa.select(ReprocessingSchedule.__table__).where(
        _UNFINISHED,
        _COLUMN.start_reprocess_time <= timeutils.naive_utc(window.end),
        _COLUMN.end_reprocess_time >= timeutils.naive_utc(window.start),
    )
    for chunk in scope.chunks(sorted(scopes)):
        some = query.where(_COLUMN.identifier.in_(chunk)).order_by(_COLUMN.id).limit(1)
        for other in _read(some, session):
            raise Overlapping(scopes[other.scope_id], other)


def _read(query: sa.Select[Any], session: Session | None) -> list[Schedule]:
    with scope.reading(session) as reader:
        return [_schedule(row) for row in reader.execute(query)]


def _schedule(row: sa.Row[Any]) -> Schedule:
    current = row.current_reprocess_time
    return Schedule(
        id=row.id,
        scope_id=row.identifier,
        window=Window(
            timeutils.as_utc(row.start_reprocess_time),
            timeutils.as_utc(row.end_reprocess_time),
        ),
        current=None if current is None else timeutils.as_utc(current),
        reason=row.reason,
        # What was ordered when deleted rules were always ignored stays what was ordered.
        rules=row.ck_rules or CURRENT,
    )
