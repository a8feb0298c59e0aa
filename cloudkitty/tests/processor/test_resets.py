# SPDX-License-Identifier: Apache-2.0
"""Orders to reset scopes, carried out by workers (contract processor.md 8)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cloudkitty import db, timeutils
from cloudkitty.processor.resets import Attendant
from cloudkitty.state import orders
from cloudkitty.state.lease import Leases
from cloudkitty.state.scope import Origin, states_for
from cloudkitty.storage.v2.base import SetBack
from cloudkitty.tests.processor.rig import NEWEST, ORIGIN, Clock, P, Rig, lasts, seed, stored
from cloudkitty.usage import ScopeUsage


def order(scope: str, back: float, origin: Origin = ORIGIN) -> None:
    """Have a scope reset to so many periods before the newest."""
    with db.session_for_write() as session:
        to = timeutils.from_epoch(int(NEWEST - back * P))
        assert orders.place_by_name(session, [(scope, origin)], to) == 1


def kept(scope: str) -> list[int]:
    """Periods before the newest that have points."""
    return sorted((NEWEST - begin) // P for name, begin in stored() if name == scope)


def test_later_periods_go_and_are_rated_again(database: str) -> None:
    seed(["a", "b"], 40)
    rig = Rig(["a", "b"])
    rig.rounds()
    order("a", 30)
    assert rig.resets.run()
    assert lasts() == {"a": 30, "b": 0}
    # The period that the scope is reset to counts as rated, and is.
    assert kept("a") == list(range(30, 40))
    assert kept("b") == list(range(40))
    rig.rounds()
    assert lasts() == {"a": 0, "b": 0}
    assert kept("a") == list(range(40))
    assert not rig.resets.run()


def test_the_order_is_carried_out_once(database: str) -> None:
    seed(["a"], 20)
    Rig(["a"]).rounds()
    order("a", 10)
    rigs = [Rig(["a"], f"r{n}") for n in range(3)]
    done: list[bool] = []
    threads = [threading.Thread(target=lambda r=r: done.append(r.resets.run())) for r in rigs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done.count(True) == 1
    assert not orders.pending(ORIGIN, P)


def test_a_time_between_two_periods_counts_as_the_earlier_one(sqlite_database: str) -> None:
    seed(["a"], 20)
    rig = Rig(["a"])
    rig.rounds()
    order("a", 9.5)
    assert rig.resets.run()
    assert lasts() == {"a": 10}
    assert kept("a") == list(range(10, 20))


def test_a_scope_that_is_being_rated_is_waited_for(sqlite_database: str) -> None:
    seed(["a"], 20)
    rig = Rig(["a"])
    rig.rounds()
    other = Leases("other", 600, Clock())
    names = {rig.locks._name("a")}
    other.acquire(names)
    order("a", 10)
    assert not rig.resets.run()
    assert lasts() == {"a": 0}
    other.release(names)
    assert rig.resets.run()
    assert lasts() == {"a": 10}


def test_work_under_way_loses(database: str) -> None:
    seed(["a"], 5)
    rig = Rig(["a"])

    def interfere(_batch: Sequence[ScopeUsage]) -> None:
        rig.storage.before = lambda _batch: None
        order("a", 8)
        other = Rig(["a"], "other")
        other.reset_locks._leases.acquire = set  # type: ignore[method-assign, assignment]
        assert other.resets.run()

    rig.storage.before = interfere
    rig.worker.round()
    assert lasts() == {"a": 8}
    assert not stored()
    rig.rounds()
    assert kept("a") == list(range(8))


def test_an_inactive_scope_is_reset_too(sqlite_database: str) -> None:
    seed(["a"], 5, active=False)
    order("a", 7)
    rig = Rig([])
    assert rig.resets.run()
    assert lasts() == {"a": 7}


def test_a_scope_of_another_origin_keeps_its_own(sqlite_database: str) -> None:
    origin = Origin("tenant", "elsewhere", "gnocchi")
    order("z", 3, origin)
    order("z", 4, origin)
    rig = Rig([])
    while rig.resets.run():
        continue
    [state] = states_for(origin).values()
    assert (NEWEST - timeutils.to_epoch(state.last_processed)) // P == 4


def test_one_that_fails_does_not_stop_the_others(
    sqlite_database: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seed(["a", "b"], 5)
    rig = Rig([])
    rewind = rig.storage.rewind

    def refuse(filters: Mapping[str, Any], set_back: SetBack) -> bool:
        if filters["project_id"] == "a":
            raise OSError("the storage is gone")
        return rewind(filters, set_back)

    monkeypatch.setattr(rig.storage, "rewind", refuse)
    order("a", 7)
    order("b", 7)
    assert rig.resets.run()
    assert lasts() == {"a": 5, "b": 7}
    assert "the storage is gone" in caplog.text
    monkeypatch.undo()
    assert not rig.resets.run()
    rig.clock.now += 60
    assert rig.resets.run()
    assert lasts() == {"a": 7, "b": 7}


def test_orders_are_seen_and_the_worker_is_called(sqlite_database: str) -> None:
    seed(["a"], 0)
    rig = Rig(["a"])
    thread = threading.Thread(target=rig.worker.run)
    attendant = Attendant(rig.resets, rig.tools.notices, rig.worker.call)
    thread.start()
    attendant.start()

    def rated_again(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (orders.pending(ORIGIN, P) or lasts() != {"a": 0}) and time.monotonic() < deadline:
            time.sleep(0.02)
        return lasts() == {"a": 0} and not orders.pending(ORIGIN, P)

    try:
        time.sleep(0.5)
        order("a", 5)
        attendant.call()
        assert rated_again(1)
        order("a", 6)
        assert rated_again(10)
    finally:
        rig.stop.set()
        rig.worker.call()
        attendant.stop(10)
        thread.join(10)
    assert kept("a") == list(range(6))


def test_a_scope_is_reset_while_the_worker_waits_for_the_source(sqlite_database: str) -> None:
    seed(["a", "b"], 3)
    rig = Rig(["a"])
    release = threading.Event()
    rig.collector.before_first = lambda: release.wait(30)
    thread = threading.Thread(target=rig.worker.run)
    thread.start()
    try:
        while not rig.collector.asked:
            time.sleep(0.01)
        order("b", 9)
        assert rig.resets.run()
        assert lasts() == {"a": 3, "b": 9}
    finally:
        release.set()
        rig.stop.set()
        thread.join(10)
