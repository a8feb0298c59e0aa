# SPDX-License-Identifier: Apache-2.0
"""Workers against a real database: who gets what done, and what failures keep from whom."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exc

from cloudkitty import db, timeutils
from cloudkitty.processor import skip
from cloudkitty.state.lease import Leases
from cloudkitty.state.models import IdentifierState
from cloudkitty.state.scope import Move, advance
from cloudkitty.tests.processor.rig import NEWEST, ORIGIN, Clock, P, Rig, lasts, seed, stored
from cloudkitty.usage import ScopeUsage


def test_catching_up(database: str) -> None:
    seed(["a", "b"], 30)
    seed(["c"], 1)
    rig = Rig(["a", "b", "c"])
    # The next period becomes due in an hour, but new scopes are looked for before that.
    assert 0 < rig.rounds() <= 60
    assert lasts() == {"a": 0, "b": 0, "c": 0}
    periods = Counter(scope for scope, _begin in stored())
    assert periods == {"a": 30, "b": 30, "c": 1}
    assert set(stored().values()) == {4}
    # Two slices of a and b, one of c; two metrics.
    assert len(rig.collector.asked) == 6


def test_a_new_scope_is_caught_up_from_the_start_of_the_month(database: str) -> None:
    rig = Rig(["new"])
    rig.rounds()
    assert lasts() == {"new": 0}
    assert min(begin for _scope, begin in stored()) == timeutils.to_epoch(
        timeutils.parse_iso("2026-11-01T00:00"),
    )


def test_a_scope_that_is_switched_off_is_left_alone(sqlite_database: str) -> None:
    seed(["a"], 5, active=False)
    rig = Rig(["a"])
    rig.rounds()
    assert lasts() == {"a": 5}
    assert not rig.collector.asked


def test_a_scope_that_nobody_announces_is_left_alone(sqlite_database: str) -> None:
    seed(["a"], 5)
    Rig([]).rounds()
    assert lasts() == {"a": 5}


def test_idle_periods_count_as_done(sqlite_database: str) -> None:
    seed(["a"], 5)
    rig = Rig(["a"])
    rig.collector.usage = lambda _scope: False
    rig.rounds()
    assert lasts() == {"a": 0}
    assert not stored()


def test_points_are_left_out(sqlite_database: str) -> None:
    seed(["a"], 2)
    rig = Rig(["a"])
    rig.pipeline._expressions["cpu"] = skip.compile_expression("datapoint['vol']['qty'] == 1")
    rig.pipeline._expressions["a_disk"] = skip.compile_expression("True")
    rig.rounds()
    assert set(stored().values()) == {1}


def test_one_bad_period_keeps_only_what_comes_after_it(sqlite_database: str) -> None:
    seed(["bad", "good"], 10)
    rig = Rig(["bad", "good"])
    spoilt = NEWEST - 4 * P
    rig.collector.fails = lambda key, scope, begin: (
        key == "cpu" and scope == "bad" and begin == spoilt
    )
    for _ in range(12):
        rig.rounds()
        rig.clock.now += 600
    assert lasts()["good"] <= 0
    # The period before the spoilt one has been rated.
    assert lasts()["bad"] == 5
    rig.collector.fails = lambda _key, _scope, _begin: False
    rig.clock.now += P
    rig.rounds()
    assert lasts()["bad"] == lasts()["good"] < 0
    begins = sorted(begin for scope, begin in stored() if scope == "bad")
    assert begins == list(range(begins[0], begins[-1] + P, P))


def test_failures_are_retried_after_seconds_not_periods(sqlite_database: str) -> None:
    seed(["a"], 1)
    rig = Rig(["a"])
    rig.collector.down = True
    assert rig.worker.round() == 0
    assert 0 < rig.worker.round() <= 5
    asked = len(rig.collector.asked)
    assert rig.worker.round() > 0
    assert len(rig.collector.asked) == asked
    rig.clock.now += 5
    rig.collector.down = False
    rig.rounds()
    assert lasts() == {"a": 0}


def test_a_scope_that_cannot_be_stored_does_not_stop_the_others(sqlite_database: str) -> None:
    seed(["a", "b", "c"], 2)
    rig = Rig(["a", "b", "c"])

    def spoil(batch: Sequence[ScopeUsage]) -> None:
        for usage in batch:
            if usage.scope_id == "b":
                usage.series[0].qtys[0] = Decimal("1e90")

    rig.storage.before = spoil
    rig.rounds()
    assert lasts() == {"a": 0, "b": 2, "c": 0}


def test_a_scope_that_somebody_else_moved_is_dropped(database: str) -> None:
    seed(["a", "b"], 2)
    rig = Rig(["a", "b"])

    def interfere(_batch: Sequence[ScopeUsage]) -> None:
        rig.storage.before = lambda _batch: None
        with db.session_for_write() as session:
            moved = advance(session, ORIGIN, [Move("a", NEWEST - 2 * P, NEWEST)])
        assert moved == {"a"}

    rig.storage.before = interfere
    rig.rounds()
    assert lasts() == {"a": 0, "b": 0}
    assert {scope for scope, _begin in stored()} == {"b"}


def test_the_database_goes_away(sqlite_database: str) -> None:
    seed(["a"], 2)
    rig = Rig(["a"])

    def lost(_batch: Sequence[ScopeUsage]) -> None:
        raise db_exc.DBConnectionError("gone")

    rig.storage.before = lost
    assert rig.worker.round() == 0
    assert lasts() == {"a": 2}
    rig.storage.before = lambda _batch: None
    rig.clock.now += 5
    rig.rounds()
    assert lasts() == {"a": 0}


def test_the_fetcher_goes_away(sqlite_database: str) -> None:
    seed(["a"], 1)
    rig = Rig(["a"])
    rig.rounds()
    rig.fetcher.down = True
    rig.clock.now += P
    assert rig.rounds() <= 5
    assert lasts() == {"a": -1}


@pytest.mark.parametrize("service", ["", "file://"])
def test_two_workers_share_the_scopes(database: str, tmp_path: Path, service: str) -> None:
    names = [f"s{n}" for n in range(12)]
    seed(names, 20)
    locks = f"{service}{tmp_path}/locks" if service else ""
    rigs = [Rig(names, f"worker-{n}", locks, batch_scopes=3, batch_periods=2) for n in range(2)]
    # Both hold scopes at the same time once: a busy machine may let one do everything otherwise.
    met = threading.Barrier(2)
    for rig in rigs:
        rig.collector.before_first = functools.partial(met.wait, 30)
    threads = [threading.Thread(target=rig.worker.run) for rig in rigs]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 40
    while set(lasts().values()) != {0} and time.monotonic() < deadline:
        time.sleep(0.05)
    for rig in rigs:
        rig.stop.set()
    for thread in threads:
        thread.join(10)
    assert set(lasts().values()) == {0}
    assert len(stored()) == 12 * 20
    assert all(rig.collector.asked for rig in rigs)


def test_work_held_by_others_is_polled_for(sqlite_database: str) -> None:
    seed(["a"], 1)
    other = Leases("other", 600, Clock())
    rig = Rig(["a"])
    other.acquire({rig.worker._locks._name("a")})
    waits = [rig.worker.round() for _ in range(20)]
    assert waits[0] < 1
    assert waits[-1] == 5
    assert not rig.collector.asked


def test_days_of_scopes_that_nobody_rates_are_summed_up(sqlite_database: str) -> None:
    seed(["a"], 60)
    rig = Rig(["a"], batch_periods=7)
    rig.worker.round()
    with db.session_for_write() as session:
        session.execute(sa.update(IdentifierState).values(active=False))
    count = sa.text("SELECT COUNT(*) FROM ck_periods WHERE rolled")
    with db.session_for_read() as session:
        before = session.execute(count).scalar()
    rig.clock.now += 7 * 86400
    rig.worker.round()
    with db.session_for_read() as session:
        assert before < session.execute(count).scalar() == 7


class Granted(Leases):
    """Leases that everybody gets: as bad as a lock service can be."""

    def acquire(self, names: Collection[str]) -> set[str]:
        return set(names)

    def release(self, names: Iterable[str], after: float = 0) -> None:
        """There is nothing to release."""


@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_stored_twice_when_locks_fail_altogether(database: str, *, known: bool) -> None:
    names = [f"s{n}" for n in range(6)]
    if known:
        seed(names, 16)
    rigs = [Rig(names, batch_scopes=3, batch_periods=2 if known else 100) for _ in range(3)]
    for rig in rigs:
        rig.worker._locks._leases = Granted("everybody", 600)
    threads = [threading.Thread(target=rig.worker.run) for rig in rigs]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while set(lasts().values()) != {0} and time.monotonic() < deadline:
        time.sleep(0.05)
    for rig in rigs:
        rig.stop.set()
    for thread in threads:
        thread.join(10)
    assert set(lasts().values()) == {0}
    begins = {begin for _scope, begin in stored()}
    assert len(stored()) == 6 * len(begins)
    assert len(begins) == (max(begins) - min(begins)) // P + 1
    assert max(begins) == NEWEST
