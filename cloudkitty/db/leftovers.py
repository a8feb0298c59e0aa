# SPDX-License-Identifier: Apache-2.0
"""Copies of tables that migrations which died have left behind on SQLite.

Alembic changes a table of SQLite by making a copy, ``_alembic_tmp_<table>``, with the rows of the
table; then the table goes and the copy gets its name. As long as the table is there it has
everything, so a copy beside it can go if it has no row of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.engine import Connection

from cloudkitty.db.migration import MigrationError

_PREFIX: Final = "_alembic_tmp_"


def advice(existing: Collection[str], missing: Iterable[str]) -> str:
    """Say how missing tables come back that have become copies; an empty text when none has."""
    renames = [
        f"ALTER TABLE {_PREFIX}{table} RENAME TO {table};"
        for table in missing
        if _PREFIX + table in existing
    ]
    if not renames:
        return ""
    return (
        " A migration died between dropping a table and renaming its copy. Make a backup and give "
        f"the database: {' '.join(renames)}"
    )


def check(
    connection: Connection,
    name: str,
    tables: Iterable[str],
    existing: Collection[str],
) -> None:
    """Raise MigrationError for a copy with rows that the table does not have."""
    for table, copy in _copies(tables, existing):
        if _own_rows(connection, table, copy):
            raise MigrationError(
                f"{name}: {copy}, left behind by a migration that died, has rows that {table} has "
                f"not. Find out which ones are right, and drop {copy}. Nothing was changed."
            )


def drop(tables: Iterable[str]) -> None:
    """Drop the copies; for migrations."""
    existing = sa.inspect(op.get_bind()).get_table_names()
    for _table, copy in _copies(tables, existing):
        op.drop_table(copy)


def _copies(tables: Iterable[str], existing: Collection[str]) -> list[tuple[str, str]]:
    return [(table, _PREFIX + table) for table in tables if _PREFIX + table in existing]


def _own_rows(connection: Connection, table: str, copy: str) -> bool:
    metadata = sa.MetaData()
    original = sa.Table(table, metadata, autoload_with=connection, resolve_fks=False)
    copied = sa.Table(copy, metadata, autoload_with=connection, resolve_fks=False)
    same = [
        original.c[column.name] == copied.c[column.name]
        for column in original.primary_key
        if column.name in copied.c
    ]
    if not same:
        return True
    beside = sa.exists(sa.select(sa.literal(1)).select_from(original).where(*same))
    own = sa.select(sa.literal(1)).select_from(copied).where(~beside).limit(1)
    return connection.execute(own).first() is not None
