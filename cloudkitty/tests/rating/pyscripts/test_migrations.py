# SPDX-License-Identifier: Apache-2.0
"""A table that upstream made is taken over (contract sql-schema.md 3.3, 4)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from cloudkitty import db
from cloudkitty.db import migrations as core
from cloudkitty.db.migration import MigrationError
from cloudkitty.rating.pyscripts.migrations import get_migration
from cloudkitty.rating.pyscripts.store import script

CREATE = """
CREATE TABLE pyscripts_scripts (
    id {serial}, script_id VARCHAR(36) NOT NULL UNIQUE, name VARCHAR(255) NOT NULL {unique},
    data {blob} NOT NULL, checksum VARCHAR(128) {checksum},
    created_at {date} NOT NULL DEFAULT CURRENT_TIMESTAMP,
    start {date} NOT NULL DEFAULT CURRENT_TIMESTAMP, {end} {date}, description TEXT,
    deleted {date}, created_by VARCHAR(32) NOT NULL, updated_by VARCHAR(32),
    deleted_by VARCHAR(32)) {options}
"""
HOW = {
    "sqlite": {"serial": "INTEGER NOT NULL PRIMARY KEY", "unique": "UNIQUE", "blob": "BLOB",
               "checksum": "NOT NULL", "date": "DATETIME", "end": '"end"', "options": ""},
    "postgresql": {"serial": "SERIAL PRIMARY KEY", "unique": "", "blob": "BYTEA",
                   "checksum": "NOT NULL", "date": "TIMESTAMP", "end": '"end"', "options": ""},
    "mysql": {"serial": "INTEGER NOT NULL PRIMARY KEY AUTO_INCREMENT", "unique": "", "blob": "BLOB",
              "checksum": "NULL", "date": "DATETIME", "end": "end",
              "options": "ENGINE=InnoDB DEFAULT CHARSET=utf8"},
}  # fmt: skip
VERSION = "CREATE TABLE pyscripts_alembic (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


@pytest.fixture
def adopted(empty_database, engine_name):
    import zlib

    from cloudkitty.rating.pyscripts.models import Script

    with db.get_engine().begin() as connection:
        connection.exec_driver_sql(CREATE.format(**HOW[engine_name]))
        connection.exec_driver_sql(VERSION)
        connection.exec_driver_sql("INSERT INTO pyscripts_alembic VALUES ('c6e4cda29654')")
        for number, deleted in ((1, None), (2, sa.func.now())):
            connection.execute(
                sa.insert(Script).values(
                    script_id=f"id-{number}",
                    name=f"name {number}",
                    data=zlib.compress(b"x = 1"),
                    checksum="a" * 40,
                    created_by="migration",
                    deleted=deleted,
                )
            )
    core.get_migration().upgrade()  # whoever changes scripts writes to its tables
    get_migration().upgrade()
    return engine_name


def test_rows_stay_and_names_of_deleted_scripts_are_free(adopted):
    kept = script.get("id-1")
    assert (kept.name, kept.data, kept.created_by) == ("name 1", "x = 1", "migration")
    made = script.create(script.NewScript(name="name 2", data=""), "u" * 64)
    assert made.created_by == ("u" * 64)[: None if adopted == "sqlite" else 255]
    get_migration().upgrade()
    assert [s.name for s in script.get_all(script.WindowFilter())] == ["name 1", "name 2"]
    with db.session_for_read() as session:
        assert session.execute(sa.text("SELECT COUNT(*) FROM pyscripts_scripts")).scalar() == 3


@pytest.mark.parametrize(("revision", "why"), [("4f9efa4601c0", "older release"),
                                               ("abc", "unknown revision")])  # fmt: skip
def test_other_revisions_are_refused(sqlite_database, revision, why):
    with db.get_engine().begin() as connection:
        connection.exec_driver_sql(VERSION)
        connection.exec_driver_sql(f"INSERT INTO pyscripts_alembic VALUES ('{revision}')")
    with pytest.raises(MigrationError, match=f"pyscripts: .*{why}"):
        get_migration().upgrade()
