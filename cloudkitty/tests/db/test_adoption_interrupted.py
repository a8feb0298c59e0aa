# SPDX-License-Identifier: Apache-2.0
"""Migrations that die, upstream's or ours: where they can they leave nothing, else they go on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from oslo_db.exception import DBError

from cloudkitty import db
from cloudkitty.cli import modules, upgrade
from cloudkitty.tests.cli.commands import Commands, finish
from cloudkitty.tests.db import old_databases, old_rows
from cloudkitty.tests.db.test_adoption import HEADS, execute, run

MYSQL = pytest.mark.parametrize("engine_name", [pytest.param("mysql", marks=pytest.mark.service)])

#: What is done before an upstream migration of MySQL died: each statement was committed at once.
DROPPED = (
    "ALTER TABLE hashmap_mappings DROP INDEX uniq_field_mapping",
    "ALTER TABLE hashmap_mappings DROP INDEX uniq_service_mapping",
    "ALTER TABLE pyscripts_scripts DROP INDEX name",
)
ADDED = (
    "ALTER TABLE hashmap_mappings ADD COLUMN name VARCHAR(32) NOT NULL",
    "ALTER TABLE hashmap_mappings ADD COLUMN created_at DATETIME NOT NULL DEFAULT now()",
    "ALTER TABLE hashmap_mappings ADD COLUMN start DATETIME NOT NULL DEFAULT now()",
    "ALTER TABLE hashmap_mappings ADD COLUMN created_by VARCHAR(32) NOT NULL",
    "ALTER TABLE pyscripts_scripts ADD COLUMN start DATETIME NOT NULL DEFAULT now()",
    "ALTER TABLE pyscripts_scripts ADD COLUMN created_by VARCHAR(32) NULL",
)
FILLED = (
    "UPDATE hashmap_mappings SET name = 'kept', created_by = 'migration' WHERE id = 100",
    "UPDATE hashmap_mappings SET start = '1970-01-01 00:00:00' WHERE id = 100",
    "UPDATE pyscripts_scripts SET created_by = 'migration', start = '2014-01-01' WHERE id = 9",
)
# Only some of what is raised while a statement is executed is wrapped.
DIED = (RuntimeError, DBError)
CHANGES = frozenset({"ALTER", "CREATE", "DROP", "UPDATE", "INSERT"})


@pytest.fixture
def half(empty_database: str) -> dict[str, list[old_rows.Row]]:
    """A filled database at the revisions before the last; gives what is in it."""
    del empty_database
    old_databases.build("half")
    old_rows.fill(windows=False, scripts=True)
    return old_rows.dump()


def check(before: dict[str, list[old_rows.Row]]) -> None:
    old_rows.kept(before)
    after = old_rows.dump()
    for table, year in (("hashmap_mappings", "1970"), ("pyscripts_scripts", "2014")):
        assert {str(row["start"])[:4] for row in after[table]} == {year}
        assert {row["created_by"] for row in after[table]} == {"migration"}
    assert all(len(row["name"]) == 32 or row["id"] == 100 for row in after["hashmap_mappings"])
    trees = {**modules.migrations(), **modules.storage_trees()}
    for tree in ("cloudkitty", "hashmap", "pyscripts", "storage_states"):
        assert trees[tree].current() == (HEADS[tree],)


@MYSQL
@pytest.mark.parametrize(
    "done", [DROPPED[:1], DROPPED, DROPPED + ADDED, DROPPED + ADDED + FILLED], ids=len
)
def test_upstream_died(done: tuple[str, ...], half: dict[str, list[old_rows.Row]]) -> None:
    execute(*done)
    run()
    check(half)
    name = next(row["name"] for row in old_rows.dump()["hashmap_mappings"] if row["id"] == 100)
    assert (name == "kept") == (FILLED[0] in done)


@contextmanager
def dying_after(statements: int) -> Iterator[list[str]]:
    """Let the present engine execute that many changes of tables, and fail at the next."""
    done: list[str] = []

    def look(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.split(maxsplit=1)[0].upper() in CHANGES:
            if len(done) >= statements:
                raise RuntimeError("died")
            done.append(statement)

    engine = db.get_engine()
    sa.event.listen(engine, "before_cursor_execute", look)
    try:
        yield done
    finally:
        sa.event.remove(engine, "before_cursor_execute", look)


@MYSQL
def test_ours_dies_again_and_again_and_goes_on(half: dict[str, list[old_rows.Row]]) -> None:
    """Each run gets one change further than the one before, or dies at the same place."""
    run()
    wanted = old_rows.schema()
    execute(
        "SET FOREIGN_KEY_CHECKS = 0",
        *(f"DROP TABLE {table}" for table in wanted),
        "SET FOREIGN_KEY_CHECKS = 1",
    )
    old_databases.build("half")
    old_rows.fill(windows=False, scripts=True)
    alive, deaths, most = False, 0, 1
    while not alive:
        with dying_after(most) as done:
            try:
                run()
                alive = True
            except DIED:
                deaths += 1
        # Rows that are filled are filled again: that is not committed without the revision.
        most += all(statement.startswith(("UPDATE", "INSERT")) for statement in done)
        assert deaths < 200
    assert deaths > 15
    check(half)
    assert old_rows.schema() == wanted


@pytest.mark.parametrize(
    "engine_name", ["sqlite", pytest.param("postgresql", marks=pytest.mark.service)]
)
def test_ours_dies_and_leaves_nothing_where_that_is_possible(
    half: dict[str, list[old_rows.Row]],
) -> None:
    before = old_rows.state()
    tree = modules.migration("hashmap")
    with dying_after(1000) as done:
        try:
            with pytest.raises(ZeroDivisionError):
                _upgrade_and_fail(tree)
        finally:
            changes = len(done)
    assert old_rows.state() == before
    assert changes > 8
    for number in (0, changes // 2, changes - 1):
        with dying_after(number), pytest.raises(DIED, match="died"):
            tree.upgrade("head")
        assert old_rows.state() == before
    run()
    check(half)


def _upgrade_and_fail(tree: Any) -> None:
    """Upgrade, and fail when everything is done but the commit."""
    from cloudkitty.db import migration_lock

    with migration_lock.exclusive_connection(db.get_engine()) as connection:
        tree._run(connection, "head")
        raise ZeroDivisionError


@MYSQL
@pytest.mark.e2e
def test_the_command_is_killed(
    half: dict[str, list[old_rows.Row]], empty_database: str, tmp_path: Path
) -> None:
    commands = Commands(tmp_path, empty_database)
    with db.get_engine().connect() as reader:
        reader.exec_driver_sql("SELECT * FROM hashmap_mappings").all()  # nobody may change it now
        process = commands.start("cloudkitty-dbsync", "upgrade")
        _wait_for_the_lock(process)
        process.kill()
        process.communicate()
    done = commands.run("cloudkitty-dbsync", "upgrade")
    assert done.returncode == 0, done.stderr
    check(half)


def _wait_for_the_lock(process: subprocess.Popen[str]) -> None:
    query = sa.text(
        "SELECT COUNT(*) FROM information_schema.processlist "
        "WHERE db = DATABASE() AND state LIKE 'Waiting for table metadata lock%'"
    )
    deadline = time.monotonic() + 60
    with db.get_engine().connect() as connection:
        while not connection.scalar(query):
            connection.rollback()
            assert process.poll() is None, finish(process)
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_dry_run_makes_no_file(
    capsys: pytest.CaptureFixture[str], conf: Any, tmp_path: Path
) -> None:
    path = tmp_path / "no such.sqlite"
    upgrade.dry_run(modules.migrations(), f"sqlite:///{path}", whole=True)
    told = capsys.readouterr().out
    assert "hashmap: no tables yet, creating them at 8a591f85865f" in told
    assert "    CREATE TABLE hashmap_mappings" in told
    assert not path.exists()
