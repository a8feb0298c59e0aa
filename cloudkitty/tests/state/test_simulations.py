# SPDX-License-Identifier: Apache-2.0
"""Orders to simulate: placed, taken by one, kept, taken over, given up, forgotten."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.state import lease, simulations
from cloudkitty.state.models import SimulationRow
from cloudkitty.state.simulations import Question, Row

QUESTION = Question(
    first=10,
    stop=20,
    groupby=["type"],
    filters={"é": ["a", ""]},
    rules="hashmap: {}  # ü\n",
    description="☃",
)
ROWS = [
    Row(("a",), None, 1, Decimal("1.5"), Decimal("0.1"), Decimal("0.2")),
    Row(("b",), 3600, 2, Decimal(7), Decimal(9), Decimal("1E-28")),
    Row(("é",), None, 3, Decimal(0), Decimal(5), Decimal(5)),
]


def place(most: int = 100) -> str:
    return simulations.place(QUESTION, most, "u", "p")


def test_from_order_to_result(database: str) -> None:
    id_ = place()
    state = simulations.get(id_, rules=True)
    assert state is not None
    assert (state.status, state.progress, state.question) == ("queued", 0, QUESTION)
    assert (state.user_id, state.project_id) == ("u", "p")

    taken = simulations.claim("me", 60)
    assert taken is not None
    assert taken.question == QUESTION
    assert simulations.claim("you", 60) is None
    assert simulations.keep(taken.id, "me", 0.25, 60)
    assert not simulations.keep(taken.id, "you", 0.5, 60)
    state = simulations.get(id_)
    assert state is not None
    assert (state.status, state.progress, state.question.rules) == ("running", 0.25, "")

    assert not simulations.finish(taken.id, "you", {}, [])
    assert simulations.finish(taken.id, "me", {"points": 6}, ROWS)
    state = simulations.get(id_)
    assert state is not None
    assert (state.status, state.progress, state.answer) == ("done", 1, {"points": 6})
    assert simulations.rows(state.id, 0, 10) == (3, ROWS)
    assert simulations.rows(state.id, 1, 1) == (3, ROWS[1:2])
    order = [ROWS[1], ROWS[0], ROWS[2]]
    assert simulations.rows(state.id, 0, 10, by_difference=True) == (3, order)
    assert simulations.claim("you", 60) is None

    assert simulations.delete(id_)
    assert not simulations.delete(id_)
    assert simulations.get(id_) is None
    with db.session_for_read() as session:
        assert not session.scalar(sa.select(sa.func.count()).select_from(SimulationRow))


def test_each_is_taken_by_one(database: str) -> None:
    ids = {place() for _ in range(3)}
    got: list[str] = []

    def take(name: str) -> None:
        for number in range(2):
            state = simulations.claim(f"{name}-{number}", 60)
            got.extend([state.simulation_id] if state else [])

    threads = [threading.Thread(target=take, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(ids)


def test_taken_over_when_the_time_is_over(sqlite_database: str) -> None:
    place()
    first = simulations.claim("me", 60)
    assert first is not None
    assert simulations.claim("you", 60) is None
    assert simulations.keep(first.id, "me", 0.5, -1)
    second = simulations.claim("you", 60)
    assert second is not None
    assert (second.id, second.progress) == (first.id, 0)
    assert not simulations.keep(first.id, "me", 0.6, 60)
    assert not simulations.finish(first.id, "me", {}, ROWS)
    # What is one's own and was dropped can be taken at once.
    assert simulations.claim("you", 60) is not None


def test_taken_over_at_once_when_the_process_is_gone(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place()
    owner = lease.new_owner()
    assert simulations.claim(owner, 600) is not None
    assert simulations.claim("you", 600) is None
    monkeypatch.setattr(lease, "_started", lambda _pid: None)
    assert simulations.claim("you", 600) is not None


def test_what_no_process_survives_is_given_up(sqlite_database: str) -> None:
    id_ = place()
    for number in range(simulations.MOST_ATTEMPTS):
        assert simulations.claim(f"w{number}", -1) is not None
    assert simulations.claim("last", 60) is None
    state = simulations.get(id_)
    assert state is not None
    assert state.status == "failed"
    assert "3 processes ended" in (state.error or "")


def test_given_back_it_is_no_attempt(sqlite_database: str) -> None:
    id_ = place()
    for _ in range(5):
        taken = simulations.claim("me", 60)
        assert taken is not None
        simulations.give_back(taken.id, "me")
    state = simulations.get(id_)
    assert state is not None
    assert (state.status, state.started) == ("queued", None)


def test_no_more_than_so_many_are_kept(database: str) -> None:
    first, second = place(2), place(2)
    with pytest.raises(simulations.TooMany):
        place(2)
    taken = simulations.claim("me", 60)
    assert taken is not None
    simulations.fail(taken.id, "me", "because")
    state = simulations.get(first)
    assert state is not None
    assert (state.status, state.error) == ("failed", "because")
    third = place(2)
    total, listed = simulations.listed()
    assert (total, [one.simulation_id for one in listed]) == (2, [third, second])
    assert [one.simulation_id for one in simulations.listed(1, 5)[1]] == [second]


def test_what_is_old_is_forgotten(sqlite_database: str) -> None:
    place()
    taken = simulations.claim("me", 60)
    assert taken is not None
    simulations.finish(taken.id, "me", {}, ROWS)
    waiting = place()
    assert simulations.forget(int(time.time()) - 100) == 0
    assert simulations.forget(int(time.time()) + 100) == 1
    assert [one.simulation_id for one in simulations.listed()[1]] == [waiting]
