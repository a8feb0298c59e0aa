# SPDX-License-Identifier: Apache-2.0
"""Recognising what a database holds before it is migrated (contract sql-schema.md 4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector

from cloudkitty.db.migration import MigrationError


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """How the tables of a sub-tree look like in a database that another release made.

    `tables` are those at the head, `former_tables` names that older releases gave them;
    `older` are the revisions before the head; `columns` and `no_columns` are, by table, the
    columns that it has at the head, and those that it had before and must not have any more;
    `indexes` are those that it has at the head.
    """

    tables: tuple[str, ...]
    former_tables: tuple[str, ...] = ()
    older: frozenset[str] = frozenset()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    no_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    no_constraints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Recognised:
    """What was found: no revision in an empty database."""

    revision: str | None
    head: str

    def __str__(self) -> str:
        if self.revision is None:
            return f"no tables yet, creating them at {self.head}"
        if self.revision == self.head:
            return f"tables at {self.head}, the newest revision"
        return f"tables at {self.revision}, migrating to {self.head}"


def recorded(connection: Connection, version_table: str) -> tuple[str, ...]:
    """Give the revisions in `version_table`; none when the table does not exist."""
    if not sa.inspect(connection).has_table(version_table):
        return ()
    column: sa.ColumnClause[str] = sa.column("version_num")
    return tuple(connection.scalars(sa.select(column).select_from(sa.table(version_table))))


def recognise(
    connection: Connection,
    *,
    name: str,
    version_table: str,
    head: str,
    known: Collection[str],
    upstream: Upstream,
) -> Recognised:
    """Say what the database holds of the sub-tree `name`, without changing anything.

    `known` are the revisions that can be migrated from. Raises MigrationError when it holds
    something that must not be touched.
    """
    inspector = sa.inspect(connection)
    rows = recorded(connection, version_table)
    existing = set(inspector.get_table_names())
    if len(rows) > 1:
        raise MigrationError(
            f"{name}: the table {version_table} has {len(rows)} rows ({', '.join(sorted(rows))}); "
            "there must be one. Find out which revision the tables are at, and record it with "
            f"'cloudkitty-dbsync stamp --module {name} --revision REVISION'."
        )
    if not rows:
        return _unversioned(name, version_table, head, upstream, existing)
    revision = rows[0]
    if revision not in known:
        raise MigrationError(_unknown(name, version_table, revision, upstream))
    missing = [table for table in upstream.tables if table not in existing]
    if missing and revision == head:
        raise MigrationError(
            f"{name}: {version_table} says {revision}, but tables are missing: "
            f"{', '.join(missing)}."
        )
    if revision == head:
        _verify(inspector, name, head, upstream, existing)
    return Recognised(revision, head)


def _unversioned(
    name: str, version_table: str, head: str, upstream: Upstream, existing: set[str]
) -> Recognised:
    present = [t for t in (*upstream.tables, *upstream.former_tables) if t in existing]
    if present:
        raise MigrationError(
            f"{name}: tables exist but {version_table} has no revision: {', '.join(present)}. "
            "Either a migration was interrupted: drop them if they hold nothing, and run this "
            "again. Or they were made by other means: if they are complete, record it with "
            f"'cloudkitty-dbsync stamp --module {name} --revision {head}'."
        )
    return Recognised(None, head)


def _unknown(name: str, version_table: str, revision: str, upstream: Upstream) -> str:
    if revision in upstream.older:
        return (
            f"{name}: {version_table} is at {revision}, from an older release. Upgrading from "
            "there is not supported yet: bring the database to CloudKitty 25.0.0 with that "
            "release's own 'cloudkitty-dbsync upgrade' and 'cloudkitty-storage-init' first."
        )
    return (
        f"{name}: {version_table} is at the unknown revision {revision}: the database belongs to "
        "a newer release or to other software. Nothing was changed."
    )


def _verify(
    inspector: Inspector, name: str, head: str, upstream: Upstream, existing: set[str]
) -> None:
    """Check the fingerprint of the head; raises MigrationError naming what does not fit."""
    wrong = [f"table {table} exists" for table in upstream.former_tables if table in existing]
    for table in {*upstream.columns, *upstream.no_columns}:
        columns = {column["name"] for column in inspector.get_columns(table)}
        wrong += [
            f"{table}.{column} is missing"
            for column in upstream.columns.get(table, ())
            if column not in columns
        ]
        wrong += [
            f"{table}.{column} exists"
            for column in upstream.no_columns.get(table, ())
            if column in columns
        ]
    for table, constraints in upstream.no_constraints.items():
        names = {constraint["name"] for constraint in inspector.get_unique_constraints(table)}
        wrong += [f"constraint {item} of {table} exists" for item in constraints if item in names]
    for table, indexes in upstream.indexes.items():
        names = {index["name"] for index in inspector.get_indexes(table)}
        wrong += [f"index {item} of {table} is missing" for item in indexes if item not in names]
    if wrong:
        raise MigrationError(
            f"{name}: the tables are not what revision {head} made: {'; '.join(sorted(wrong))}. "
            "Nothing was changed."
        )
