# SPDX-License-Identifier: Apache-2.0
"""Simulations: orders to rate stored usage by a draft of rules, and what became of them.

The API places an order (:func:`place`). A processor takes the oldest that nobody works on
(:func:`claim`), says now and then that it goes on and how far it is (:func:`keep`), and writes the
result down (:func:`finish`) or why there is none (:func:`fail`). Whoever deletes an order thereby
calls the work off: `keep` and `finish` say so. Work of a process that is no more is taken over, a
few times: what no process survives must not go on for ever.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.state.insert import taking_turns
from cloudkitty.state.lease import is_gone
from cloudkitty.state.models import Simulation, SimulationRow
from cloudkitty.state.scope import chunks, retried

QUEUED: Final = "queued"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
#: What there is still something to do about.
UNFINISHED: Final = (QUEUED, RUNNING)

#: How many processes may end while they work on one simulation.
MOST_ATTEMPTS: Final = 3
#: Progress is stored in parts of this.
_WHOLE: Final = 1000
_ROWS_AT_ONCE: Final = 1000

_ORDER: Final = Simulation.__table__.c
_ROW: Final = SimulationRow.__table__.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: usage that begins in [first, stop), epoch seconds, and how it is shown.

    `groupby` and `filters` (name -> values) are those of a summary; `rules` is the text of a
    document.
    """

    first: int
    stop: int
    groupby: Sequence[str] = ()
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rules: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A simulation as it is; times are epoch seconds. The question's rules may be left out."""

    id: int
    simulation_id: str
    question: Question
    created: int
    user_id: str | None
    project_id: str | None
    status: str
    #: From 0 to 1.
    progress: float
    started: int | None
    finished: int | None
    error: str | None
    #: What was found, but for the rows; None until it is done.
    answer: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Row:
    """What a group has: its values in the order of the question, and the begin of its period."""

    values: tuple[str, ...]
    bucket: int | None
    points: int
    qty: Decimal
    current: Decimal
    simulated: Decimal


class TooMany(Exception):  # noqa: N818 - says what is, not what went wrong
    """So many simulations wait that no more are taken."""


@retried
def place(
    question: Question,
    most: int,
    user_id: str | None = None,
    project_id: str | None = None,
) -> str:
    """Order a simulation; gives its id.

    No more than `most` are kept: the oldest that are finished go. Raises TooMany when they are
    all unfinished.
    """
    simulation_id = str(uuid.uuid4())
    with db.session_for_write() as session, taking_turns(session, "simulations"):
        listed = sa.select(_ORDER.id, _ORDER.status).order_by(_ORDER.id)
        known = session.execute(listed).all()
        surplus = len(known) + 1 - most
        finished = [id_ for id_, status in known if status not in UNFINISHED]
        if surplus > len(finished):
            raise TooMany
        if surplus > 0:
            _delete(session, finished[:surplus])
        session.execute(
            sa.insert(Simulation).values(
                simulation_id=simulation_id,
                created=_now(),
                user_id=user_id,
                project_id=project_id,
                description=question.description,
                first=question.first,
                stop=question.stop,
                question=json.dumps(
                    {
                        "groupby": list(question.groupby),
                        "filters": {name: list(v) for name, v in question.filters.items()},
                    },
                ),
                rules=zlib.compress(question.rules.encode()),
                status=QUEUED,
                progress=0,
                attempts=0,
            ),
        )
    return simulation_id


def listed(offset: int = 0, limit: int | None = None) -> tuple[int, list[State]]:
    """Give the number of simulations, and a page of them, newest first, without rules."""
    with db.session_for_read() as session:
        total = session.scalar(sa.select(sa.func.count()).select_from(Simulation)) or 0
        query = _states().order_by(_ORDER.id.desc()).offset(offset).limit(limit)
        return total, [_state(row) for row in session.execute(query)]


def get(simulation_id: str, *, rules: bool = False) -> State | None:
    """Give a simulation, with its rules if they are asked for; None when there is none."""
    with db.session_for_read() as session:
        found = session.execute(_states(rules=rules).where(_ORDER.simulation_id == simulation_id))
        row = found.one_or_none()
        return None if row is None else _state(row)


def rows(
    id_: int, offset: int, limit: int, *, by_difference: bool = False
) -> tuple[int, list[Row]]:
    """Give the number of a simulation's groups and a page of them.

    They come in the order of their values, or those first whose price changes most.
    """
    of_it = _ROW.simulation == id_
    order = _ROW.rank if by_difference else _ROW.number
    columns = (_ROW.group_values, _ROW.bucket, _ROW.points, _ROW.qty, _ROW.current, _ROW.simulated)
    query = sa.select(*columns).where(of_it).order_by(order).offset(offset).limit(limit)
    with db.session_for_read() as session:
        total = session.scalar(sa.select(sa.func.count()).select_from(SimulationRow).where(of_it))
        found = session.execute(query).all()
    return total or 0, [Row(tuple(json.loads(values)), *rest) for values, *rest in found]


@retried
def delete(simulation_id: str) -> bool:
    """Delete a simulation, whatever it is at; gives whether there was one."""
    with db.session_for_write() as session:
        query = sa.select(_ORDER.id).where(_ORDER.simulation_id == simulation_id)
        found = session.scalars(query).all()
        _delete(session, found)
    return bool(found)


