# SPDX-License-Identifier: Apache-2.0
"""The audit log itself: one transaction with the change, who, and how long."""

from __future__ import annotations

import datetime as dt
import getpass
import threading
from decimal import Decimal

import pytest
import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.db import changes
from cloudkitty.db.changes import Actor, Change, reading, retention, writing
from cloudkitty.db.changes.reading import Wanted
from cloudkitty.db.models import AuditSource
from cloudkitty.processor.housekeeping import Housekeeping
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage

NOW = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)


def entries(**wanted):
    with db.session_for_read() as session:
        return list(reading.entries(session, Wanted(**wanted)))


def write(*found, at=None):
    with db.session_for_write() as session:
        if at is not None:
            session.info[writing._INSTANT] = writing.microseconds(at)
        changes.record(session, found)


def test_entries_say_what_was_and_what_is(database):
    date = dt.datetime(2026, 1, 2, 3, 4, 5, 6)  # noqa: DTZ001 - as rule dates are
    text = "Größe \N{GRINNING FACE} \\ \" '"
    huge = Decimal("123456789012.1234567890123456789012345678")
    was = {"cost": Decimal("1E-7"), "start": date, "name": text, "list": [1, None, True]}
    now = {**was, "cost": huge}
    write(Change("thing", "1", None, was, 7), Change("thing", "1", was, now), at=NOW)
    write(Change("thing", "1", now, now))
    write(Change("thing", "1", now))

    deleted, changed, made = entries()

    assert [one.action for one in (made, changed, deleted)] == ["create", "update", "delete"]
    assert made.id < changed.id < deleted.id
    assert (made.before, deleted.after) == (None, None)
    assert made.after == changed.before
    assert made.after == {
        "cost": "0.0000001",
        "start": "2026-01-02T03:04:05.000006",
        "name": text,
        "list": [1, None, True],
    }
    assert changed.after["cost"] == str(huge)
    assert (made.time, changed.time, made.object_number) == (NOW, NOW, 7)


def test_what_is_rolled_back_is_not_told(database):
    def fail():
        with db.session_for_write() as session:
            changes.record(session, [Change("thing", "1", None, {})])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert entries() == []


def test_what_is_no_json_is_refused(sqlite_database):
    with pytest.raises(TypeError, match="object cannot be in an audit log"):
        write(Change("thing", "1", None, {"x": object()}))


def test_who_acts(sqlite_database):
    write(Change("thing", "1", None, {}))
    with changes.acting(Actor("api v9", "me", "ours", "req-1")):
        with changes.acting(Actor("api v9", "you" * 100)):
            write(Change("thing", "2", None, {}))
        write(Change("thing", "3", None, {}))
        # Another thread is another's.
        other = threading.Thread(target=write, args=(Change("thing", "4", None, {}),))
        other.start()
        other.join()
    found = {one.object_id: one for one in entries()}
    assert (found["1"].way, found["1"].user_id) == ("command", getpass.getuser())
    assert found["2"].user_id == ("you" * 100)[:255]
    three = found["3"]
    assert (three.way, three.user_id, three.project_id, three.request_id) == (
        "api v9",
        "me",
        "ours",
        "req-1",
    )
    assert found["4"].way == "command"


def test_a_user_without_a_name(sqlite_database, monkeypatch):
    def nobody():
        raise KeyError("uid not found: 1000710000")

    monkeypatch.setattr(getpass, "getuser", nobody)
    write(Change("thing", "1", None, {}))
    [one] = entries()
    assert (one.way, one.user_id) == ("command", None)


def test_old_entries_are_forgotten_and_sources_that_none_names(database):
    for age, name in ((40, "old"), (40, "both"), (20, "new"), (20, "both")):
        at = NOW - dt.timedelta(days=age)
        with db.session_for_write() as session:
            session.info[writing._INSTANT] = writing.microseconds(at)
            changes.keep_source(session, name, name.encode())
            changes.record(session, [Change("thing", name, None, {"checksum": name})])
    for n in range(3):
        write(*(Change("thing", str(i), None, {}) for i in range(700)), at=NOW - dt.timedelta(n))

    assert retention.forget(NOW - dt.timedelta(days=30)) == 2

    assert len(entries()) == 2102
    assert [reading.source(name) for name in ("old", "both", "new")] == [None, b"both", b"new"]
    assert retention.forget(NOW, stop=lambda: True) == 0
    assert retention.forget(NOW) == 1402
    with db.session_for_read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditSource)) == 0


@pytest.mark.parametrize(("days", "left"), [(0, 2), (30, 1)])
def test_the_processor_forgets(sqlite_database, days, left):
    write(Change("thing", "1", None, {}), at=NOW - dt.timedelta(days=31))
    write(Change("thing", "2", None, {}), at=NOW - dt.timedelta(days=29))
    storage = SQLAlchemyStorage(period=3600)
    house = Housekeeping(storage, threading.Event(), enabled=True, audit_days=days)
    house.run(timeutils.to_epoch(NOW))
    assert len(entries()) == left


def test_numbers_are_never_used_again(database):
    write(Change("thing", "1", None, {}), at=NOW)
    [one] = entries()
    retention.forget(NOW + dt.timedelta(days=1))
    write(Change("thing", "2", None, {}))
    assert entries()[0].id > one.id
