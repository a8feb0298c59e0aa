# SPDX-License-Identifier: Apache-2.0
"""What old databases have that they should not have: it stays, is mended, or is refused."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config import cfg

from cloudkitty import db
from cloudkitty.cli import modules, upgrade
from cloudkitty.db.migration import MigrationError
from cloudkitty.db.rebuild import digits_of
from cloudkitty.rating.hashmap import rules
from cloudkitty.rating.hashmap.store import service, threshold
from cloudkitty.rating.hashmap.store.parents import RuleFilter
from cloudkitty.tests.db import old_databases, old_rows
from cloudkitty.tests.db.test_adoption import dry_run, execute, run


def only(*names: str) -> pytest.MarkDecorator:
    service_of = {"sqlite": ()}
    return pytest.mark.parametrize(
        "engine_name",
        [pytest.param(n, marks=service_of.get(n, pytest.mark.service)) for n in names],
    )


@pytest.fixture
def half(empty_database: str) -> None:
    del empty_database
    old_databases.build("half")
    old_rows.fill(windows=False, scripts=True)


@pytest.fixture
def head(empty_database: str) -> None:
    del empty_database
    old_databases.build("head")
    old_rows.fill(windows=True, scripts=True, script_windows=True)


def foreign_keys() -> list[tuple[str, str, bool]]:
    query = (
        "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
        "WHERE conrelid = 'hashmap_mappings'::regclass AND contype = 'f' ORDER BY 1"
    )
    with db.get_engine().connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


@only("postgresql")
@pytest.mark.parametrize("orphan", [False, True])
def test_foreign_key_on_the_wrong_column_is_mended(
    empty_database: str, caplog: pytest.LogCaptureFixture, *, orphan: bool
) -> None:
    old_databases.build("half", crooked=True)
    old_rows.fill(windows=False, scripts=True)
    if orphan:  # nothing kept anybody from deleting its service
        execute("UPDATE hashmap_mappings SET service_id = 77 WHERE id = 201")
    before = old_rows.dump()

    run()

    old_rows.kept(before)
    keys = {name: (text, valid) for name, text, valid in foreign_keys()}
    text, valid = keys["fk_hashmap_mappings_service_id_hashmap_services"]
    assert "FOREIGN KEY (service_id) REFERENCES hashmap_services(id) ON DELETE CASCADE" in text
    assert valid is not orphan
    assert len(keys) == 3
    said = "1 mappings have a service_id that is not in hashmap_services: they never apply"
    assert (f"hashmap: {said}" in caplog.messages) == orphan
    execute("DELETE FROM hashmap_services WHERE id = 1")
    left = {row["id"] for row in old_rows.dump()["hashmap_mappings"]}
    assert left == ({201, 202, 203} if orphan else {202, 203})


@only("postgresql")
@pytest.mark.usefixtures("half")
def test_thresholds_get_the_type_of_new_databases() -> None:
    run()
    with db.get_engine().connect() as connection:
        query = (
            "SELECT udt_name FROM information_schema.columns "
            "WHERE table_name = 'hashmap_thresholds' AND column_name = 'map_type'"
        )
        assert connection.exec_driver_sql(query).scalar() == "enum_hashmap_type"
    found = threshold.get_all(RuleFilter(service_id=old_rows.uuid(1)))
    assert [one.type for one in found] == ["rate", "flat", "flat"]


@only("sqlite")
@pytest.mark.usefixtures("half")
def test_rows_whose_parent_is_gone_are_kept() -> None:
    execute("PRAGMA foreign_keys = OFF")
    engine = sa.create_engine(db.get_engine().url)  # as one that does not look after them
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM hashmap_services WHERE id = 4")
    before = old_rows.dump()
    run()
    old_rows.kept(before)
    with db.get_engine().connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


@only("sqlite")
@pytest.mark.usefixtures("half")
def test_copy_that_a_dead_migration_left_goes() -> None:
    execute(
        "CREATE TABLE _alembic_tmp_hashmap_mappings AS "
        "SELECT * FROM hashmap_mappings WHERE id < 104"
    )
    before = old_rows.dump()
    run()
    del before["_alembic_tmp_hashmap_mappings"]
    old_rows.kept(before)
    assert "_alembic_tmp_hashmap_mappings" not in old_rows.dump()


@only("sqlite")
@pytest.mark.usefixtures("half")
def test_copy_with_rows_of_its_own_is_refused() -> None:
    execute(
        "CREATE TABLE _alembic_tmp_hashmap_mappings AS SELECT * FROM hashmap_mappings",
        "DELETE FROM hashmap_mappings WHERE id = 100",
    )
    before = old_rows.state()
    with pytest.raises(MigrationError, match="has rows that hashmap_mappings has not"):
        run()
    assert old_rows.state() == before


@only("sqlite")
@pytest.mark.usefixtures("half")
def test_copy_without_its_table_is_refused_with_what_to_do() -> None:
    execute("ALTER TABLE hashmap_mappings RENAME TO _alembic_tmp_hashmap_mappings")
    with pytest.raises(MigrationError, match="tables are missing: hashmap_mappings") as refused:
        run()
    execute(str(refused.value).partition("give the database: ")[2])
    run()


@only("sqlite", "postgresql", "mysql")
@pytest.mark.usefixtures("half")
def test_what_others_have_added_is_told_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    execute(
        "CREATE TABLE bills (id INTEGER NOT NULL PRIMARY KEY)",
        "ALTER TABLE hashmap_mappings ADD COLUMN note VARCHAR(20)",
        "UPDATE hashmap_mappings SET note = 'x' WHERE id = 100",
        "CREATE INDEX by_note ON hashmap_mappings (note)",
        "CREATE VIEW noted AS SELECT note FROM hashmap_mappings",
    )
    before = old_rows.dump()
    caplog.set_level(logging.INFO)

    run()

    old_rows.kept(before)
    assert "columns of hashmap_mappings that are not ours stay as they are: note" in caplog.messages
    assert "tables of plug-ins or other software stay as they are: bills" in caplog.messages
    indexes = sa.inspect(db.get_engine()).get_indexes("hashmap_mappings")
    assert "by_note" in {index["name"] for index in indexes}
    with db.get_engine().connect() as connection:
        assert "x" in connection.exec_driver_sql("SELECT note FROM noted").scalars().all()


@only("sqlite")
@pytest.mark.usefixtures("half")
def test_triggers_stay() -> None:
    execute(
        "CREATE TABLE log (at TEXT)",
        "CREATE TRIGGER logged AFTER DELETE ON hashmap_mappings "
        "BEGIN INSERT INTO log VALUES ('10:00 %'); END",
    )
    run()
    execute("DELETE FROM hashmap_mappings WHERE id = 100")
    assert old_rows.dump()["log"] == [{"at": "10:00 %"}]


@only("mysql")
def test_tables_that_take_no_long_keys(empty_database: str) -> None:
    old_databases.build("half", row_format="ROW_FORMAT=COMPACT")
    old_rows.fill(windows=False, scripts=True)
    before = old_rows.dump()
    run()
    old_rows.kept(before)


@only("mysql")
@pytest.mark.usefixtures("head")
def test_rules_without_cost_are_kept_and_told(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(
        "UPDATE hashmap_mappings SET cost = NULL WHERE id = 100",
        "UPDATE hashmap_thresholds SET level = NULL WHERE id = 301",
    )
    before = old_rows.dump()
    dry_run()
    told = "hashmap: 1 mappings have no cost: nothing is rated until they have, or go"
    assert f"look at: {told}\n" in capsys.readouterr().out
    run()
    old_rows.kept(before)
    assert told in caplog.messages
    assert "hashmap: 1 thresholds have no level: they never apply" in caplog.messages
    with pytest.raises(ValueError, match="has no cost; give it one, or delete it"):
        rules.load()


@only("mysql")
@pytest.mark.usefixtures("head")
def test_names_are_told_apart_exactly() -> None:
    run()
    assert service.create("COMPUTE").name == "COMPUTE"
    nullable = {
        (table, column["name"]): column["nullable"]
        for table in ("hashmap_mappings", "hashmap_thresholds", "pyscripts_scripts")
        for column in sa.inspect(db.get_engine()).get_columns(table)
    }
    assert not nullable["hashmap_mappings", "cost"]
    assert not nullable["hashmap_thresholds", "cost"]
    assert not nullable["pyscripts_scripts", "checksum"]


@only("sqlite")
def test_storages_only(empty_database: str) -> None:
    """As on a host that keeps rules elsewhere, or has never run cloudkitty-dbsync."""
    old_databases.build_states()
    old_databases.build_storages()
    old_rows.fill_states()
    old_rows.fill_storages()
    before = old_rows.dump()
    run()
    old_rows.kept(before)
    assert {"ck_scope_leases", "hashmap_mappings"} <= old_rows.dump().keys()


@only("sqlite")
@pytest.mark.usefixtures("half")
def test_additions_of_a_newer_release_are_refused() -> None:
    run()
    execute("UPDATE hashmap_ext_alembic SET version_num = '9999'")
    with pytest.raises(MigrationError, match="hashmap_ext_alembic is at the unknown revision 9999"):
        dry_run()


@only("sqlite")
@pytest.mark.usefixtures("half")
def test_columns_that_are_not_those_of_the_revision_are_refused() -> None:
    execute("ALTER TABLE hashmap_mappings RENAME COLUMN cost TO price")
    before = old_rows.state()
    with pytest.raises(MigrationError, match=r"4e0232ce made: hashmap_mappings\.cost is missing"):
        run()
    assert old_rows.state() == before


@only("postgresql", "mysql")
@pytest.mark.usefixtures("half")
def test_columns_that_never_grew_do(capsys: pytest.CaptureFixture[str]) -> None:
    modify = (
        "ALTER COLUMN tenant_id TYPE VARCHAR(36), ALTER COLUMN cost TYPE NUMERIC(30, 28)"
        if db.get_engine().dialect.name == "postgresql"
        else "MODIFY tenant_id VARCHAR(36), MODIFY cost DECIMAL(30, 28) NOT NULL"
    )
    execute(
        "DELETE FROM hashmap_mappings WHERE cost > 50",
        "DELETE FROM hashmap_thresholds WHERE id = 302",
        f"ALTER TABLE hashmap_mappings {modify}",
        f"ALTER TABLE hashmap_thresholds {modify}",
    )
    before = old_rows.dump()
    dry_run()
    assert "cost" in capsys.readouterr().out
    run()
    old_rows.kept(before)
    for table in ("hashmap_mappings", "hashmap_thresholds"):
        columns = {c["name"]: c["type"] for c in sa.inspect(db.get_engine()).get_columns(table)}
        assert (columns["cost"].precision, columns["cost"].scale) == (40, 28)
        assert columns["tenant_id"].length == 255


@settings(max_examples=200)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1))
def test_numbers_of_sqlite_become_text_with_all_their_digits(number: float) -> None:
    text = digits_of(number, 28)
    assert Decimal(text) == Decimal(str(number))
    assert float(text) == float(number)
    assert "E" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), (0.1, "0.10"), (1, "1.00"), ("2.5", "2.50"), (1e-5, "0.00001"), ("odd", "odd")],
)
def test_text_of_a_number_is_filled_up(value: object, text: str | None) -> None:
    assert digits_of(value, 2) == text


@only("sqlite")
@pytest.mark.usefixtures("half")
def test_one_module_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = {"hashmap": modules.migration("hashmap")}
    upgrade.dry_run(chosen, cfg.CONF.database.connection, whole=False)
    told = capsys.readouterr().out
    assert told.startswith("hashmap: tables at 4e0232ce, migrating to 8a591f85865f\n")
    assert "pyscripts" not in told
    upgrade.upgrade(chosen, "head", whole=False)
    assert modules.migration("pyscripts").current() == ("75c205f6f1a2",)
