# SPDX-License-Identifier: Apache-2.0
"""Columns of rules that are valid for a time, for tables that older releases made without them.

Contract sql-schema.md 5. What is there already stays, so that this may be run again after it was
interrupted, ours or upstream's; rows are filled whose ``created_by`` is empty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from cloudkitty import timeutils
from cloudkitty.db import additions
from cloudkitty.db.rebuild import digits, rebuild, remove_unique

AUTHOR: Final = "migration"


def add(
    table: str,
    *,
    start: dt.datetime,
    names_from: str | None = None,
    not_unique: Sequence[Collection[str]],
    decimals: Mapping[str, int] | None = None,
) -> None:
    """Add validity window and audit columns, and drop the unique keys on `not_unique`.

    Rows that are there are valid from `start`. With `names_from`, a column with unique UUIDs, there
    is a column ``name`` too. `decimals` are columns that SQLite keeps as text from now on, with
    their scale.
    """
    missing = [
        column
        for column in _columns(named=names_from is not None)
        if not additions.has_column(table, column.name)
    ]
    absent = {column.name for column in missing}
    unfilled = _unfilled(absent, names_from)
    additions.note_rows(table, unfilled, f"get a validity window that begins at {start}")
    if op.get_bind().dialect.name == "sqlite":
        values = _values(start, names_from, absent)
        _rebuild(table, missing, not_unique, values, decimals or {})
        return
    for columns in not_unique:
        additions.drop_unique(table, columns)
    for column in missing:
        op.add_column(table, column)
    values = _values(start, names_from)
    changed = sa.table(table, *(sa.column(name) for name in values))
    # MySQL assigns one after the other, and each of them looks at created_by.
    ordered = sorted(values, key="created_by".__eq__)
    op.execute(
        sa.update(changed)
        .where(_unfilled(frozenset(), names_from))
        .ordered_values(*((changed.c[name], values[name]) for name in ordered))
    )
    for name in values:
        additions.forbid_null(table, name)


def _columns(*, named: bool) -> Iterator[sa.Column[Any]]:
    if named:
        yield sa.Column("name", sa.String(32))
    for name in ("created_at", "start"):
        yield sa.Column(name, sa.DateTime, server_default=sa.func.now())
    yield sa.Column("end", sa.DateTime)
    yield sa.Column("description", sa.Text)
    yield sa.Column("deleted", sa.DateTime)
    for name in ("created_by", "updated_by", "deleted_by"):
        yield sa.Column(name, sa.String(32))


def _values(
    start: dt.datetime,
    names_from: str | None,
    absent: Collection[str] = (),
) -> dict[str, sa.ColumnElement[Any]]:
    """Give the values that columns must have; those that rows have stay.

    `absent` columns do not exist yet, so they count as empty.
    """

    def column(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.String) -> Any:
        return sa.literal_column("NULL", kind) if name in absent else sa.column(name, kind)

    now = timeutils.naive_local(timeutils.utcnow()).replace(microsecond=0)
    author = column("created_by")
    values: dict[str, sa.ColumnElement[Any]] = {}
    if names_from is not None:
        # 32 digits of a random UUID, and the same ones should this be done twice.
        digits_of_id = sa.func.replace(sa.column(names_from), "-", "")
        name = column("name")
        values["name"] = sa.case((_empty(name), digits_of_id), else_=name)
    for name, moment in (("created_at", now), ("start", start)):
        date = column(name, sa.DateTime)
        literal = sa.literal(moment, sa.DateTime)
        values[name] = sa.case((sa.or_(_empty(author), date.is_(None)), literal), else_=date)
    values["created_by"] = sa.case((_empty(author), sa.literal(AUTHOR)), else_=author)
    return values


def _rebuild(
    table: str,
    missing: Collection[sa.Column[Any]],
    not_unique: Sequence[Collection[str]],
    values: Mapping[str, sa.ColumnElement[Any]],
    decimals: Mapping[str, int],
) -> None:
    chosen = {**values, **{name: digits(name, scale) for name, scale in decimals.items()}}

    def change(new: sa.Table) -> None:
        for column in missing:
            new.append_column(column)
        for name in values:
            new.c[name].nullable = False
        for name in decimals:
            new.c[name].type = sa.Text()
        remove_unique(new, *not_unique)

    rebuild(table, change, chosen)


def _unfilled(missing: Collection[str], names_from: str | None) -> sa.ColumnElement[bool]:
    """Give the condition for rows that have to be filled, `missing` being no columns yet."""
    names = ["created_by"] if names_from is None else ["created_by", "name"]
    if any(name in missing for name in names):
        return sa.true()
    return sa.or_(*(_empty(sa.column(name)) for name in names))


def _empty(column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return sa.or_(column.is_(None), column == "")
