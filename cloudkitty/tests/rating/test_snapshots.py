# SPDX-License-Identifier: Apache-2.0
"""Rule sets: written once, read back as they were, and prices by them."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.db import models, module_info
from cloudkitty.rating import snapshots
from cloudkitty.rating.hashmap import HashMap, record, rules
from cloudkitty.rating.hashmap import models as hashmap
from cloudkitty.rating.modules import ModuleError, Modules, Rating
from cloudkitty.rating.noop import Noop
from cloudkitty.rating.pyscripts import PyScripts
from cloudkitty.rating.snapshots import DamagedError, RecordedModule, RuleSet
from cloudkitty.tests.rating import classic
from cloudkitty.tests.rating.hashmap.rulebook import LONG_AGO, Rulebook
from cloudkitty.tests.rating.pyscripts import scriptbook
from cloudkitty.usage import ScopeUsage, Series

BEGIN = timeutils.to_epoch(dt.datetime(2024, 5, 1, tzinfo=dt.UTC))
END = dt.datetime(2030, 1, 1)  # noqa: DTZ001 - rule dates are naive
SET = [
    RecordedModule("hashmap", 2, {"cpu": {"rules": ["ü", None, 1]}, "ram": []}),
    RecordedModule("noop", 1, {}),
    RecordedModule("theirs", 1, None),
]


def count(model):
    with db.session_for_read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model))


def usage_of(scope="a", qty="2"):
    series = Series("cpu", "u", ImmutableDict(id="1"), ImmutableDict(flavor="big"))
    series.begins, series.qtys, series.prices = [BEGIN], [Decimal(qty)], [Decimal(0)]
    return ScopeUsage(scope, 3600, [BEGIN], [series])


def rated(rating, scope="a"):
    usage = usage_of(scope)
    rating.begin_batch()
    rating.rate([usage])
    return usage.series[0].prices[0]


def add_rules():
    with db.session_for_write() as session:
        book = Rulebook(session)
        book.mapping("cpu", "1.5", mapping_id="m1")
        book.mapping("cpu", "0.25", tenant_id="b", end=END)
        book.mapping("cpu/flavor", "0.5", value="big", group="g", kind="flat")
        book.threshold("cpu", "1", "2", kind="rate", threshold_id="t1")
        book.parent("idle")
    for name in ("hashmap", "pyscripts"):
        module_info.set_state(name, enabled=True)


def test_what_is_written_is_read_back(database):
    version = snapshots.save(SET)
    assert len(version) == 64
    found = snapshots.load(version)
    assert found == RuleSet(version, tuple(SET))
    assert found.unrecorded == ("theirs",)
    assert snapshots.load("0" * 64) is None


def test_the_same_again_writes_nothing(database):
    version = snapshots.save(SET)
    statements = []

    def note(_conn, _cursor, statement, *_rest):
        statements.append(statement.split()[0])

    sa.event.listen(db.get_engine(), "before_cursor_execute", note)
    assert snapshots.save(SET) == version
    assert "INSERT" not in statements


def test_order_priority_and_rules_make_another_version(sqlite_database):
    first, *rest = SET
    others = [
        SET,
        [*rest, first],
        [RecordedModule("hashmap", 3, first.snapshot), *rest],
        [RecordedModule("hashmap", 2, None), *rest],
        [RecordedModule("hashmap", 2, {**first.snapshot, "disk": 0}), *rest],
        rest,
        [],
    ]
    assert len({snapshots.save(other) for other in others}) == len(others)
    # cpu, ram, disk: parts are kept once.
    assert count(models.RuleContent) == 3


def test_many_write_the_same_at_once(database):
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: snapshots.save(SET), range(12)))
    assert len(set(found)) == 1
    assert (count(models.RuleSet), count(models.RuleContent)) == (1, 2)
    assert snapshots.load(found[0]).modules == tuple(SET)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda s: s.execute(sa.delete(models.RuleContent)), "lacks 2 of its parts"),
        (lambda s: s.execute(sa.update(models.RuleSet).values(modules=b"x")), "cannot be read"),
    ],
)
def test_a_damaged_rule_set_is_named(sqlite_database, damage, text):
    version = snapshots.save(SET)
    with db.session_for_write() as session:
        damage(session)
    with pytest.raises(DamagedError, match=f"{version} {text}"):
        snapshots.load(version)


def test_hashmap_rules_come_back_as_they_were(sqlite_database):
    add_rules()
    with db.session_for_write() as session:
        Rulebook(session).threshold("disk", "0.00000001", "-0.1", tenant_id="ü")
    found = rules.load()
    assert record.rules(record.parts(found)) == found


def test_prices_by_the_rules_that_were(database):
    add_rules()
    scriptbook.add(
        b"# -*- coding: latin-1 -*-\nfor p in data['usage']['cpu']:\n"
        b"    p['rating']['price'] += len('\xfc')\n"
    )
    rating = Rating()
    before = {scope: rated(rating, scope) for scope in "ab"}
    version = rating.record()
    with db.session_for_write() as session:
        session.execute(sa.update(hashmap.Mapping).values(cost=Decimal(7)))
        session.execute(sa.delete(hashmap.Threshold))
    scriptbook.clear()
    module_info.set_priority("pyscripts", 9)
    assert {rated(rating, scope) for scope in "ab"}.isdisjoint(before.values())
    assert rating.record() != version

    again = Rating(rule_set=snapshots.load(version))
    assert {scope: rated(again, scope) for scope in "ab"} == before == {"a": 8, "b": 3}
    assert again.record() == version
    assert again.version.startswith("hashmap:")


def test_what_has_not_changed_is_not_looked_at(sqlite_database, monkeypatch):
    add_rules()
    asked = []
    monkeypatch.setattr(HashMap, "snapshot", lambda self: asked.append(self) or {})
    rating = Rating()
    for _ in range(3):
        rating.begin_batch()
        rating.record()
    assert len(asked) == 1
    with db.session_for_write() as session:
        Rulebook(session).mapping("other", "1")
    rating.begin_batch()
    rating.record()
    assert len(asked) == 2


def test_a_rule_made_anew_is_another_rule(sqlite_database):
    """Prices are the same, but an explanation names the rule."""
    add_rules()
    rating = Rating()
    rating.begin_batch()
    version = rating.record()
    with db.session_for_write() as session:
        session.execute(
            sa.update(hashmap.Mapping)
            .where(hashmap.Mapping.mapping_id == "m1")
            .values(mapping_id="m2"),
        )
    rating.begin_batch()
    assert rating.record() != version


def test_modules_of_the_classic_form(sqlite_database):
    class Keeping(classic.adding("keeping", 1)):
        """Gives its one rule; has no version, so that it is asked each time."""

        amount = 1

        def process(self, data):
            out = DataFrame(data.start, data.end)
            for metric, point in data.iterpoints():
                out.add_point(point.set_price(point.price + self.amount), metric)
            return out

        def snapshot(self):
            return {"amount": self.amount}

        def restore(self, snapshot):
            self.amount = snapshot["amount"]

    plain = classic.doubling("plain")
    for name in ("keeping", "plain"):
        module_info.set_state(name, enabled=True)
    module_info.set_priority("keeping", 2)
    modules = Modules({"keeping": Keeping, "noop": Noop, "plain": plain}, {})
    rating = Rating(modules)
    assert rated(rating) == 2
    version = rating.record()
    Keeping.amount = 5
    assert rated(rating) == 10
    assert rating.record() != version

    rule_set = snapshots.load(version)
    assert rule_set.unrecorded == ("plain",)
    assert [module.name for module in rule_set.modules] == ["keeping", "noop", "plain"]
    module_info.set_state("keeping", enabled=False)
    assert rated(Rating(modules, rule_set)) == 2

    with pytest.raises(ModuleError, match="'keeping' is not installed any more"):
        Rating(Modules({"noop": Noop, "plain": plain}, {}), rule_set).begin_batch()


def test_classic_use_of_a_restored_module(sqlite_database):
    add_rules()
    found = HashMap().snapshot()
    with db.session_for_write() as session:
        session.execute(sa.delete(hashmap.Mapping))
    module = HashMap(tenant_id="a")
    module.restore(found)
    module.reload_config(timeutils.from_epoch(BEGIN))
    frame = DataFrame(
        timeutils.from_epoch(BEGIN),
        timeutils.from_epoch(BEGIN + 3600),
        {"cpu": [DataPoint("u", 2, 0, {}, {})]},
    )
    assert [point.price for _, point in module.process(frame).iterpoints()] == [6]


def test_scripts_of_a_restored_module_are_those_in_force(sqlite_database):
    scriptbook.add("data", end=LONG_AGO + dt.timedelta(days=1))
    scriptbook.add("data ", name="other")
    found = PyScripts().snapshot()
    scriptbook.clear()
    module = PyScripts()
    module.restore(found)
    module.begin_batch()
    assert [key.split()[-1] for key in module._scripts.at(END)] == ["other"]
    assert len(module._scripts.sources) == 2
