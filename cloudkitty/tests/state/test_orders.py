# SPDX-License-Identifier: Apache-2.0
"""Orders to reset scopes: placed in a transaction, carried out once, one after the other."""

from __future__ import annotations

import threading

import pytest

from cloudkitty import db, timeutils
from cloudkitty.state import orders, scope
from cloudkitty.state.models import IdentifierState
from cloudkitty.tests.state.test_scope import ORIGIN, OTHER, P, T, add, last, move


def at(epoch):
    return timeutils.from_epoch(epoch)


def place(epoch, *names):
    states = scope.states_for(ORIGIN, names)
    with db.session_for_write() as session:
        return orders.place(session, [states[name] for name in names], at(epoch))


def pending():
    return orders.pending(ORIGIN, P)


def carry_out(reset):
    with db.session_for_write() as session:
        return orders.carry_out(session, reset, ORIGIN)


def failing(step):
    """Run a step in a transaction that fails after it."""

    def run():
        with db.session_for_write() as session:
            assert step(session)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run()


def test_an_order_is_carried_out_once(database):
    add("a")
    add("b")
    assert place(T - 5 * P, "a") == 1

    (reset,) = pending()

    assert (reset.scope_id, reset.origin, reset.to) == ("a", ORIGIN, at(T - 5 * P))
    assert last("a") == T
    assert carry_out(reset) is True
    assert (last("a"), last("b")) == (T - 5 * P, T)
    assert pending() == []
    assert move(scope.Move("a", T - 5 * P, T)) == {"a"}
    assert carry_out(reset) is False
    assert last("a") == T


def test_nothing_is_ordered_when_the_transaction_fails(database):
    add("a")
    states = scope.states_for(ORIGIN).values()
    failing(lambda session: orders.place(session, states, at(T - P)))

    assert pending() == []


def test_an_order_stays_when_carrying_it_out_fails(database):
    add("a")
    place(T - P, "a")
    (reset,) = pending()
    failing(lambda session: orders.carry_out(session, reset, ORIGIN))

    assert pending() == [reset]
    assert last("a") == T


def test_those_of_one_scope_go_one_after_the_other(database):
    add("a")
    add("b")
    place(T - 9 * P, "a")
    place(T - 2 * P, "a", "b")

    assert [(reset.scope_id, reset.to) for reset in pending()] == [
        ("a", at(T - 9 * P)),
        ("b", at(T - 2 * P)),
    ]
    for reset in pending():
        assert carry_out(reset)
    (reset,) = pending()
    assert (reset.scope_id, reset.to) == ("a", at(T - 2 * P))
    assert carry_out(reset)
    assert (last("a"), last("b")) == (T - 2 * P, T - 2 * P)


@pytest.mark.parametrize(
    ("asked", "to"),
    [(T - P, T - P), (T - P + 1, T - P), (T - 1, T - P), (T + 3 * P, T + 3 * P)],
)
def test_a_scope_keeps_its_grid(database, asked, to):
    add("a")
    place(asked, "a")

    (reset,) = pending()

    assert (reset.to, reset.asked) == (at(to), at(asked))


def test_a_scope_without_origin_gets_it(database):
    add("a", origin=None)
    place(T - P, "a")

    (reset,) = pending()

    assert reset.origin == ORIGIN
    assert carry_out(reset)
    with db.session_for_read() as session:
        assert session.query(IdentifierState).one().fetcher == "source"


def test_the_origin_may_change_meanwhile(database, conf):
    add("a")
    place(T - P, "a")
    scope.change(conf.conf, "a", collector="other")

    (reset,) = pending()

    assert reset.origin.collector == "other"
    assert carry_out(reset)
    (state,) = scope.list_scopes(conf.conf)
    assert (state.collector, state.last_processed) == ("other", at(T - P))


def test_a_scope_that_is_gone(database):
    add("a")
    place(T - P, "a")
    with db.session_for_write() as session:
        session.query(IdentifierState).delete()
    # SQLite gives it the same id.
    add("b")

    assert pending() == []
    assert last("b") == T


def test_by_name_states_that_are_missing_are_made(database):
    add("a")
    add("c", origin=OTHER)
    with db.session_for_write() as session:
        names = [("a", ORIGIN), ("b", ORIGIN), ("c", OTHER), ("c", OTHER)]
        assert orders.place_by_name(session, names, at(T - P)) == 3

    assert (last("a"), last("b"), last("c", OTHER)) == (T, T - P, T)
    for reset in pending():
        assert carry_out(reset)
    assert (last("a"), last("b"), last("c", OTHER)) == (T - P, T - P, T - P)


def test_many_scopes(database):
    names = [f"s{n:04}" for n in range(1500)]
    move(*(scope.Move(name, None, T) for name in names))

    assert place(T - P, *names) == 1500
    assert len(pending()) == 1500


def test_only_one_of_many_carries_it_out(database):
    names = [f"s{n}" for n in range(10)]
    for name in names:
        add(name)
    place(T - P, *names)
    found = pending()
    done = []
    barrier = threading.Barrier(4)

    def run():
        barrier.wait()
        done.extend(reset.scope_id for reset in found if carry_out(reset))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == names
