# SPDX-License-Identifier: Apache-2.0
"""Steps of additive migrations: each looks first, so that it may be run again.

They have to: MySQL commits each change of a table at once, and an interrupted migration starts
over (contract sql-schema.md 5). ``CREATE INDEX IF NOT EXISTS`` is unknown to MySQL.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

_BINARY = "utf8mb4_bin"


def create_table(name: str, *items: Any, **options: Any) -> None:
    """Create a table unless it exists."""
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *items, **options)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index unless one of that name exists."""
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)


def widen(table: str, column: str, length: int) -> None:
    """Make a text column hold at least `length` characters; SQLite does not count them."""
    if _engine() != "sqlite" and _column(table, column)["type"].length < length:
        _alter_type(table, column, sa.String(length))


def compare_exactly(table: str, column: str, length: int) -> None:
    """Make MySQL tell "a" from "A" in a column of `length` characters; other engines do."""
    if _engine() in {"mysql", "mariadb"} and _column(table, column)["type"].collation != _BINARY:
        _alter_type(table, column, mysql.VARCHAR(length, charset="utf8mb4", collation=_BINARY))


def hold_any_text(table: str, column: str) -> None:
    """Make MySQL take texts of any script in a TEXT column; other engines do."""
    if _engine() in {"mysql", "mariadb"}:
        collation = _column(table, column)["type"].collation
        if not (collation or "").startswith("utf8mb4_"):
            _alter_type(table, column, mysql.TEXT(charset="utf8mb4"))


def _alter_type(table: str, column: str, new_type: sa.types.TypeEngine[Any]) -> None:
    """Give a column without a default another type; whether it may be null stays."""
    # MySQL forgets what it is not told again.
    nullable = _column(table, column)["nullable"]
    op.alter_column(table, column, type_=new_type, existing_nullable=nullable)


def _engine() -> str:
    return op.get_bind().dialect.name


def _column(table: str, name: str) -> Any:
    columns = sa.inspect(op.get_bind()).get_columns(table)
    return next(column for column in columns if column["name"] == name)
