# SPDX-License-Identifier: Apache-2.0
"""Many rows of numbers into a table by each engine's fastest way.

Rows are tuples of integers and of decimals in plain text (:func:`plain`), in the order of the
table's columns.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from oslo_db import exception as db_exc
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Session

Row = tuple[Any, ...]

#: Keeps a MySQL statement well below the smallest max_allowed_packet in use (4 MiB).
_MYSQL_ROWS: Final = 10_000


def plain(value: Decimal) -> str:
    """Give a decimal as text without an exponent."""
    found = str(value)
    return format(value, "f") if "E" in found else found


def insert(session: Session, table: sa.Table, rows: Iterable[Row], chunk: int) -> None:
    """Insert rows, at most `chunk` of them in one go.

    Raises what oslo.db makes of the engine's errors.
    """
    writer = _WRITERS[session.get_bind().dialect.name](session, table)
    if session.get_bind().dialect.name != "postgresql":
        chunk = min(chunk, _MYSQL_ROWS)
    iterator = iter(rows)
    while some := list(islice(iterator, chunk)):
        writer(some)


def insert_missing(session: Session, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert those of `rows`, of any values, that are not there yet."""
    match session.get_bind().dialect.name:
        case "postgresql":
            _values_missing(session, table, rows)
        case "sqlite":
            session.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)
        case _:
            # Not IGNORE, which would also make warnings of errors.
            statement = mysql.insert(table).on_duplicate_key_update(id=table.c.id)
            session.execute(statement, rows)


def _values_missing(session: Session, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert in one statement: SQLAlchemy would send row by row what has a conflict clause."""
    from psycopg2 import extras

    if rows:
        names = list(rows[0])
        command = f"INSERT INTO {table.name} ({','.join(names)}) VALUES %s ON CONFLICT DO NOTHING"  # noqa: S608 - our own names
        with _translated_errors():
            extras.execute_values(
                _raw(session).cursor(),
                command,
                [tuple(row.values()) for row in rows],
                page_size=len(rows),
            )


def _copy(session: Session, table: sa.Table) -> Callable[[Sequence[Row]], None]:
    line = _format("{}\n", "\t", table)
    command = f"COPY {table.name} ({_names(table)}) FROM STDIN"
    cursor = _raw(session).cursor()

    def write(rows: Sequence[Row]) -> None:
        with _translated_errors():
            cursor.copy_expert(command, io.StringIO("".join([line % row for row in rows])))

    return write


def _multi_insert(session: Session, table: sa.Table) -> Callable[[Sequence[Row]], None]:
    values = _format("({})", ",", table)
    command = f"INSERT INTO {table.name} ({_names(table)}) VALUES "  # noqa: S608 - our own names
    connection = session.connection()

    def write(rows: Sequence[Row]) -> None:
        # Nothing but numbers: integers, and the text of decimals.
        connection.exec_driver_sql(command + ",".join([values % row for row in rows]))

    return write


def _execute_many(session: Session, table: sa.Table) -> Callable[[Sequence[Row]], None]:
    marks = ",".join("?" * len(table.columns))
    command = f"INSERT INTO {table.name} ({_names(table)}) VALUES ({marks})"  # noqa: S608
    connection = session.connection()

    def write(rows: Sequence[Row]) -> None:
        connection.exec_driver_sql(command, list(rows))

    return write


_WRITERS: Final = {
    "postgresql": _copy,
    "mysql": _multi_insert,
    "mariadb": _multi_insert,
    "sqlite": _execute_many,
}


def _names(table: sa.Table) -> str:
    return ",".join(column.name for column in table.columns)


def _format(frame: str, separator: str, table: sa.Table) -> str:
    marks = ("%d" if isinstance(column.type, sa.Integer) else "%s" for column in table.columns)
    return frame.format(separator.join(marks))


def _raw(session: Session) -> Any:
    return session.connection().connection.dbapi_connection


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Raise psycopg2's errors as oslo.db does for statements that go through SQLAlchemy."""
    import psycopg2
    from psycopg2 import errors

    try:
        yield
    except (errors.DeadlockDetected, errors.SerializationFailure) as exc:
        raise db_exc.DBDeadlock(exc) from exc
    except errors.UniqueViolation as exc:
        raise db_exc.DBDuplicateEntry(inner_exception=exc) from exc
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as exc:
        raise db_exc.DBConnectionError(exc) from exc
    except psycopg2.Error as exc:
        raise db_exc.DBError(exc) from exc
