# SPDX-License-Identifier: Apache-2.0
"""Tables of an out-of-tree rating module, installed beside the product (rating.md 2.2 and 2.7)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.tests.cli.commands import Commands, refusal

pytestmark = pytest.mark.e2e

DBSYNC = "cloudkitty-dbsync"

#: The database tool needs the class only.
NO_INSTANCES = """

def _refuse(*args, **kwargs):
    raise RuntimeError("instantiated")


Discounts.__init__ = _refuse
"""


@pytest.fixture
def plugin(installed_plugin: Path, tmp_path: Path) -> Path:
    copied = shutil.copytree(installed_plugin, tmp_path / "plugin")
    with (copied / "acme_rating" / "discounts.py").open("a") as module:
        module.write(NO_INSTANCES)
    return copied


@pytest.fixture
def commands(empty_database: str, tmp_path: Path, plugin: Path) -> Commands:
    return with_plugin(Commands(tmp_path, empty_database), plugin)


@pytest.fixture
def sqlite(tmp_path: Path, plugin: Path) -> Commands:
    return with_plugin(Commands(tmp_path, f"sqlite:///{tmp_path}/x.sqlite"), plugin)


def with_plugin(commands: Commands, plugin: Path) -> Commands:
    commands.environment["PYTHONPATH"] = str(plugin)
    return commands


def test_its_tables_are_migrated_with_ours(commands: Commands) -> None:
    for _ in range(2):
        done = commands.run(DBSYNC, "upgrade")
        assert (done.returncode, done.stdout) == (0, ""), done
    names = set(sa.inspect(db.get_engine()).get_table_names())
    assert {"acme_discounts", "acme_alembic", "hashmap_mappings", "modules_state"} <= names
    done = commands.run(DBSYNC, "version", "--module", "acme")
    assert (done.returncode, done.stdout) == (0, "a1 (head)\n")


def test_stamp_without_revision_records_the_head(sqlite: Commands) -> None:
    assert sqlite.run(DBSYNC, "stamp", "--module", "acme").returncode == 0
    assert sqlite.run(DBSYNC, "version", "--module", "acme").stdout == "a1 (head)\n"


def test_revision_compares_its_own_tables_only(sqlite: Commands, plugin: Path) -> None:
    assert sqlite.run(DBSYNC, "revision", "--module", "acme", "--autogenerate").returncode == 1
    assert sqlite.run(DBSYNC, "upgrade").returncode == 0
    with (plugin / "acme_rating" / "models.py").open("a") as module:
        module.write("    reason = sa.Column(sa.String(255))\n")
    done = sqlite.run(DBSYNC, "revision", "--module", "acme", "-m", "reasons", "--autogenerate")
    assert done.returncode == 0, done
    versions = plugin / "acme_rating" / "alembic" / "versions"
    (written,) = versions.glob("*_reasons.py")
    assert f"Generating {written} ...  done" in " ".join(done.stdout.split(" "))
    text = written.read_text()
    assert "'reason'" in text
    assert "'created_by'" not in text
    assert "hashmap" not in text


def test_module_that_cannot_be_imported_is_named(sqlite: Commands, plugin: Path) -> None:
    (plugin / "acme_rating" / "models.py").write_text("")
    (plugin / "acme_rating" / "migration.py").write_text("import nonexistent_library\n")
    line = refusal(sqlite.run(DBSYNC, "upgrade"))
    assert line == (
        "rating module 'acme' cannot be loaded: ModuleNotFoundError: "
        "No module named 'nonexistent_library'"
    )


def test_module_without_alembic_environment_is_named(sqlite: Commands, plugin: Path) -> None:
    (plugin / "acme_rating" / "alembic" / "env.py").unlink()
    line = refusal(sqlite.run(DBSYNC, "upgrade", "--module", "acme"))
    assert line == f"{plugin}/acme_rating/alembic has no env.py: not an alembic environment"
