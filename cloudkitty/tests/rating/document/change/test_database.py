# SPDX-License-Identifier: Apache-2.0
"""Rules from the database and into it: everything or nothing, and the same again."""
# ruff: noqa: E501 - a rule is a line in the document too

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings

from cloudkitty import db
from cloudkitty.db import changes
from cloudkitty.db.changes import reading
from cloudkitty.rating import document
from cloudkitty.rating.common.errors import InvalidError, RuleError
from cloudkitty.rating.dates import local_now
from cloudkitty.rating.document import model, writer
from cloudkitty.rating.document.change import database, live
from cloudkitty.rating.document.change.plan import plan
from cloudkitty.rating.document.change.windows import Clock
from cloudkitty.rating.hashmap import rules as engine
from cloudkitty.rating.hashmap.models import Service
from cloudkitty.rating.hashmap.store import field, group, mapping, service
from cloudkitty.rating.pyscripts import scripts as loaded
from cloudkitty.tests.rating.document.rules import documents
from cloudkitty.tests.rating.hashmap import rulebook
from cloudkitty.tests.rating.pyscripts import scriptbook

TEXT = """\
hashmap:
  groups: [g, "n, \\"x\\""]
  services:
    compute:
      mappings:
      - {type: flat, cost: "0.0000000000000000000000000001", start: "2024-01-01T00:00:00"}
      - {type: rate, cost: "-999999999999.5", group: g, tenant: t, start: "2024-01-01T00:00:00", end: "2030-01-01T00:00:00", name: "n", description: "d: 1"}
      thresholds:
      - {level: "0.00000001", type: flat, cost: "2"}
      - {level: "10", type: rate, cost: "0.9", group: "n, \\"x\\"", tenant: t}
      fields:
        flavor:
          mappings:
          - {value: "1.0", type: flat, cost: "3", start: "2024-01-01T00:00:00", end: "2024-02-01T00:00:00"}
          - {value: "1.0", type: flat, cost: "4", start: "2024-02-01T00:00:00"}
        unused: {}
    nothing: {}
pyscripts:
- name: b
  start: "2024-01-01T00:00:00"
  data: |
    # naïve
    data["usage"] = {}
- name: a
  start: "2024-01-01T00:00:00"
  end: "2024-02-01T00:00:00"
  description: second
  data: ""
modules:
  hashmap: {enabled: true, priority: 5}
  noop: {enabled: true, priority: 1}
  pyscripts: {enabled: true, priority: 1}
"""


def apply(text: str, clock: Clock | None = None) -> list[str]:
    """Apply a document, by force; gives what was done."""
    now = local_now()
    clock = clock or Clock(now, (now + dt.timedelta(seconds=30)).replace(microsecond=0))
    wanted = document.loads(text, "r.yaml", strict=False)
    found = plan(wanted, database.load(), clock)
    database.apply(wanted, found, clock, "alice")
    return [step.text() for step in found.steps]


def export() -> str:
    return writer.dump(database.load().document())


def test_what_is_exported_gives_the_same_again(database: str) -> None:
    done = apply(TEXT)

    assert len(done) == 16
    assert export() == TEXT
    assert apply(export()) == []
    # And the same prices.
    wanted = document.loads(TEXT)
    found = engine.load()
    assert [rule[:-1] for rule in found.mappings] == [rule[:-1] for rule in wanted.hashmap.mappings]
    assert [rule[:-1] for rule in found.thresholds] == [
        rule[:-1] for rule in wanted.hashmap.thresholds
    ]
    assert [script.name for script in loaded.load().scripts] == ["b", "a"]
    # Who did it is known.
    (rule,) = [one for one in mapping.get_all(mapping.MappingFilter()) if one.name == "n"]
    assert rule.created_by == "alice"

    # A new price ends the old one.
    apply("hashmap: {services: {s: {mappings: [{cost: 1, start: 2024-01-01}]}}}")
    apply("hashmap: {services: {s: {mappings: [{cost: 2}]}}}")
    s = next(one.service_id for one in service.get_all() if one.name == "s")
    old, new = mapping.get_all(mapping.MappingFilter(service_id=s))
    assert (old.cost, new.cost) == (1, 2)
    assert old.end == new.start
    assert old.end > local_now()
    assert new.end is None
    assert old.updated_by == new.created_by == "alice"


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rules=documents())
def test_any_rules_round_trip(sqlite_database: str, rules: model.Document) -> None:
    rulebook.clear()
    scriptbook.clear()
    text = writer.dump(dataclasses.replace(rules, modules={}))
    apply(text)
    exported = export()

    rulebook.clear()
    scriptbook.clear()
    apply(exported)
    assert export() == exported
    assert apply(exported) == []
    # MappingRule and ThresholdRule end with the id that the database gives.
    wanted = document.loads(exported).hashmap
    found = engine.load()
    assert found.services == wanted.services
    assert {rule[:-1] for rule in found.mappings} == {rule[:-1] for rule in wanted.mappings}


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(old=documents(), new=documents())
def test_any_rules_become_any_others(
    sqlite_database: str, old: model.Document, new: model.Document
) -> None:
    """No step meets another one on the way, and the same again needs nothing."""
    rulebook.clear()
    scriptbook.clear()
    texts = [writer.dump(dataclasses.replace(one, modules={})) for one in (old, new)]
    apply(texts[0])
    with contextlib.suppress(document.DocumentError):  # two of one name
        apply(texts[1])
        assert apply(texts[1]) == []


