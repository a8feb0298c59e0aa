# SPDX-License-Identifier: Apache-2.0
"""Steps of additive migrations: each looks first, so that it may be run again.

They have to: MySQL commits each change of a table at once, and an interrupted migration starts
over (contract sql-schema.md 5). ``CREATE INDEX IF NOT EXISTS`` is unknown to MySQL.

All changes go through alembic's operations, so that a dry run (:mod:`cloudkitty.db.plan`) can tell
them. What a dry run does not find, a step before would have made: nothing is said about it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cloudkitty.db import plan
from cloudkitty.db.migration import MigrationError
from cloudkitty.db.rebuild import digits, rebuild
from cloudkitty.db.types import ExactText, exact_collation

LOG = logging.getLogger(__name__)

# What keys of more than 767 bytes need, which tables of old servers do not have.
_SHORT_KEYS = ("COMPACT", "REDUNDANT")


def note(text: str) -> None:
    """Say what is being done: to the log, or to the plan of a dry run."""
    found = plan.active()
    if found is None:
        LOG.info("%s", text)
    else:
        found.note(text)


def note_rows(table: str, condition: sa.ColumnElement[bool], text: str) -> None:
    """Say how many rows of a table a step is about, if it is about any."""
    query = sa.select(sa.func.count()).select_from(sa.table(table)).where(condition)
    number = op.get_bind().scalar(query)
    if number:
        note(f"{table}: {number} row{'s' if number > 1 else ''} {text}")


def create_table(name: str, *items: Any, **options: Any) -> None:
    """Create a table unless it exists."""
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *items, **options)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index unless one of that name exists."""
    if _is_absent(table):
        return
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        _allow_long_keys(table)
        op.create_index(name, table, columns)


