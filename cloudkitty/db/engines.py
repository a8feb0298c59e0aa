# SPDX-License-Identifier: Apache-2.0
"""What each SQL engine needs so that all three behave alike.

* SQLite: write-ahead log (readers never block), a busy timeout, writers that take their lock when
  they begin (a reader that turned writer would fail with "database is locked"), and an exact sum
  of decimals, which are stored as text there.
* PostgreSQL: readers at REPEATABLE READ, so that the statements of one answer see one state, as
  they do by default on the other two.
* MySQL and MariaDB: connections that speak utf8mb4. oslo.db and old ``connection`` URLs say
  ``charset=utf8``, with which a comparison with a character outside the basic plane fails.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

SQLITE_BUSY_TIMEOUT_MS: Final = 30_000
_BEGUN: Final = "cloudkitty_begun"

# Sums of stored decimals are exact: far more digits than any bill has.
EXACT: Final = decimal.Context(prec=200, rounding=decimal.ROUND_HALF_EVEN)


class _DecimalSum:
    """SQLite aggregate ``ck_sum``: the exact sum as text, NULL without rows.

    Of decimals as text, or of binary numbers, each of which counts as its shortest text.
    """

    def __init__(self) -> None:
        self._sum: Decimal | None = None

    def step(self, value: str | float | None) -> None:
        if value is not None:
            number = Decimal(value if type(value) is str else str(value))
            self._sum = EXACT.add(self._sum, number) if self._sum else number

    def finalize(self) -> str | None:
        return None if self._sum is None else format(self._sum, "f")


class _DecimalExtreme:
    """SQLite aggregates ``ck_min`` and ``ck_max``: compare as numbers, not as text."""

    better: Any

    def __init__(self) -> None:
        self._best: Decimal | None = None
        self._text: str | None = None

    def step(self, value: str | None) -> None:
        if value is None:
            return
        number = Decimal(value)
        if self._best is None or self.better(number, self._best):
            self._best, self._text = number, str(value)

    def finalize(self) -> str | None:
        return self._text


class _DecimalMin(_DecimalExtreme):
    better = staticmethod(Decimal.__lt__)


class _DecimalMax(_DecimalExtreme):
    better = staticmethod(Decimal.__gt__)


def prepare(engine: Engine) -> None:
    """Attach the listeners that an engine needs; called once when it is created."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
    elif engine.dialect.name == "mysql":
        event.listen(engine, "connect", _mysql_connect)
    # oslo.db has tested the engine already: that connection has seen none of the listeners.
    engine.dispose()


def _mysql_connect(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.set_character_set("utf8mb4")


def _sqlite_connect(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")
    dbapi_connection.execute("PRAGMA journal_mode = WAL")
    # With a write-ahead log NORMAL loses no committed transaction when the process dies.
    dbapi_connection.execute("PRAGMA synchronous = NORMAL")
    dbapi_connection.execute("PRAGMA cache_size = -65536")
    dbapi_connection.create_aggregate("ck_sum", 1, _DecimalSum)
    dbapi_connection.create_aggregate("ck_min", 1, _DecimalMin)
    dbapi_connection.create_aggregate("ck_max", 1, _DecimalMax)


def begin_write(session: Session) -> None:
    """Take the write lock of SQLite for a session that has just begun; others need nothing."""
    if _first_use(session) and session.get_bind().dialect.name == "sqlite":
        take_sqlite_write_lock(session.connection())


def take_sqlite_write_lock(connection: Connection, *, foreign_keys: bool = True) -> None:
    """Make the transaction that `connection` has just begun on SQLite a writing one.

    Without `foreign_keys` the connection does not look after them any more.
    """
    # oslo.db has begun a deferred transaction, which nothing has happened in yet.
    connection.exec_driver_sql("ROLLBACK")
    if not foreign_keys:
        # Does nothing inside of a transaction.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def begin_snapshot(session: Session) -> None:
    """Make a reading session that has just begun see one state throughout."""
    if _first_use(session) and session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _first_use(session: Session) -> bool:
    """Whether this is the outermost use of the session, so that options still count."""
    first = _BEGUN not in session.info
    session.info[_BEGUN] = True
    return first
