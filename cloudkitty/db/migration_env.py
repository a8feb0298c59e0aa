# SPDX-License-Identifier: Apache-2.0
"""What an alembic ``env.py`` calls (contract rating.md 2.2)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context
from sqlalchemy.engine import Connection

from cloudkitty import db
from cloudkitty.db import migration_lock


def run_migrations_online(target_metadata: sa.MetaData, version_table: str) -> None:
    """Run what alembic was asked for against the database of ``[database]``.

    One connection, and one transaction where the engine has transactional DDL. Concurrent runs
    wait for one another. `target_metadata` are the tables of the history, for autogeneration;
    `version_table` is where its revision is recorded.
    """
    given = context.config.attributes.get("connection")
    if given is not None:
        _run(given, target_metadata, version_table)
        return
    with migration_lock.exclusive_connection(db.get_engine()) as connection:
        _run(connection, target_metadata, version_table)


def _run(connection: Connection, metadata: sa.MetaData, version_table: str) -> None:
    def ours(name: str | None, kind: str, _parents: Any) -> bool:
        # Other histories live in the same database.
        return kind != "table" or name in metadata.tables

    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=version_table,
        include_name=ours,
    )
    with context.begin_transaction():
        context.run_migrations()
