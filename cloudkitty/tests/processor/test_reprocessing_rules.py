# SPDX-License-Identifier: Apache-2.0
"""By which rules stored periods are rated again: by a real reprocessor, on a real database."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import db, timeutils
from cloudkitty.db import module_info
from cloudkitty.db.models import RuleSet
from cloudkitty.processor.due import DueRule
from cloudkitty.processor.reprocessor import Reprocessor
from cloudkitty.rating.hashmap.store import field, group, mapping, service, threshold
from cloudkitty.rating.pyscripts.store import script
from cloudkitty.state import schedule
from cloudkitty.state.models import ReprocessingSchedule
from cloudkitty.state.schedule import AS_RATED, CURRENT, VALID_THEN, Window
from cloudkitty.storage.v2.base import BaseStorage
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests.processor.rig import NEWEST, NOW, ORIGIN, P, Rig, seed
from cloudkitty.tests.rating.clock import Clock, ticking

HOUR = dt.timedelta(seconds=P)
LONG_AGO = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - rule dates are naive


@pytest.fixture(autouse=True)
def origin(conf: cfg_fixture.Config) -> None:
    conf.config(collector=ORIGIN.collector, group="collect")
    conf.config(backend=ORIGIN.fetcher, group="fetcher")


class Service:
    """A processor and the clock of those who change its rules, some periods after the first."""

    def __init__(self, clock: Clock, hours: int = 10) -> None:
        self.clock = clock
        self.hours = hours
        seed(["a"], hours)
        module_info.set_state("hashmap", enabled=True)
        self.rig = Rig(["a"], batch_periods=1)
        self.rig.collector.resources = 1
        self.at(hours)

    def at(self, before: float) -> None:
        """Set all clocks to a time, in periods before the newest one begins."""
        self.clock.now = timeutils.from_epoch(NEWEST) - before * HOUR
        # Rated as soon as it has begun plus what is waited for.
        self.rig.clock.now = NOW - before * P

    def rate(self) -> None:
        self.rig.rounds()

    def again(self, rules: str, first: int | None = None, last: int = 0) -> Reprocessor:
        """Rate periods again, counted back from the newest."""
        first = self.hours - 1 if first is None else first
        window = Window(*(timeutils.from_epoch(NEWEST - n * P) for n in (first, last)))
        schedule.create(ORIGIN, ["a"], window, "test", P, rules=rules)
        worker = Reprocessor(0, self.rig.tools, cfg.CONF, self.rig.storage, DueRule(P, 2))
        for _ in range(100):
            if worker.round():
                return worker
        raise AssertionError("never idle")


@pytest.fixture
def clock():
    with ticking(timeutils.from_epoch(NEWEST)) as found:
        yield found


def prices() -> dict[int, Decimal]:
    """Period before the newest -> price of cpu."""
    frames = SQLAlchemyStorage(period=P).retrieve(paginate=False)["dataframes"]
    return {
        (NEWEST - timeutils.to_epoch(frame.start)) // P: point.price
        for frame in frames
        for metric, point in frame.iterpoints()
        if metric == "cpu"
    }


def flat(parent: dict[str, str], cost: str, **more: object) -> str:
    new = mapping.NewMapping(cost=Decimal(cost), **parent, **more)  # type: ignore[arg-type]
    return mapping.create(new, "u", force=True).mapping_id


def test_every_kind_of_change(database: str, clock: Clock) -> None:
    it = Service(clock)
    cpu = {"service_id": service.create("cpu").service_id}
    label = {"field_id": field.create("project_id", cpu["service_id"]).field_id}
    extra = group.create("extra").group_id
    first = flat(cpu, "1", start=LONG_AGO)
    flat(label, "10", value="a", group_id=extra)
    it.at(8.5)
    it.rate()
    mapping.delete(first, "u")
    flat(cpu, "2")
    it.at(7.5)
    it.rate()
    limit = threshold.create(
        threshold.NewThreshold(level=Decimal(1), cost=Decimal(100), **cpu)
    ).threshold_id
    it.at(6.5)
    it.rate()
    threshold.update(limit, {"level": Decimal(1), "cost": Decimal(200), "type": "flat"})
    it.at(5.5)
    it.rate()
    threshold.delete(limit)
    it.at(4.5)
    it.rate()
    # Its mapping of 10 goes where that of 2 is: the higher one counts.
    group.delete(extra)
    it.at(3.5)
    it.rate()
    field.delete(label["field_id"])
    it.at(2.5)
    it.rate()
    service.delete(cpu["service_id"])
    it.at(1.5)
    it.rate()
    flat({"service_id": service.create("cpu").service_id}, "5")
    it.at(0)
    it.rate()
    rated = {9: 11, 8: 12, 7: 112, 6: 212, 5: 12, 4: 10, 3: 2, 2: 0, 1: 5, 0: 5}
    assert prices() == rated

    it.again(VALID_THEN)

    assert prices() == rated
    it.again(CURRENT)
    # Of all that, only the last mapping is there any more, and it begins when it was made.
    now = {n: 5 if n <= 1 else 0 for n in range(10)}
    assert prices() == now
    it.again(VALID_THEN, 6, 4)
    assert prices() == now | {6: 212, 5: 12, 4: 10}


def test_a_price_that_was_meant_for_the_past_counts(sqlite_database: str, clock: Clock) -> None:
    """Whoever makes a rule that begins in the past says what should have been."""
    it = Service(clock)
    cpu = {"service_id": service.create("cpu").service_id}
    wrong = flat(cpu, "1", start=LONG_AGO)
    it.at(5.5)
    it.rate()
    mapping.delete(wrong, "u")
    flat(cpu, "3", start=LONG_AGO)
    it.at(0)
    it.rate()
    assert prices() == {n: 1 if n >= 6 else 3 for n in range(10)}
    it.again(VALID_THEN)
    assert prices() == dict.fromkeys(range(10), 3)


def test_a_mistake_is_corrected_by_present_rules(sqlite_database: str, clock: Clock) -> None:
    """A rule with another key does not take the place of the one that was deleted."""
    it = Service(clock, 4)
    cpu = {"service_id": service.create("cpu").service_id}
    wrong = flat(cpu, "1", start=LONG_AGO, group_id=group.create("wrong").group_id)
    it.at(1.5)
    it.rate()
    mapping.delete(wrong, "u")
    flat(cpu, "1", start=LONG_AGO)
    it.at(0)
    it.rate()
    it.again(VALID_THEN)
    assert prices() == {3: 2, 2: 2, 1: 1, 0: 1}
    it.again(CURRENT)
    assert prices() == dict.fromkeys(range(4), 1)


def test_scripts_that_were_deleted(sqlite_database: str, clock: Clock) -> None:
    it = Service(clock, 4)
    module_info.set_state("pyscripts", enabled=True)
    text = "for p in data['usage'].get('cpu', []): p['rating']['price'] += {}"
    one = script.create(script.NewScript(name="x", data=text.format(1)), "u")
    it.at(1.5)
    it.rate()
    script.delete(one.script_id, "u")
    script.create(script.NewScript(name="x", data=text.format(7)), "u")
    it.at(0)
    it.rate()
    rated = {3: 1, 2: 1, 1: 7, 0: 7}
    assert prices() == rated
    it.again(VALID_THEN)
    assert prices() == rated
    it.again(CURRENT)
    assert prices() == {3: 0, 2: 0, 1: 7, 0: 7}


def test_as_rated_uses_recorded_rules_and_modules(database: str, clock: Clock) -> None:
    it = Service(clock, 6)
    cpu = {"service_id": service.create("cpu").service_id}
    flat(cpu, "1", start=LONG_AGO)
    it.at(2.5)
    it.rate()
    # Made later for the past too: what was rated before did not know it.
    flat(cpu, "4", start=LONG_AGO, group_id=group.create("g").group_id)
    it.at(0)
    it.rate()
    rated = {n: 1 if n >= 3 else 5 for n in range(6)}
    assert prices() == rated
    interval = [timeutils.from_epoch(NEWEST - n * P) for n in (4, -5)]
    counted = it.rig.storage.count_recorded(["a", "b"], *interval)
    assert counted == {"a": 5}
    # As backends have it that only say where prices of a period come from.
    assert BaseStorage.count_recorded(it.rig.storage, ["a"], *interval) == counted
    module_info.set_state("hashmap", enabled=False)
    it.again(AS_RATED)
    assert prices() == rated
    it.again(VALID_THEN)
    assert set(prices().values()) == {0}
    module_info.set_state("hashmap", enabled=True)
    it.again(VALID_THEN)
    assert set(prices().values()) == {5}


def test_rules_that_are_not_recorded_any_more(
    sqlite_database: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    it = Service(clock, 3)
    cpu = {"service_id": service.create("cpu").service_id}
    flat(cpu, "1", start=LONG_AGO)
    it.at(0)
    it.rate()
    with db.session_for_write() as session:
        session.execute(sa.delete(RuleSet))
    it.again(AS_RATED)
    [one] = schedule.unfinished()
    assert one.current is None
    assert "is not recorded any more" in caplog.text
    with db.session_for_write() as session:
        session.execute(sa.text("UPDATE ck_periods SET rules_version = NULL"))
    it.rig.clock.now += 10 * P
    # Another one of the scope does not wait for it.
    window = Window(*(timeutils.from_epoch(NEWEST) for _ in range(2)))
    with db.session_for_write() as session:
        session.add(
            ReprocessingSchedule(
                identifier="a",
                start_reprocess_time=timeutils.naive_utc(window.start),
                end_reprocess_time=timeutils.naive_utc(window.end),
                reason="old",
            )
        )
    Reprocessor(0, it.rig.tools, cfg.CONF, it.rig.storage, DueRule(P, 2)).round()
    assert "it is not recorded by which rules" in caplog.text
    assert schedule.unfinished() == [one]
    # What was made by a release that knew one way only is done that way.
    assert schedule.list_schedules()[0].rules == CURRENT
