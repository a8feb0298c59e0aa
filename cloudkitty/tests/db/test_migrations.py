# SPDX-License-Identifier: Apache-2.0
"""Migrations: what they make, what they recognise, what they refuse."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from cloudkitty import db
from cloudkitty.db import schema
from cloudkitty.db.migration import MigrationError
from cloudkitty.db.subtree import SubTree

PACKAGES = {
    "cloudkitty": "cloudkitty.db.migrations",
    "hashmap": "cloudkitty.rating.hashmap.migrations",
    "pyscripts": "cloudkitty.rating.pyscripts.migrations",
    "storage_sqlalchemy": "cloudkitty.storage.v1.sqlalchemy.migrations",
    "storage_states": "cloudkitty.state.migrations",
    "storage_v2_sqlalchemy": "cloudkitty.storage.v2.sqlalchemy.migrations",
}
HEADS = {
    "cloudkitty": "385e33fef139",
    "hashmap": "8a591f85865f",
    "pyscripts": "c6e4cda29654",
    "storage_sqlalchemy": "d875621d0384",
    "storage_states": "9feccd32",
}


def migration(name: str) -> SubTree:
    found: SubTree = importlib.import_module(PACKAGES[name]).get_migration()
    return found


def upgrade_all() -> None:
    for name in PACKAGES:
        migration(name).upgrade()


def tables() -> set[str]:
    return set(sa.inspect(db.get_engine()).get_table_names())


def execute(*statements: str) -> None:
    with db.get_engine().begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def everything() -> dict[str, Any]:
    """Reflect all tables into something that can be compared."""
    inspector = sa.inspect(db.get_engine())
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(name)],
            sorted(map(str, inspector.get_indexes(name))),
            sorted(map(str, inspector.get_unique_constraints(name))),
            sorted(map(str, inspector.get_foreign_keys(name))),
        )
        for name in inspector.get_table_names()
    }


def test_every_sub_tree_is_tested() -> None:
    assert set(PACKAGES) == set(schema.SUB_TREES)
    for name in PACKAGES:
        assert migration(name).models == schema.SUB_TREES[name]
        assert migration(name).name == name


@pytest.mark.parametrize("name", HEADS)
def test_heads_are_those_of_upstream(name: str) -> None:
    assert migration(name).heads()[f"{name}_alembic"] == HEADS[name]


@pytest.mark.usefixtures("empty_database")
def test_migrations_make_the_tables_of_the_models() -> None:
    upgrade_all()
    metadata = sa.MetaData()
    for name in PACKAGES:
        for table in migration(name).metadata.tables.values():
            table.to_metadata(metadata)
    with db.get_engine().connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: (
                    kind != "table" or not name.endswith("_alembic")
                ),
                "compare_type": compare_type,
                "compare_server_default": False,
            },
        )
        assert compare_metadata(context, metadata) == []


def compare_type(
    context: MigrationContext, inspected: Any, _metadata_column: Any, found: Any, wanted: Any
) -> bool | None:
    if context.dialect.name != "sqlite":
        return None  # as alembic compares
    # Lengths mean nothing there, so additive migrations leave them.
    return found._type_affinity is not wanted.dialect_impl(context.dialect)._type_affinity


@pytest.mark.usefixtures("empty_database")
def test_models_and_migrations_make_the_same_columns_and_constraints() -> None:
    """Alembic does not look at everything, so compare what the engine says of both."""
    upgrade_all()
    migrated = {k: v for k, v in everything().items() if not k.endswith("_alembic")}
    with db.get_engine().begin() as connection:
        for name in reversed(PACKAGES):
            migration(name).metadata.drop_all(connection)
    schema.create_all(db.get_engine())
    created = {k: v for k, v in everything().items() if not k.endswith("_alembic")}
    if db.get_engine().dialect.name == "sqlite":
        for table in ("hashmap_mappings", "pyscripts_scripts"):
            columns, *rest = created[table]
            shorter = [
                (name, "VARCHAR(32)" if name.endswith("ed_by") else kind, nullable)
                for name, kind, nullable in columns
            ]
            created[table] = (shorter, *rest)
    assert migrated == created


@pytest.mark.usefixtures("empty_database")
def test_upgrade_again_changes_nothing() -> None:
    upgrade_all()
    execute("INSERT INTO modules_state (name, state, priority) VALUES ('hashmap', '1', 7)")
    before = everything()
    upgrade_all()
    assert everything() == before
    with db.session_for_read() as session:
        assert session.scalar(sa.text("SELECT priority FROM modules_state")) == 7


@pytest.mark.usefixtures("empty_database")
def test_version_tables_are_as_alembic_makes_them() -> None:
    upgrade_all()
    for name in PACKAGES:
        subtree = migration(name)
        assert subtree.is_current()
        assert subtree.current() == (subtree.heads()[f"{name}_alembic"],)
        for table in subtree.heads():
            (column,) = sa.inspect(db.get_engine()).get_columns(table)
            assert (column["name"], column["type"].length) == ("version_num", 32)


@pytest.mark.usefixtures("empty_database")
def test_reading_the_version_creates_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for name in PACKAGES:
        assert migration(name).current() == ()
        assert not migration(name).is_current()
        migration(name).version()
    assert tables() == set()
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("empty_database")
def test_version_marks_the_head_only(capsys: pytest.CaptureFixture[str]) -> None:
    migration("hashmap").upgrade()
    migration("hashmap").version()
    assert capsys.readouterr().out == "8a591f85865f (head)\n"
    execute("UPDATE hashmap_alembic SET version_num = '4e0232ce'")
    migration("hashmap").version()
    assert capsys.readouterr().out == "4e0232ce\n"


@pytest.mark.usefixtures("empty_database")
def test_upgrade_to_base_does_nothing() -> None:
    migration("hashmap").upgrade("base")
    assert tables() == set()
    migration("hashmap").upgrade()
    before = everything()
    migration("hashmap").upgrade("base")
    assert everything() == before


@pytest.mark.usefixtures("empty_database")
def test_unknown_target_revision_is_refused() -> None:
    with pytest.raises(MigrationError, match="Can't locate revision identified by 'bogus'"):
        migration("hashmap").upgrade("bogus")


@pytest.mark.usefixtures("empty_database")
@pytest.mark.parametrize("name", HEADS)
def test_unknown_revision_in_the_database_is_refused(name: str) -> None:
    migration(name).upgrade()
    execute(f"UPDATE {name}_alembic SET version_num = 'deadbeef'")
    before = everything()
    with pytest.raises(MigrationError, match=f"^{name}: .*unknown revision deadbeef"):
        migration(name).upgrade()
    assert everything() == before


@pytest.mark.usefixtures("empty_database")
@pytest.mark.parametrize(
    ("name", "older"),
    [
        ("cloudkitty", "2ac2217dcbd9"),
        ("hashmap", "644faa4491fd"),
        ("pyscripts", "4f9efa4601c0"),
        ("storage_sqlalchemy", "c703a1bad612"),
        ("storage_states", "4d69395f"),
    ],
)
def test_releases_that_are_too_old_are_refused(name: str, older: str) -> None:
    migration(name).upgrade()
    execute(f"UPDATE {name}_alembic SET version_num = '{older}'")
    with pytest.raises(MigrationError, match=rf"^{name}: .* at {older}, from an older release"):
        migration(name).upgrade()


@pytest.mark.usefixtures("empty_database")
def test_several_rows_are_refused() -> None:
    migration("hashmap").upgrade()
    execute("INSERT INTO hashmap_alembic VALUES ('4e0232ce')")
    with pytest.raises(MigrationError, match="2 rows"):
        migration("hashmap").upgrade()


@pytest.mark.usefixtures("empty_database")
@pytest.mark.parametrize("table", ["hashmap_groups", "hashmap_maps"])
def test_unmanaged_tables_are_refused(table: str) -> None:
    execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)")
    with pytest.raises(MigrationError, match=f"no revision: {table}.*stamp --module hashmap"):
        migration("hashmap").upgrade()
    assert tables() == {table}


@pytest.mark.usefixtures("empty_database")
def test_interrupted_migration_is_refused() -> None:
    """As MySQL leaves it: version table empty, some tables made."""
    migration("hashmap").upgrade()
    execute("DELETE FROM hashmap_alembic", "DROP TABLE hashmap_thresholds")
    with pytest.raises(MigrationError, match=r"hashmap_services.*interrupted"):
        migration("hashmap").upgrade()


@pytest.mark.usefixtures("empty_database")
def test_missing_tables_are_named() -> None:
    migration("hashmap").upgrade()
    execute("DROP TABLE hashmap_thresholds")
    with pytest.raises(MigrationError, match="missing: hashmap_thresholds"):
        migration("hashmap").upgrade()


@pytest.mark.usefixtures("empty_database")
def test_fingerprint_of_the_head_is_verified() -> None:
    migration("cloudkitty").upgrade()
    execute("ALTER TABLE modules_state DROP COLUMN priority")
    with pytest.raises(MigrationError, match=r"modules_state\.priority is missing"):
        migration("cloudkitty").upgrade()
    migration("storage_sqlalchemy").upgrade()
    table = " ON rated_data_frames" if db.get_engine().dialect.name == "mysql" else ""
    execute(f"DROP INDEX idx_tenantid_begin_end{table}")
    with pytest.raises(MigrationError, match=r"idx_tenantid_begin_end of .* is missing"):
        migration("storage_sqlalchemy").upgrade()


@pytest.mark.usefixtures("empty_database")
def test_database_at_head_of_upstream_is_adopted() -> None:
    """Without our additive history: upstream's tables and rows stay, ours are added."""
    for name in HEADS:
        migration(name).upgrade()
    execute(
        "DROP TABLE hashmap_ext_alembic",
        "DROP TABLE storage_states_ext_alembic",
        "DROP TABLE ck_scope_leases",
        "INSERT INTO hashmap_services (id, service_id, name) VALUES (1, 'x', 'compute')",
    )
    for name, head in HEADS.items():
        migration(name).upgrade()
        assert migration(name).is_current()
        assert migration(name).current() == (head,)
    assert "ck_scope_leases" in tables()
    with db.session_for_read() as session:
        assert session.scalar(sa.text("SELECT name FROM hashmap_services")) == "compute"


@pytest.mark.usefixtures("empty_database")
def test_stamp_records_the_head_and_heals_a_broken_table() -> None:
    subtree = migration("hashmap")
    subtree.upgrade()
    execute("INSERT INTO hashmap_alembic VALUES ('deadbeef')")
    subtree.stamp()
    assert subtree.current() == ("8a591f85865f",)
    subtree.upgrade()
    with pytest.raises(MigrationError, match="Can't locate revision identified by 'bogus'"):
        subtree.stamp("bogus")
    assert subtree.current() == ("8a591f85865f",)


@pytest.mark.usefixtures("empty_database")
def test_failed_migration_leaves_nothing_where_ddl_is_transactional(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if db.get_engine().dialect.name == "mysql":
        pytest.skip("MySQL commits DDL at once")
    from cloudkitty.db import additions

    def fail(*_args: Any) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(additions, "create_index", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        migration("hashmap").upgrade()
    assert tables() == set()


@pytest.mark.usefixtures("empty_database")
def test_concurrent_upgrades_wait_for_one_another() -> None:
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(upgrade_all) for _ in range(4)]:
            future.result(timeout=60)
    assert all(migration(name).is_current() for name in PACKAGES)
