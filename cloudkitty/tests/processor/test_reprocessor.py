# SPDX-License-Identifier: Apache-2.0
"""Reprocessing workers against a real database (contract processor.md 6)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.processor.due import DueRule
from cloudkitty.processor.reprocessor import Reprocessor
from cloudkitty.state import schedule
from cloudkitty.state.models import IdentifierState, ReprocessingSchedule
from cloudkitty.state.schedule import Window
from cloudkitty.storage.v2.base import BaseStorage
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests.processor.rig import NEWEST, ORIGIN, P, Rig, lasts, seed, stored
from cloudkitty.usage import ScopeUsage

RULE = DueRule(P, 2)


@pytest.fixture(autouse=True)
def origin(conf: cfg_fixture.Config) -> None:
    """The configuration says where the rig's scopes come from."""
    conf.config(collector=ORIGIN.collector, group="collect")
    conf.config(backend=ORIGIN.fetcher, group="fetcher")


class Again:
    """A reprocessing worker, whose source has twice as much as what was rated."""

    def __init__(self, name: str = "again", **sizes: int) -> None:
        self.rig = Rig([], name, **sizes)
        self.rig.collector.resources = 4
        self.worker = Reprocessor(0, self.rig.tools, cfg.CONF, self.rig.storage, RULE)

    def rounds(self, most: int = 100) -> float:
        for _ in range(most):
            seconds = self.worker.round()
            if seconds:
                return seconds
        raise AssertionError("never idle")


def order(scopes: Collection[str], first: int, last: int) -> None:
    """Schedule the periods from `first` to `last`, counted back from the newest."""
    window = Window(*(timeutils.from_epoch(NEWEST - n * P) for n in (first, last)))
    schedule.create(ORIGIN, scopes, window, "test", P)


def progress() -> list[int | None]:
    """How many periods before the newest each schedule is at."""
    return [
        None if one.current is None else (NEWEST - timeutils.to_epoch(one.current)) // P
        for one in schedule.list_schedules(newest_first=False)
    ]


