# SPDX-License-Identifier: Apache-2.0
"""Reading of the rules, on every SQL engine; the version that stands for them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty import db
from cloudkitty.rating.hashmap import HashMap, rules
from cloudkitty.rating.hashmap.rules import DEFAULT_GROUP, MappingRule, Price, ThresholdRule
from cloudkitty.tests.rating.hashmap.rulebook import LONG_AGO, Rulebook

END = dt.datetime(2024, 5, 1, 12, 30, 15)  # noqa: DTZ001 - rule dates are naive


def fill():
    with db.session_for_write() as session:
        book = Rulebook(session)
        book.parent("idle")
        book.mapping(
            "cpu", "0.0010000000000000000000000001", group="g", kind="rate", mapping_id="m1"
        )
        book.mapping(
            "cpu/flavor", "100", value="m1.Großé 🐱 ", tenant_id="Ab", end=END, mapping_id="m2"
        )
        book.mapping("cpu", "7", deleted=END)
        book.threshold("cpu", "1.12345678", "-3.5", kind="rate", threshold_id="t1")
        book.threshold("cpu/flavor", "0", "2", group="g", tenant_id="a", threshold_id="t2")


def test_rules_as_read(database):
    fill()
    found = rules.load()
    assert found.services == ("cpu", "idle")
    assert found.mappings == (
        MappingRule(
            "cpu",
            None,
            "g",
            None,
            Price(flat=False, cost=Decimal("0.0010000000000000000000000001")),
            None,
            LONG_AGO,
            None,
            "m1",
        ),
        MappingRule(
            "cpu",
            "flavor",
            DEFAULT_GROUP,
            "m1.Großé 🐱 ",
            Price(flat=True, cost=Decimal(100)),
            "Ab",
            LONG_AGO,
            END,
            "m2",
        ),
    )
    assert found.thresholds == (
        ThresholdRule(
            "cpu",
            None,
            DEFAULT_GROUP,
            Decimal("1.12345678"),
            Price(flat=False, cost=Decimal("-3.5")),
            None,
            id="t1",
        ),
        ThresholdRule(
            "cpu", "flavor", "g", Decimal(0), Price(flat=True, cost=Decimal(2)), "a", id="t2"
        ),
    )
    # The same text whatever the engine: it may be compared between databases.
    assert found.version() == "44015d6d00276e39"


def test_reading_takes_five_statements(database):
    fill()
    rules.load()
    statements = []

    def note(_conn, _cursor, statement, *_rest):
        if statement.lstrip().upper().startswith("SELECT"):
            statements.append(statement)

    sa.event.listen(db.get_engine(), "before_cursor_execute", note)
    rules.load()
    assert len(statements) == 5


def test_what_was_compiled_is_kept_while_the_rules_are(sqlite_database):
    fill()
    first, second = HashMap(), HashMap(tenant_id="x")
    first.begin_batch()
    second.reload_config()
    assert first._tariffs is second._tariffs
    with db.session_for_write() as session:
        Rulebook(session).mapping("other", "1")
    first.begin_batch()
    assert first._tariffs is not second._tariffs
    assert first.version != second.version


def test_nothing_is_read_when_a_module_is_made(sqlite_database):
    with db.session_for_write() as session:
        session.connection().exec_driver_sql("DROP TABLE hashmap_mappings")
    module = HashMap(tenant_id="a")
    assert module.module_name == "hashmap"
    assert module.description == "HashMap rating module."
    assert module.hot_config is True
    assert HashMap.config_controller.__name__ == "HashMapConfigController"
    assert callable(HashMap.db_api.get_migration)


@pytest.mark.service
@pytest.mark.parametrize("engine_name", ["mysql"])  # whose old tables allow it
def test_a_rule_without_cost_is_named(database):
    with db.session_for_write() as session:
        rule = Rulebook(session).mapping("cpu", "1").mapping_id
    with db.session_for_write() as session:
        connection = session.connection()
        connection.exec_driver_sql("ALTER TABLE hashmap_mappings MODIFY cost NUMERIC(40,28) NULL")
        connection.exec_driver_sql("UPDATE hashmap_mappings SET cost = NULL")
    with pytest.raises(ValueError, match=f"mapping {rule} has no cost"):
        rules.load()


def test_a_threshold_without_level_is_ignored(database):
    with db.session_for_write() as session:
        book = Rulebook(session)
        book.threshold("cpu", "1", "2")
        book.threshold("cpu", None, "3")
    assert [rule.level for rule in rules.load().thresholds] == [1]


def test_old_sqlite_costs_are_read_by_their_shortest_text(sqlite_database):
    fill()
    with db.session_for_write() as session:
        connection = session.connection()
        # A column of such a database has numeric affinity, as this one.
        connection.exec_driver_sql("ALTER TABLE hashmap_mappings DROP COLUMN cost")
        connection.exec_driver_sql(
            "ALTER TABLE hashmap_mappings ADD COLUMN cost NUMERIC(40,28) NOT NULL DEFAULT 0.001"
        )
    assert {rule.price.cost for rule in rules.load().mappings} == {Decimal("0.001")}


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value="-1e12", max_value="1e12"))
def test_trimmed(number):
    short = rules.trimmed(number)
    assert short == number
    text = format(short, "f")
    assert "." not in text or not text.endswith("0")
    assert short.as_tuple().exponent <= 0