@retried
def claim(owner: str, seconds: int) -> State | None:
    """Take the oldest simulation that nobody works on; None when there is none.

    It is kept for `owner` for so long, or until he says that he goes on. What too many processes
    did not survive is given up.
    """
    with db.session_for_write() as session:
        for id_, status, attempts, holder in session.execute(_waiting()).all():
            # What was the owner's own, he has dropped.
            if status == RUNNING and holder != owner and not _is_free(session, id_, holder):
                continue
            mine = _ORDER.id == id_, _ORDER.status == status, _ORDER.attempts == attempts
            if attempts >= MOST_ATTEMPTS:
                reason = f"given up: {attempts} processes ended while they worked on it"
                _update(session, *mine, status=FAILED, error=reason, finished=_now(), owner=None)
                continue
            if _update(
                session,
                *mine,
                status=RUNNING,
                owner=owner,
                leased_until=_now() + seconds,
                attempts=attempts + 1,
                started=_now(),
                progress=0,
            ):
                query = _states(rules=True).where(_ORDER.id == id_)
                return _state(session.execute(query).one())
    return None


@retried
def keep(id_: int, owner: str, progress: float, seconds: int) -> bool:
    """Say that `owner` goes on, and how far he is; False when it is not his work any more."""
    with db.session_for_write() as session:
        return _update(
            session,
            *_held(id_, owner),
            progress=min(_WHOLE, max(0, int(progress * _WHOLE))),
            leased_until=_now() + seconds,
        )


@retried
def finish(id_: int, owner: str, answer: Mapping[str, Any], found: Sequence[Row]) -> bool:
    """Write a result down, its rows in order; False when it is not the owner's work any more."""
    ranks = {
        number: rank
        for rank, number in enumerate(
            sorted(
                range(len(found)),
                key=lambda number: (-abs(found[number].simulated - found[number].current), number),
            ),
        )
    }
    with db.session_for_write() as session:
        if not _update(
            session,
            *_held(id_, owner),
            status=DONE,
            progress=_WHOLE,
            finished=_now(),
            answer=json.dumps(answer),
            owner=None,
            leased_until=None,
        ):
            return False
        for some in _batches(enumerate(found)):
            values = [
                {
                    "simulation": id_,
                    "number": number,
                    "rank": ranks[number],
                    "group_values": json.dumps(row.values),
                    "bucket": row.bucket,
                    "points": row.points,
                    "qty": row.qty,
                    "current": row.current,
                    "simulated": row.simulated,
                }
                for number, row in some
            ]
            session.execute(sa.insert(SimulationRow), values)
    return True


@retried
def fail(id_: int, owner: str, reason: str) -> None:
    """Write down why there is no result, unless it is not the owner's work any more."""
    with db.session_for_write() as session:
        _update(
            session,
            *_held(id_, owner),
            status=FAILED,
            error=reason,
            finished=_now(),
            owner=None,
            leased_until=None,
        )


@retried
def give_back(id_: int, owner: str) -> None:
    """Let others begin it again: the owner has to stop for a reason that is not its fault."""
    with db.session_for_write() as session:
        _update(
            session,
            *_held(id_, owner),
            status=QUEUED,
            progress=0,
            attempts=0,
            started=None,
            owner=None,
            leased_until=None,
        )


@retried
def forget(before: int) -> int:
    """Delete what was finished before a time, epoch seconds; gives how many."""
    with db.session_for_write() as session:
        query = sa.select(_ORDER.id).where(
            _ORDER.status.not_in(UNFINISHED), _ORDER.finished < before
        )
        found = session.scalars(query).all()
        _delete(session, found)
    return len(found)


def _waiting() -> sa.Select[Any]:
    return (
        sa.select(_ORDER.id, _ORDER.status, _ORDER.attempts, _ORDER.owner)
        .where(_ORDER.status.in_(UNFINISHED))
        .order_by(_ORDER.id)
    )


def _is_free(session: Session, id_: int, holder: str | None) -> bool:
    """Whether the time of who works on it is over, or his process."""
    if holder is not None and is_gone(holder):
        return True
    until = session.scalar(sa.select(_ORDER.leased_until).where(_ORDER.id == id_))
    return until is not None and until <= _now()


def _held(id_: int, owner: str) -> tuple[Any, ...]:
    return _ORDER.id == id_, _ORDER.owner == owner, _ORDER.status == RUNNING


def _update(session: Session, *conditions: Any, **values: Any) -> bool:
    done: Any = session.execute(
        sa.update(Simulation)
        .where(*conditions)
        .values(**values)
        .execution_options(synchronize_session=False),
    )
    return bool(done.rowcount)


def _delete(session: Session, ids: Iterable[int]) -> None:
    for some in chunks(sorted(ids)):
        for condition, model in (
            (_ROW.simulation.in_(some), SimulationRow),
            (_ORDER.id.in_(some), Simulation),
        ):
            session.execute(
                sa.delete(model).where(condition).execution_options(synchronize_session=False),
            )


def _states(*, rules: bool = False) -> sa.Select[Any]:
    """Give the statement that reads states; their rules are long, so only if they are wanted."""
    text = _ORDER.rules if rules else sa.null().label("rules")
    others = (column for column in _ORDER if column.name != "rules")
    return sa.select(*others, text)


def _state(row: Any) -> State:
    asked = json.loads(row.question)
    return State(
        id=row.id,
        simulation_id=row.simulation_id,
        question=Question(
            first=row.first,
            stop=row.stop,
            groupby=asked["groupby"],
            filters=asked["filters"],
            rules="" if row.rules is None else zlib.decompress(row.rules).decode(),
            description=row.description,
        ),
        created=row.created,
        user_id=row.user_id,
        project_id=row.project_id,
        status=row.status,
        progress=row.progress / _WHOLE,
        started=row.started,
        finished=row.finished,
        error=row.error,
        answer=None if row.answer is None else json.loads(row.answer),
    )


def _batches(items: Iterable[tuple[int, Row]]) -> Iterator[list[tuple[int, Row]]]:
    iterator = iter(items)
    while some := list(islice(iterator, _ROWS_AT_ONCE)):
        yield some


def _now() -> int:
    return timeutils.to_epoch(timeutils.utcnow())