def points() -> Counter[tuple[str, int]]:
    """(scope, periods before the newest) -> number of points."""
    return Counter({(s, (NEWEST - begin) // P): n for (s, begin), n in stored().items()})


def check_sums() -> None:
    """The ledger counts the points, and roll-ups are their sums."""
    with db.session_for_read() as session:
        in_ledger = session.scalar(sa.text("SELECT SUM(points) FROM ck_periods"))
        rows = session.scalar(sa.text("SELECT COUNT(*) FROM ck_points"))
        days = session.scalar(sa.text("SELECT SUM(points) FROM ck_daily")) or 0
        rolled = session.scalar(sa.text("SELECT SUM(points) FROM ck_periods WHERE rolled")) or 0
    assert in_ledger == rows
    assert days == rolled
    storage = SQLAlchemyStorage(period=P)
    limits = (timeutils.from_epoch(NEWEST - 100 * P), timeutils.from_epoch(NEWEST + P))
    [total] = storage.total(None, *limits, custom_fields="SUM(qty) AS qty")["results"]
    frames = storage.retrieve(*limits, paginate=False)["dataframes"]
    assert total["qty"] == sum(point.qty for f in frames for _metric, point in f.iterpoints())


def test_whole_periods_are_replaced_end_included(database: str) -> None:
    seed(["a", "b"], 60)
    Rig(["a", "b"]).rounds()
    order(["a"], 50, 10)
    again = Again()
    assert again.rounds() > 0
    found = points()
    assert {n: found["a", n] for n in range(60)} == {
        n: 8 if 10 <= n <= 50 else 4 for n in range(60)
    }
    assert {found["b", n] for n in range(60)} == {4}
    assert progress() == [10]
    assert lasts() == {"a": 0, "b": 0}
    check_sums()


def test_what_the_source_has_no_more_is_gone(database: str) -> None:
    seed(["a"], 30)
    Rig(["a"]).rounds()
    stray = DataPoint("u", 1, 1, {"project_id": "a", "id": "stray"}, {})
    begin = timeutils.from_epoch(NEWEST - 4 * P)
    SQLAlchemyStorage(period=P).push(
        [DataFrame(begin, timeutils.from_epoch(NEWEST - 3 * P), {"cpu": [stray]})],
    )
    order(["a"], 5, 3)
    again = Again()
    again.rig.collector.usage = lambda _scope: False
    again.rounds()
    found = points()
    assert [found["a", n] for n in (6, 5, 4, 3, 2)] == [4, 0, 0, 0, 4]
    check_sums()


def test_scopes_with_one_window_are_asked_for_together(sqlite_database: str) -> None:
    names = [f"s{n}" for n in range(5)]
    seed(names, 10)
    Rig(names).rounds()
    order(names, 8, 1)
    again = Again()
    again.rounds()
    assert len(again.rig.collector.asked) == 2
    assert progress() == [1] * 5


def test_a_single_period(sqlite_database: str) -> None:
    seed(["a"], 3)
    Rig(["a"]).rounds()
    order(["a"], 1, 1)
    Again().rounds()
    assert points() == {("a", 2): 4, ("a", 1): 8, ("a", 0): 4}
    assert progress() == [1]


def test_old_ones_do_not_starve_and_each_scope_has_its_turn(sqlite_database: str) -> None:
    seed(["a"], 20)
    Rig(["a"]).rounds()
    order(["a"], 19, 15)
    order(["a"], 10, 5)
    Again(batch_periods=2).rounds()
    assert progress() == [15, 5]
    assert sum(points().values()) == 20 * 4 + 11 * 4


def test_a_hole_is_never_left_while_the_source_is_down(database: str) -> None:
    seed(["a"], 10)
    Rig(["a"]).rounds()
    order(["a"], 8, 2)
    again = Again()
    again.rig.collector.down = True
    again.rounds()
    assert progress() == [None]
    assert set(points().values()) == {4}
    again.rig.collector.down = False
    again.rig.clock.now += 60
    again.rounds()
    assert progress() == [2]
    assert sum(points().values()) == 10 * 4 + 7 * 4


def test_a_scope_that_is_switched_off_waits(sqlite_database: str) -> None:
    seed(["a"], 10)
    Rig(["a"]).rounds()
    order(["a"], 8, 2)
    with db.session_for_write() as session:
        session.execute(sa.update(IdentifierState).values(active=False))
    again = Again()
    again.rounds()
    assert progress() == [None]
    with db.session_for_write() as session:
        session.execute(sa.update(IdentifierState).values(active=True))
    again.rounds()
    assert progress() == [2]


def test_a_scope_that_is_switched_off_meanwhile_keeps_its_periods(database: str) -> None:
    seed(["a"], 10)
    Rig(["a"]).rounds()
    order(["a"], 8, 2)
    again = Again()

    def interfere(_batch: Sequence[ScopeUsage]) -> None:
        with db.session_for_write() as session:
            session.execute(sa.update(IdentifierState).values(active=False))

    again.rig.storage.before = interfere
    again.rounds()
    assert progress() == [None]
    assert set(points().values()) == {4}


def test_the_schedule_of_a_scope_that_is_gone_is_closed(
    sqlite_database: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    seed(["a"], 10)
    Rig(["a"]).rounds()
    order(["a"], 8, 2)
    with db.session_for_write() as session:
        session.execute(sa.delete(IdentifierState))
    Again().rounds()
    assert progress() == [2]
    assert "does not exist any more" in caplog.text


def test_a_scope_from_another_source_is_left_to_others(sqlite_database: str) -> None:
    seed(["a"], 10)
    Rig(["a"]).rounds()
    order(["a"], 8, 2)
    with db.session_for_write() as session:
        session.execute(sa.update(IdentifierState).values(collector="another"))
    again = Again()
    again.rounds()
    assert progress() == [None]
    assert not again.rig.collector.asked


def test_a_scope_that_was_set_back_is_not_rated_ahead(sqlite_database: str) -> None:
    seed(["a"], 10)
    Rig(["a"]).rounds()
    order(["a"], 8, 2)
    with db.session_for_write() as session:
        session.execute(
            sa.update(IdentifierState).values(
                last_processed_timestamp=timeutils.naive_utc(
                    timeutils.from_epoch(NEWEST - 6 * P),
                ),
            ),
        )
    Again().rounds()
    assert progress() == [6]


def test_an_old_schedule_off_the_grid_ends(sqlite_database: str) -> None:
    seed(["a"], 10)
    Rig(["a"]).rounds()
    with db.session_for_write() as session:
        session.add(
            ReprocessingSchedule(
                identifier="a",
                start_reprocess_time=timeutils.naive_utc(timeutils.from_epoch(NEWEST - 5 * P + 60)),
                end_reprocess_time=timeutils.naive_utc(timeutils.from_epoch(NEWEST - 3 * P + 60)),
                reason="old",
            ),
        )
    Again().rounds()
    [one] = schedule.list_schedules()
    assert one.finished
    assert {n: points()["a", n] for n in range(6, 1, -1)} == {6: 4, 5: 8, 4: 8, 3: 8, 2: 4}


@pytest.mark.parametrize("locks", [True, False])
def test_several_workers_and_a_rating_one(database: str, *, locks: bool) -> None:
    names = [f"s{n}" for n in range(6)]
    seed(names, 40)
    Rig(names, batch_periods=50).rounds()
    with db.session_for_write() as session:
        session.execute(
            sa.text("UPDATE cloudkitty_storage_states SET last_processed_timestamp = :t"),
            {"t": timeutils.naive_utc(timeutils.from_epoch(NEWEST - 12 * P))},
        )
    # Rated twice, the later periods are replaced all the same.
    order(names, 35, 15)
    workers = [Again(f"again-{n}", batch_scopes=2, batch_periods=3) for n in range(2)]
    rater = Rig(names, "rater", batch_scopes=2, batch_periods=3)
    if not locks:
        for rig in (*(worker.rig for worker in workers), rater):
            rig.locks._leases.acquire = set  # type: ignore[method-assign, assignment]
    loops = [*(worker.worker for worker in workers), rater.worker]
    threads = [threading.Thread(target=loop.run) for loop in loops]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and (schedule.unfinished() or set(lasts().values()) != {0}):
        time.sleep(0.05)
    for rig in (*(worker.rig for worker in workers), rater):
        rig.stop.set()
    for thread in threads:
        thread.join(10)
    assert progress() == [15] * 6
    assert set(lasts().values()) == {0}
    found = points()
    for name in names:
        assert {n: found[name, n] for n in range(40)} == {
            n: 8 if 15 <= n <= 35 else 4 for n in range(40)
        }
    check_sums()


class Elsewhere(BaseStorage):
    """A storage that is not in the SQL database, and dies when a test wants it to."""

    def __init__(self) -> None:
        super().__init__(period=P)
        self.kept: dict[tuple[str, int], int] = {}
        self.dies_after = -1

    def init(self) -> None:
        """There is nothing to prepare."""

    def _step(self) -> None:
        if self.dies_after == 0:
            raise OSError("gone")
        self.dies_after -= 1

    def push(self, dataframes: Sequence[DataFrame], scope_id: str | None = None) -> None:
        self._step()
        for frame in dataframes:
            begin = timeutils.to_epoch(frame.start)
            self.kept[str(scope_id), begin] = sum(1 for _ in frame.iterpoints())

    def retrieve(self, *args: object, **kwargs: object) -> dict[str, object]:
        raise NotImplementedError

    def total(self, *args: object, **kwargs: object) -> dict[str, object]:
        raise NotImplementedError

    def delete(self, begin: object = None, end: object = None, filters: object = None) -> None:
        self._step()
        assert isinstance(filters, dict)
        scope = filters["project_id"]
        first = timeutils.to_epoch(begin)  # type: ignore[arg-type]
        stop = timeutils.to_epoch(end) if end else 2**40  # type: ignore[arg-type]
        self.kept = {
            key: n
            for key, n in self.kept.items()
            if not (key[0] == scope and first <= key[1] < stop)
        }


@pytest.mark.parametrize("dies_after", [0, 1, 2, 5])
def test_a_storage_elsewhere_has_it_all_in_the_end(sqlite_database: str, dies_after: int) -> None:
    seed(["a"], 0)
    storage = Elsewhere()
    storage.kept = {("a", NEWEST - n * P): 4 for n in range(10)}
    order(["a"], 8, 2)
    again = Again()
    again.worker._storage = storage
    storage.dies_after = dies_after
    again.rounds()
    assert progress() == [None]
    storage.dies_after = -1
    again.rig.clock.now += 60
    again.rounds()
    assert progress() == [2]
    assert storage.kept == {("a", NEWEST - n * P): 8 if 2 <= n <= 8 else 4 for n in range(10)}
