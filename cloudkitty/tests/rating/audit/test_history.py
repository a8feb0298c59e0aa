# SPDX-License-Identifier: Apache-2.0
"""Rules of the past where the log does not know it all."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.db.changes import retention
from cloudkitty.rating.hashmap import HashMap, history, models, rules
from cloudkitty.rating.hashmap.store import mapping, service, threshold
from cloudkitty.tests.rating.clock import ticking
from cloudkitty.tests.rating.hashmap.rulebook import LONG_AGO, Rulebook

NOW = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)
LOCAL = NOW.replace(tzinfo=None)
DAY = dt.timedelta(days=1)


@pytest.fixture
def clock():
    with ticking(NOW) as found:
        yield found


@pytest.fixture
def cpu(database, clock):
    return {"service_id": service.create("cpu").service_id}


def flat(cpu, **more):
    return mapping.create(
        mapping.NewMapping(cost=Decimal(1), start=LONG_AGO, **cpu, **more), "u", force=True
    )


def limit(cpu, level=1):
    new = threshold.NewThreshold(level=Decimal(level), cost=Decimal(1), **cpu)
    return threshold.create(new).threshold_id


def stretches(found):
    return [(rule.start, rule.end) for rule in found]


def test_what_was_there_before_the_log(database):
    """As in a database that was adopted: dates in the tables are all that is known."""
    with db.session_for_write() as session:
        book = Rulebook(session)
        book.mapping("cpu", "1")
        book.mapping("cpu/flavor", "2", value="x", deleted=LOCAL, group="g")
        book.mapping("cpu", "3", deleted=LOCAL, end=LOCAL - DAY)
        book.mapping("cpu", "4", deleted=LOCAL, end=LOCAL + DAY)
        # Deleted before it began: it never was.
        book.mapping("cpu", "5", deleted=LOCAL, start=LOCAL + DAY)
        book.threshold("cpu", "1", "1")

    found, log = history.load()

    assert log.extent == (0, None)
    assert found.services == ("cpu",)
    assert [str(rule.price.cost) for rule in found.mappings] == ["1", "2", "3", "4"]
    assert stretches(found.mappings) == [
        (LONG_AGO, None),
        (LONG_AGO, LOCAL),
        (LONG_AGO, LOCAL - DAY),
        (LONG_AGO, LOCAL),
    ]
    assert found.mappings[1].group == "g"
    assert stretches(found.thresholds) == [(None, None)]
    # Without what is deleted it is what is rated by otherwise.
    present = rules.load()
    assert found.mappings[:1] == present.mappings
    assert found.thresholds == present.thresholds


def test_rules_without_cost(sqlite_database):
    with db.session_for_write() as session:
        session.execute(sa.text("DROP TABLE hashmap_mappings"))
        columns = ", ".join(
            f'"{column.name}"' for column in models.Mapping.__table__.columns if column.name != "id"
        )
        session.execute(
            sa.text(f"CREATE TABLE hashmap_mappings (id INTEGER PRIMARY KEY, {columns})")
        )
        book = Rulebook(session)
        book.mapping("cpu", "1", deleted=LOCAL)
        session.execute(sa.text("UPDATE hashmap_mappings SET cost = NULL"))
    assert history.load()[0].mappings == ()
    with db.session_for_write() as session:
        session.execute(sa.text("UPDATE hashmap_mappings SET deleted = NULL"))
    with pytest.raises(ValueError, match="has no cost"):
        history.load()


def test_the_log_is_read_again_only_if_it_has_changed(cpu):
    first = limit(cpu)
    _, log = history.load()
    found, same = history.load(log)
    assert same is log
    threshold.delete(first)
    after, other = history.load(log)
    assert other is not log
    assert (stretches(found.thresholds), stretches(after.thresholds)) == ([(LOCAL, None)], [])


def test_what_was_compiled_is_kept(cpu):
    flat(cpu)
    one, other = HashMap(), HashMap()
    one.begin_batch_then()
    other.begin_batch_then()
    assert one._tariffs is other._tariffs
    # The past is one thing and the present another.
    one.begin_batch()
    other.begin_batch_then()
    assert one._tariffs is not other._tariffs


def test_a_log_that_was_cut_short(cpu, clock):
    """What happened before the oldest entry counts as if it had always been so."""
    clock.now -= 10 * DAY
    kept, gone, old = (limit(cpu, n) for n in (1, 2, 3))
    threshold.delete(old)
    clock.now = NOW
    threshold.delete(gone)
    assert stretches(history.load()[0].thresholds) == [
        (LOCAL - 10 * DAY, None),
        (LOCAL - 10 * DAY, LOCAL),
    ]
    retention.forget(NOW - DAY)
    found = history.load()[0].thresholds
    assert [rule.id for rule in found] == [kept, gone]
    assert stretches(found) == [(None, None), (None, LOCAL)]


def test_rules_removed_past_us_are_as_if_never_made(cpu):
    flat(cpu)
    limit(cpu)
    with db.session_for_write() as session:
        for model in (models.Mapping, models.Threshold):
            session.execute(sa.delete(model))
    found, _ = history.load()
    assert (found.mappings, found.thresholds) == ((), ())


def test_the_last_made_of_two_counts_also_where_numbers_are_used_again(cpu, clock):
    """SQLite gives the number of a row that was deleted last to the next one."""
    flat(cpu)
    service.delete(cpu["service_id"])
    clock.now += DAY
    again = {"service_id": service.create("cpu").service_id}
    flat(again, tenant_id="a")
    last = flat(again)
    found, _ = history.load()
    assert [rule.tenant for rule in found.mappings] == [None, "a", None]
    assert found.mappings[-1].id == last.mapping_id
