# SPDX-License-Identifier: Apache-2.0
"""One migration at a time, however many hosts start one (contract sql-schema.md 5).

PostgreSQL and MySQL have advisory locks, which outlive the transactions of the connection that
holds them and end with it. SQLite has its write lock: ``BEGIN IMMEDIATE``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from cloudkitty.db import engines

LOG = logging.getLogger(__name__)

# PostgreSQL's key, per database: "cloudkit" in ASCII.
_KEY: Final = int.from_bytes(b"cloudkit", "big")
# MySQL's names are per server and have at most 64 characters, a database's name up to 64.
_NAME: Final = "CONCAT('cloudkitty_', MD5(DATABASE()))"
_POLL_SECONDS: Final = 10
_WAITING: Final = "another migration of this database is running; waiting for it"


@contextmanager
def exclusive_connection(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other migration of the database runs beside.

    Waits for the others. The transaction is committed at the end, rolled back on an exception
    (on MySQL, DDL commits at once). On SQLite foreign keys are off: making a table anew drops it
    first, which must not touch the rows that refer to it.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            try:
                with connection.begin():
                    engines.take_sqlite_write_lock(connection, foreign_keys=False)
                    yield connection
            finally:
                # Nobody must get a connection without foreign keys.
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA foreign_keys = ON")
            return
        _acquire(connection)
        try:
            with connection.begin():
                yield connection
        finally:
            if not connection.invalidated:
                _release(connection)


def _acquire(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        if not connection.scalar(sa.text(f"SELECT pg_try_advisory_lock({_KEY})")):
            LOG.info(_WAITING)
            connection.execute(sa.text(f"SELECT pg_advisory_lock({_KEY})"))
    else:
        attempt = sa.text(f"SELECT GET_LOCK({_NAME}, :seconds)")
        seconds = 0
        while connection.scalar(attempt, {"seconds": seconds}) != 1:
            if not seconds:
                LOG.info(_WAITING)
            seconds = _POLL_SECONDS
    # What others committed meanwhile must be seen: the migration begins its own transaction.
    connection.commit()


def _release(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_unlock({_KEY})"))
    else:
        connection.execute(sa.text(f"SELECT RELEASE_LOCK({_NAME})"))
    connection.commit()
