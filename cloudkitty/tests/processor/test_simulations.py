# SPDX-License-Identifier: Apache-2.0
"""Simulations carried out by the processor: by one, to the end, or given up in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from oslo_db import exception as db_exc

from cloudkitty import db
from cloudkitty.processor import simulations as module
from cloudkitty.processor.notices import Notices
from cloudkitty.processor.resets import Attendant
from cloudkitty.processor.simulations import Simulations
from cloudkitty.state import simulations
from cloudkitty.state.simulations import Question, State
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests.simulation.cloud import DAY, ON, START, store, usages

RULES = ON + "hashmap: {services: {instance: {mappings: [{cost: 2}]}}}\n"
INTERVAL = 0.02


@pytest.fixture
def cloud(sqlite_database: str) -> SQLAlchemyStorage:
    storage = SQLAlchemyStorage()
    store(storage, usages(24), RULES)
    return storage


def build(conf: Any, stop: threading.Event | None = None) -> Simulations:
    stop = stop or threading.Event()
    return Simulations(conf.conf, SQLAlchemyStorage(), Notices(), stop, INTERVAL)


def place(rules: str = RULES) -> str:
    return simulations.place(Question(first=START, stop=START + DAY, rules=rules), 100)


def state(id_: str) -> State:
    found = simulations.get(id_)
    assert found is not None
    return found


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Slow(SQLAlchemyStorage):
    """A storage that reads no further until it may."""

    go_on = threading.Event()

    def series_sums(self, *args: Any, **kwargs: Any) -> Any:
        tell = kwargs.pop("progress", None)

        def slowly(part: float) -> None:
            tell(part / 2)
            while not self.go_on.wait(INTERVAL):
                tell(part / 2)
            tell(part)

        return super().series_sums(*args, **kwargs, progress=tell and slowly)


def test_all_that_waits_is_done(cloud: SQLAlchemyStorage, conf: Any) -> None:
    ids = [place(), place("pyscripts: [{name: x, data: y"), place()]
    work = build(conf)
    assert work.run()
    assert [state(id_).status for id_ in ids] == ["done", "failed", "done"]
    assert "not valid YAML" in (state(ids[1]).error or "")
    assert not work.run()


def test_woken_it_looks_at_once(
    cloud: SQLAlchemyStorage, conf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudkitty.processor.resets.INTERVAL", 1000)
    attendant = Attendant(build(conf), Notices(), lambda: None, "simulations")
    attendant.start()
    id_ = place()
    attendant.call()
    until(lambda: state(id_).status == "done")
    attendant.stop(5)


def test_while_it_runs_it_says_so_and_others_leave_it_alone(
    cloud: SQLAlchemyStorage, conf: Any
) -> None:
    work = build(conf)
    work._storage = Slow()
    Slow.go_on.clear()
    id_ = place()
    thread = threading.Thread(target=work.run)
    thread.start()
    until(lambda: state(id_).progress == 0.5)
    assert not build(conf).run()
    Slow.go_on.set()
    thread.join()
    assert (state(id_).status, state(id_).progress) == ("done", 1)


def test_deleted_it_ends(cloud: SQLAlchemyStorage, conf: Any) -> None:
    work = build(conf)
    work._storage = Slow()
    Slow.go_on.clear()
    id_ = place()
    thread = threading.Thread(target=work.run)
    thread.start()
    until(lambda: state(id_).progress == 0.5)
    simulations.delete(id_)
    thread.join(20)
    assert not thread.is_alive()
    assert simulations.listed() == (0, [])


def test_a_process_that_stops_gives_it_back(cloud: SQLAlchemyStorage, conf: Any) -> None:
    stop = threading.Event()
    work = build(conf, stop)
    work._storage = Slow()
    Slow.go_on.clear()
    id_ = place()
    thread = threading.Thread(target=work.run)
    thread.start()
    until(lambda: state(id_).progress == 0.5)
    stop.set()
    thread.join(20)
    assert state(id_).status == "queued"
    assert build(conf).run()
    assert state(id_).status == "done"


def test_a_process_that_is_killed_is_followed_by_another(
    cloud: SQLAlchemyStorage, conf: Any
) -> None:
    id_ = place()

    def child() -> None:
        db.reset()
        work = build(conf)
        work._storage = Slow()
        work.run()

    Slow.go_on.clear()
    # The database is a file: the copy of the process opens it anew.
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    try:
        until(lambda: state(id_).progress == 0.5)
        assert not build(conf).run()
    finally:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    assert state(id_).status == "running"
    assert build(conf).run()
    assert state(id_).status == "done"


def test_what_went_wrong_is_told(
    cloud: SQLAlchemyStorage, conf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    id_ = place()
    work = build(conf)

    class Broken(SQLAlchemyStorage):
        def series_sums(self, *args: Any, **kwargs: Any) -> Any:
            raise ZeroDivisionError("secret")

    work._storage = Broken()
    work.run()
    assert state(id_).status == "failed"
    assert state(id_).error == "unexpected error: ZeroDivisionError (see the log of the processor)"
    assert "secret" in caplog.text


def test_a_database_that_is_away_is_waited_for(
    cloud: SQLAlchemyStorage, conf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = place()
    work = build(conf)

    class Away(SQLAlchemyStorage):
        def series_sums(self, *args: Any, **kwargs: Any) -> Any:
            raise db_exc.DBConnectionError

    work._storage = Away()
    with pytest.raises(db_exc.DBConnectionError):
        work.run()
    assert state(id_).status == "running"
    work._storage = cloud
    assert work.run()
    assert state(id_).status == "done"


def test_what_is_old_is_forgotten(
    cloud: SQLAlchemyStorage, conf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place()
    work = build(conf)
    work.run()
    month = 31 * DAY
    now = time.time
    monkeypatch.setattr(module.time, "time", lambda: now() + month)
    assert not work.run()
    assert simulations.listed() == (0, [])
