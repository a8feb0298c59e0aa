# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-storage-init`` as operators run it (contract config.md 4.3)."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.tests.cli.commands import Commands, refusal

pytestmark = pytest.mark.e2e

INIT = "cloudkitty-storage-init"


def test_makes_the_tables_and_again_changes_nothing(empty_database: str, tmp_path: Path) -> None:
    commands = Commands(tmp_path, empty_database)
    for _ in range(2):
        done = commands.run(INIT)
        assert (done.returncode, done.stdout) == (0, ""), done
        names = set(sa.inspect(db.get_engine()).get_table_names())
        assert {"cloudkitty_storage_states", "ck_scope_leases", "ck_points", "ck_periods"} <= names
        assert "modules_state" not in names  # those are the other command's


@pytest.mark.parametrize("version", [1, 2])
def test_unknown_backend(version: int, tmp_path: Path) -> None:
    storage = {"version": version, "backend": "nosuch"}
    done = Commands(tmp_path, f"sqlite:///{tmp_path}/x.sqlite", storage=storage).run(INIT)
    assert refusal(done) == (
        f"[storage] backend: No 'cloudkitty.storage.v{version}.backends' driver found, "
        "looking for 'nosuch'"
    )


def test_value_that_is_not_valid(tmp_path: Path) -> None:
    done = Commands(tmp_path, "sqlite://", storage={"version": 3}).run(INIT)
    assert refusal(done).startswith("[storage] version: ")


def test_states_that_are_not_understood(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    commands = Commands(tmp_path, f"sqlite:///{path}")
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE storage_states_alembic (version_num VARCHAR(32))")
        connection.exec_driver_sql("INSERT INTO storage_states_alembic VALUES ('cafecafe')")
    line = refusal(commands.run(INIT))
    assert "storage_states: storage_states_alembic is at the unknown revision cafecafe" in line
    assert sa.inspect(engine).get_table_names() == ["storage_states_alembic"]
    engine.dispose()


def test_usage_error(tmp_path: Path) -> None:
    done = Commands(tmp_path, "sqlite://").run(INIT, "--nosuch")
    assert done.returncode == 2
    assert "cloudkitty-storage-init: error: unrecognized arguments: --nosuch" in done.stderr