def has_column(table: str, column: str) -> bool:
    """Whether a table has a column."""
    return any(found["name"] == column for found in sa.inspect(op.get_bind()).get_columns(table))


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column that may be null unless the table has it."""
    if not _is_absent(table) and not has_column(table, column.name):
        op.add_column(table, column)


def drop_unique(table: str, columns: Collection[str]) -> None:
    """Drop the unique constraints on just these columns; not for SQLite, which cannot."""
    inspector = sa.inspect(op.get_bind())
    dropped = set()
    for constraint in inspector.get_unique_constraints(table):
        if set(constraint["column_names"]) == set(columns):
            dropped.add(constraint["name"])
            op.drop_constraint(str(constraint["name"]), table, type_="unique")
    for index in inspector.get_indexes(table):
        if index["unique"] and set(index["column_names"]) == set(columns):
            name = index["name"]
            if name not in dropped and "duplicates_constraint" not in index:
                op.drop_index(str(name), table_name=table)


def widen(table: str, column: str, length: int) -> None:
    """Make a text column hold at least `length` characters; SQLite does not count them."""
    found = None if _engine() == "sqlite" else _column(table, column)
    if found and found["type"].length is not None and found["type"].length < length:
        _alter_type(table, found, sa.String(length))


def hold_decimals(table: str, **columns: tuple[int, int]) -> None:
    """Make columns of decimals hold (precision, scale) digits, and never fewer than they do.

    SQLite has no such type; there they become text, with the digits that there are.
    """
    binary = {}
    for name, (precision, scale) in columns.items():
        found = _column(table, name)
        kind = found["type"] if found else None
        if _engine() == "sqlite":
            if kind is not None and not isinstance(kind, sa.String):
                binary[name] = scale
        elif isinstance(kind, sa.Numeric) and kind.precision is not None:
            has = kind.scale or 0
            before, after = max(kind.precision - has, precision - scale), max(has, scale)
            if (before, after) != (kind.precision - has, has):
                _alter_type(table, found, sa.Numeric(before + after, after))
    if binary:
        _keep_digits(table, binary)


def compare_exactly(table: str, column: str, length: int) -> None:
    """Make MySQL tell "a" from "A" and "a " in a column of `length` characters; others do."""
    found = _column(table, column) if _is_mysql() else None
    if found and _collation(table, column) != exact_collation(op.get_bind().dialect):
        _alter_type(table, found, ExactText(length))


def hold_any_text(table: str, column: str) -> None:
    """Make MySQL take texts of any script in a TEXT column; other engines do."""
    found = _column(table, column) if _is_mysql() else None
    if found and not _collation(table, column).startswith("utf8mb4_"):
        _alter_type(table, found, mysql.TEXT(charset="utf8mb4"))


def forbid_null(table: str, column: str) -> None:
    """Let a column have no NULL any more, unless it has some; SQLite would need a new table."""
    found = _column(table, column)
    if _engine() == "sqlite" or not found or not found["nullable"]:
        return
    null = sa.select(sa.literal(1)).select_from(sa.table(table))
    if plan.active() or not op.get_bind().execute(null.where(sa.column(column).is_(None))).first():
        op.alter_column(
            table,
            column,
            nullable=False,
            existing_type=found["type"],
            existing_server_default=_default(found),
        )


def refer(table: str, column: str, to: str, ondelete: str) -> None:
    """Let PostgreSQL know that `column` has ids of the table `to`.

    A foreign key that has this one's name, but is on another column, is dropped. Rows that refer to
    nothing stay: then the key is for what is written from now on.
    """
    if _engine() != "postgresql":
        return
    keys = sa.inspect(op.get_bind()).get_foreign_keys(table)
    for key in keys:
        if key["constrained_columns"] != [column] and f"_{column}_" in (key["name"] or ""):
            op.drop_constraint(str(key["name"]), table, type_="foreignkey")
    if any(key["constrained_columns"] == [column] for key in keys):
        return
    here, there = sa.table(table, sa.column(column)), sa.table(to, sa.column("id"))
    found = sa.select(there.c.id).where(there.c.id == here.c[column])
    orphan = sa.select(here.c[column]).where(here.c[column].is_not(None), ~found.exists()).limit(1)
    op.create_foreign_key(
        f"fk_{table}_{column}_{to}",
        table,
        to,
        [column],
        ["id"],
        ondelete=ondelete,
        postgresql_not_valid=op.get_bind().execute(orphan).first() is not None,
    )


def name_enum(table: str, column: str, name: str, values: tuple[str, ...]) -> None:
    """Give the type of a column of PostgreSQL the name that it has in new databases."""
    if _engine() != "postgresql" or not (found := _column(table, column)):
        return
    if getattr(found["type"], "name", None) == name:
        return
    existing = {enum["name"] for enum in sa.inspect(op.get_bind()).get_enums()}  # type: ignore[attr-defined]
    if name not in existing:
        listed = ", ".join(f"'{value}'" for value in values)
        op.execute(f"CREATE TYPE {name} AS ENUM ({listed})")
    op.execute(
        f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {name} USING {column}::text::{name}"
    )


def _keep_digits(table: str, scales: Mapping[str, int]) -> None:
    """Make columns of binary numbers on SQLite text, each number as its shortest one."""
    note_rows(table, sa.true(), f"keep {' and '.join(scales)} as text, digit by digit")

    def change(new: sa.Table) -> None:
        for column in scales:
            new.c[column].type = sa.Text()

    rebuild(table, change, {column: digits(column, scale) for column, scale in scales.items()})


def _alter_type(table: str, column: Any, new_type: sa.types.TypeEngine[Any]) -> None:
    """Give a column without a default another type; whether it may be null stays."""
    _allow_long_keys(table)
    # MySQL forgets what it is not told again.
    op.alter_column(table, column["name"], type_=new_type, existing_nullable=column["nullable"])


def _collation(table: str, column: str) -> str:
    """Give the collation of a column of MySQL, be it its own or that of the table."""
    collations = sa.text(
        "SELECT collation_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name = :table AND column_name = :column"
    )
    found = op.get_bind().scalar(collations, {"table": table, "column": column})
    return str(found or "")


def _allow_long_keys(table: str) -> None:
    """Give a table of MySQL that was made long ago the format that takes long keys."""
    if not _is_mysql():
        return
    formats = sa.text(
        "SELECT row_format FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = :name"
    )
    if str(op.get_bind().scalar(formats, {"name": table})).upper() in _SHORT_KEYS:
        op.execute(f"ALTER TABLE {table} ROW_FORMAT=DYNAMIC")


def _default(column: Any) -> Any:
    return sa.text(column["default"]) if column["default"] else False


def _engine() -> str:
    return op.get_bind().dialect.name


def _is_mysql() -> bool:
    return _engine() in {"mysql", "mariadb"}


def _is_absent(table: str) -> bool:
    """Whether this is a dry run, and a table that an earlier step would have made."""
    return plan.active() is not None and not sa.inspect(op.get_bind()).has_table(table)


def _column(table: str, name: str) -> Any:
    """Give what the database says about a column; None for what a dry run has not made."""
    if _is_absent(table):
        return None
    columns = sa.inspect(op.get_bind()).get_columns(table)
    found = next((column for column in columns if column["name"] == name), None)
    if found is None and plan.active() is None:
        raise MigrationError(f"column {table}.{name} is missing")
    return found
