# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-dbsync`` as operators run it (contract config.md 4.2)."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.tests.cli.commands import Commands, finish, refusal

pytestmark = pytest.mark.e2e

DBSYNC = "cloudkitty-dbsync"
HEADS = {
    "cloudkitty": "385e33fef139",
    "hashmap": "8a591f85865f",
    "pyscripts": "c6e4cda29654",
}


@pytest.fixture
def commands(empty_database: str, tmp_path: Path) -> Commands:
    return Commands(tmp_path, empty_database)


@pytest.fixture
def sqlite(tmp_path: Path) -> Commands:
    return Commands(tmp_path, f"sqlite:///{tmp_path}/test.sqlite")


def tables() -> set[str]:
    return set(sa.inspect(db.get_engine()).get_table_names())


def test_upgrade_makes_the_tables_and_again_changes_nothing(commands: Commands) -> None:
    done = commands.run(DBSYNC, "upgrade")
    assert (done.returncode, done.stdout) == (0, ""), done
    made = tables()
    assert {"modules_state", "hashmap_mappings"} <= made
    for module, head in HEADS.items():
        assert f"{module}: no tables yet, creating them at {head}" in done.stderr
        version = commands.run(DBSYNC, "version", "--module", module)
        assert (version.returncode, version.stdout) == (0, f"{head} (head)\n")
    again = commands.run(DBSYNC, "upgrade")
    assert (again.returncode, again.stdout) == (0, "")
    assert "Running upgrade" not in again.stderr
    assert tables() == made


def test_hosts_that_upgrade_at_once_wait_for_one_another(commands: Commands) -> None:
    started = [
        commands.start(*command)
        for command in [(DBSYNC, "upgrade"), ("cloudkitty-storage-init",)] * 2
    ]
    for done in map(finish, started):
        assert done.returncode == 0, done
    assert commands.run("cloudkitty-status", "upgrade", "check").returncode == 0


def test_one_module_at_a_time(sqlite: Commands) -> None:
    assert sqlite.run(DBSYNC, "upgrade", "--module", "hashmap").returncode == 0
    assert sqlite.run(DBSYNC, "version", "--module", "hashmap").stdout == "8a591f85865f (head)\n"
    assert sqlite.run(DBSYNC, "version", "--module", "cloudkitty").stdout == ""


def test_stamp_records_without_migrating(sqlite: Commands) -> None:
    assert sqlite.run(DBSYNC, "stamp", "--module", "hashmap").returncode == 0
    assert sqlite.run(DBSYNC, "version", "--module", "hashmap").stdout == "8a591f85865f (head)\n"
    done = sqlite.run(DBSYNC, "upgrade")
    assert "hashmap: hashmap_alembic says 8a591f85865f, but tables are missing" in refusal(done)


@pytest.mark.parametrize("command", ["upgrade", "stamp"])
def test_unknown_revision(command: str, sqlite: Commands) -> None:
    done = sqlite.run(DBSYNC, command, "--module", "hashmap", "--revision", "bogus")
    assert refusal(done) == "Can't locate revision identified by 'bogus'"


def test_revisions_of_all_modules_at_once(sqlite: Commands) -> None:
    done = sqlite.run(DBSYNC, "upgrade", "--revision", "foo")
    expected = "MultipleModulesRevisions: Can't apply revision foo to multiple modules."
    assert refusal(done) == expected
    done = sqlite.run(DBSYNC, "upgrade", "--revision", "base")
    assert (done.returncode, done.stdout) == (0, "")
    assert not (sqlite.directory / "test.sqlite").exists()


@pytest.mark.parametrize(
    ("command", "module"),
    [("upgrade", "noop"), ("version", "nosuch"), ("stamp", "noop"), ("revision", "nosuch")],
)
def test_module_without_tables(command: str, module: str, sqlite: Commands) -> None:
    done = sqlite.run(DBSYNC, command, "--module", module)
    assert refusal(done) == f"ModuleNotFound: Module {module} not found"


def test_newer_database_is_left_alone(sqlite: Commands) -> None:
    assert sqlite.run(DBSYNC, "upgrade").returncode == 0
    engine = sa.create_engine(f"sqlite:///{sqlite.directory}/test.sqlite")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE hashmap_alembic SET version_num = 'deadbeef'")
    engine.dispose()
    line = refusal(sqlite.run(DBSYNC, "upgrade"))
    assert "hashmap: hashmap_alembic is at the unknown revision deadbeef" in line


def test_dry_run_tells_and_changes_nothing(sqlite: Commands) -> None:
    database = sqlite.directory / "test.sqlite"
    done = sqlite.run(DBSYNC, "upgrade", "--dry-run")
    assert done.returncode == 0, done
    assert "hashmap: no tables yet, creating them at 8a591f85865f\n" in done.stdout
    assert not database.exists()
    assert sqlite.run(DBSYNC, "upgrade").returncode == 0
    before = database.read_bytes()
    done = sqlite.run(DBSYNC, "upgrade", "--module", "cloudkitty", "--dry-run")
    assert done.returncode == 0
    first, *tables, last = done.stdout.splitlines()
    assert first == "cloudkitty: tables at 385e33fef139, the newest revision; nothing to do"
    assert "  modules_state: 0 rows kept" in tables
    assert all(line.endswith(": 0 rows kept") for line in tables)
    assert last == "Nothing was changed."
    assert database.read_bytes() == before


def test_tables_of_the_storage_are_migrated_where_they_are(sqlite: Commands) -> None:
    assert sqlite.run(DBSYNC, "upgrade").returncode == 0
    assert sqlite.run(DBSYNC, "version", "--module", "storage_states").stdout == ""
    assert sqlite.run("cloudkitty-storage-init").returncode == 0
    done = sqlite.run(DBSYNC, "version", "--module", "storage_states")
    assert done.stdout == "9feccd32 (head)\n"
    done = sqlite.run(DBSYNC, "upgrade")
    assert "storage_states: tables at 9feccd32, the newest revision; nothing to do" in done.stderr


@pytest.mark.parametrize(
    "args",
    [(), ("nosuch",), ("upgrade", "--nosuch"), ("version",)],
)
def test_usage_errors(args: tuple[str, ...], sqlite: Commands) -> None:
    done = sqlite.run(DBSYNC, *args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: cloudkitty-dbsync")
    # Of a sub-command it says "cloudkitty-dbsync version: error: ...".
    assert re.match("cloudkitty-dbsync( [a-z]+)?: error: ", done.stderr.splitlines()[-1])


def test_version_of_the_product(sqlite: Commands) -> None:
    done = sqlite.run(DBSYNC, "--version")
    assert (done.returncode, done.stdout.strip()) == (0, importlib.metadata.version("cloudkitty"))


def test_missing_configuration_file(sqlite: Commands) -> None:
    done = sqlite.run(DBSYNC, "--config-file", "/nonexistent.conf", "upgrade")
    assert refusal(done) == "Failed to find some config files: /nonexistent.conf"