def test_what_changes_is_in_the_history(sqlite_database: str) -> None:
    with changes.acting(changes.Actor(changes.COMMAND, "alice")):
        apply("hashmap: {services: {s: {mappings: [{cost: 1, start: 2024-01-01, name: n}]}}}")
        apply("hashmap: {}\nmodules: {hashmap: {enabled: true}}")

    with db.session_for_read() as session:
        found = list(reading.entries(session, reading.Wanted()))[::-1]
    assert [(entry.kind, entry.action, entry.user_id) for entry in found] == [
        ("hashmap service", "create", "alice"),
        ("hashmap mapping", "create", "alice"),
        ("hashmap mapping", "update", "alice"),
        ("module", "update", "alice"),
    ]


def test_all_or_nothing(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apply("hashmap: {groups: [old], services: {s: {mappings: [{cost: 1, start: 2024-01-01}]}}}")
    before = export()
    text = TEXT.replace("nothing: {}", "nothing: {fields: {f: {}}}")
    calls = []

    def break_off(name: str, service_id: str) -> None:
        calls.append(name)
        if name == "f":
            raise InvalidError("no more")
        return real(name, service_id)

    real = field.create
    monkeypatch.setattr(field, "create", break_off)
    with pytest.raises(InvalidError, match="no more"):
        apply(text)
    assert calls == ["flavor", "unused", "f"]
    assert export() == before


def test_what_was_shown_is_what_is_done(sqlite_database: str) -> None:
    now = local_now()
    clock = Clock(now, now + dt.timedelta(seconds=30))
    wanted = document.loads("hashmap: {services: {s: {mappings: [{cost: 1}]}}}")
    shown = plan(wanted, database.load(), clock)
    service.create("other")

    with pytest.raises(database.ChangedMeanwhileError):
        database.apply(wanted, shown, clock, "alice")
    assert [one.name for one in service.get_all()] == ["other"]


@pytest.mark.parametrize("engine_name", [pytest.param("mysql", marks=pytest.mark.service)])
def test_names_that_only_the_database_takes_for_the_same(database: str) -> None:
    with db.session_for_write() as session:
        session.add(Service(name="other"))
    with db.get_engine().begin() as connection:
        # As tables are that were made by other releases.
        connection.exec_driver_sql(
            "ALTER TABLE hashmap_services MODIFY name VARCHAR(255) COLLATE utf8mb4_general_ci"
        )
    with pytest.raises(RuleError, match="the database takes two names for the same: "):
        apply("hashmap: {services: {OTHER: {mappings: [{cost: 1}]}, other: }}")
    assert [one.name for one in service.get_all()] == ["other"]


def test_history_is_kept(sqlite_database: str) -> None:
    """A deleted mapping goes with its service, and moves with its group: so these stay."""
    g, s = group.create("g").group_id, service.create("s").service_id
    made = mapping.create(mapping.NewMapping(cost=Decimal(1), service_id=s, group_id=g), "bob")
    mapping.delete(made.mapping_id, "bob")
    service.create("empty")
    group.create("unused")

    assert apply("hashmap: {}") == ["remove service empty", "remove group unused"]
    assert mapping.get(made.mapping_id).group_id == g


def test_rules_without_a_price_are_not_exported() -> None:
    bad = {"mapping_id": "m", "service_id": "s", "field_id": None, "group_id": None, "type": "flat"}
    with pytest.raises(ValueError, match="mapping m has no cost"):
        live.assemble(
            services=[{"service_id": "s", "name": "compute"}],
            fields=[],
            groups=[],
            mappings=[bad | {"tenant_id": None, "cost": None, "deleted": None}],
            thresholds=[],
            scripts=[],
            modules=[],
        )
