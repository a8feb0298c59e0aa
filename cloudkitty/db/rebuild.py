# SPDX-License-Identifier: Apache-2.0
"""Making a table of SQLite anew with its rows: for changes that SQLite knows no statement for.

Everything that is not changed stays: columns that we do not know, indexes, triggers. It happens in
the transaction of the migration, with foreign keys off (see :mod:`cloudkitty.db.migration_lock`),
so that rows whose parent is gone can be copied too.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from cloudkitty.db import plan

# Wider than any binary number is.
_WIDE: Final = decimal.Context(prec=700)


def rebuild(
    name: str,
    change: Callable[[sa.Table], None],
    values: Mapping[str, sa.ColumnElement[Any]],
) -> None:
    """Make the table `name` anew.

    `change` is given the new table, which is as the old one, to change it; `values` has, by column,
    expressions for values other than those of the old table.
    """
    planned = plan.active()
    if planned is not None:
        planned.note(f"make {name} anew, with its rows")
        return
    connection = op.get_bind()
    metadata = sa.MetaData()
    old = sa.Table(name, metadata, autoload_with=connection)
    new = old.to_metadata(metadata, name=f"ck_new_{name}")
    new.indexes.clear()
    _keep_unique(name, new)
    change(new)
    also = connection.execute(
        sa.text(
            "SELECT sql FROM sqlite_master "
            "WHERE tbl_name = :name AND type IN ('index', 'trigger') AND sql IS NOT NULL"
        ),
        {"name": name},
    ).scalars()
    statements = list(also)
    names = [column.name for column in new.columns if column.name in values or column.name in old.c]
    op.execute("PRAGMA legacy_alter_table = ON")  # leaves views that name the table alone
    op.execute(sa.schema.CreateTable(new))
    chosen = [values.get(column, sa.column(column)).label(column) for column in names]
    op.execute(sa.insert(new).from_select(names, sa.select(*chosen).select_from(old)))
    op.execute(sa.schema.DropTable(old))
    op.rename_table(new.name, name)
    for statement in statements:
        op.execute(sa.text(statement.replace(":", "\\:")))
    op.execute("PRAGMA legacy_alter_table = OFF")


def remove_unique(table: sa.Table, *keys: Collection[str]) -> None:
    """Remove the unique constraints on these sets of columns; for `change`."""
    wanted = {frozenset(key) for key in keys}
    for constraint in _unique(table):
        if frozenset(constraint.columns.keys()) in wanted:
            table.constraints.remove(constraint)


def has_unique(name: str, key: Collection[str]) -> bool:
    """Whether the table `name` has a unique constraint on these columns."""
    return set(key) in (set(columns) for columns in _unique_columns(name))


def digits(column: str, scale: int) -> sa.ColumnElement[Any]:
    """Give the text of a number with all its digits, filled up to `scale` decimals.

    A binary number has the digits of its shortest text (contract rating.md 4.6).
    """
    driver: Any = op.get_bind().connection.driver_connection
    driver.create_function("ck_digits", 2, digits_of, deterministic=True)
    return sa.func.ck_digits(sa.column(column), sa.literal_column(str(scale)))


def digits_of(value: Any, scale: int) -> Any:
    """Give what `digits` gives for one value; what is no number stays as it is."""
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return value
    if not number.is_finite():
        return value
    filled = number.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
    return format(filled if filled == number else number, "f")


def _keep_unique(name: str, new: sa.Table) -> None:
    """Add the unique constraints that reflection does not see, for it reads the text of a table."""
    seen = [constraint.columns.keys() for constraint in _unique(new)]
    for columns in _unique_columns(name):
        if columns not in seen:
            new.append_constraint(sa.UniqueConstraint(*columns))


def _unique(table: sa.Table) -> list[sa.UniqueConstraint]:
    return [item for item in table.constraints if isinstance(item, sa.UniqueConstraint)]


def _unique_columns(name: str) -> list[list[str]]:
    execute = op.get_bind().exec_driver_sql
    return [
        [column for _, _, column in execute(f"PRAGMA index_info('{index}')")]
        for _, index, _, origin, _ in execute(f"PRAGMA index_list('{name}')").all()
        if origin == "u"
    ]
