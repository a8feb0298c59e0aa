# SPDX-License-Identifier: Apache-2.0
"""Recognising what a database holds before it is migrated (contract sql-schema.md 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector

from cloudkitty.db import leftovers
from cloudkitty.db.migration import MigrationError


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """How the tables of a sub-tree look like in a database that another release made.

    `tables` are those at the head, `former_tables` names that older releases gave them;
    `older` are the revisions before the head, and `from_older` has, for those that we take over
    too, what makes the tables what they are at the head. `columns` and `no_columns` are, by table,
    the columns that it has at the head, and those that it had before and must not have any more;
    `added` are those of `columns` that `from_older` adds. `indexes` are those at the head.
    `remarks` looks for rows that an operator should know of, at the head and at `from_older`.
    """

    tables: tuple[str, ...]
    former_tables: tuple[str, ...] = ()
    older: frozenset[str] = frozenset()
    from_older: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    no_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    no_constraints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: Callable[[Connection], Iterable[str]] = lambda _connection: ()


@dataclass(frozen=True)
class Recognised:
    """What was found: no revision in an empty database.

    `additions` says how far our own additions are: None when there are none to be made.
    """

    revision: str | None
    head: str
    additions: str | None = None

    def __str__(self) -> str:
        if self.revision is None:
            return f"no tables yet, creating them at {self.head}"
        if self.revision != self.head:
            return f"tables at {self.revision}, migrating to {self.head}"
        if self.additions is not None:
            return f"tables at {self.head}, the newest revision; {self.additions}"
        return f"tables at {self.head}, the newest revision; nothing to do"

    @property
    def is_empty(self) -> bool:
        """Whether there are no tables yet."""
        return self.revision is None


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
    additions: str | None = None,
) -> Recognised:
    """Say what the database holds of the sub-tree `name`, without changing anything.

    `known` are the revisions that can be migrated from; `additions` is what :class:`Recognised`
    has. Raises MigrationError when it holds
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
    older = revision in upstream.from_older
    missing = [table for table in upstream.tables if table not in existing]
    if missing and (older or revision == head):
        raise MigrationError(
            f"{name}: {version_table} says {revision}, but tables are missing: "
            f"{', '.join(missing)}.{leftovers.advice(existing, missing)}"
        )
    if older or revision == head:
        former = [f"table {table} exists" for table in upstream.former_tables if table in existing]
        unlike = _unlike_older if older else _unlike_head
        _refuse(name, revision, [*former, *unlike(inspector, upstream)])
    leftovers.check(connection, name, upstream.tables, existing)
    return Recognised(revision, head, additions)


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
            f"{name}: {version_table} is at {revision}, from an older release. Bring the database "
            "to CloudKitty 25.0.0 with that release's own 'cloudkitty-dbsync upgrade' and "
            "'cloudkitty-storage-init' first. Nothing was changed."
        )
    return (
        f"{name}: {version_table} is at the unknown revision {revision}: the database belongs to "
        "a newer release or to other software. Nothing was changed."
    )


def _refuse(name: str, revision: str, wrong: Collection[str]) -> None:
    """Raise MigrationError when anything is wrong."""
    if wrong:
        raise MigrationError(
            f"{name}: the tables are not what revision {revision} made: "
            f"{'; '.join(sorted(wrong))}. Nothing was changed."
        )


def _unlike_older(inspector: Inspector, upstream: Upstream) -> list[str]:
    """Say what does not fit to a revision that we take over."""
    return [
        f"{table}.{column} is missing"
        for table, columns in upstream.columns.items()
        for column in _missing(inspector, table, columns)
        if column not in upstream.added.get(table, ())
    ]


def _unlike_head(inspector: Inspector, upstream: Upstream) -> list[str]:
    """Say what does not fit to the head (the fingerprint of contract sql-schema.md 4)."""
    wrong = [
        f"{table}.{column} is missing"
        for table, columns in upstream.columns.items()
        for column in _missing(inspector, table, columns)
    ]
    for table, unwanted in upstream.no_columns.items():
        gone = _missing(inspector, table, unwanted)
        wrong += [f"{table}.{column} exists" for column in unwanted if column not in gone]
    for table, constraints in upstream.no_constraints.items():
        names = {constraint["name"] for constraint in inspector.get_unique_constraints(table)}
        wrong += [f"constraint {item} of {table} exists" for item in constraints if item in names]
    for table, indexes in upstream.indexes.items():
        names = {index["name"] for index in inspector.get_indexes(table)}
        wrong += [f"index {item} of {table} is missing" for item in indexes if item not in names]
    return wrong


def _missing(inspector: Inspector, table: str, columns: Iterable[str]) -> list[str]:
    present = {column["name"] for column in inspector.get_columns(table)}
    return [column for column in columns if column not in present]
