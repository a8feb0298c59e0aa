# SPDX-License-Identifier: Apache-2.0
"""The one place that opens database sessions.

``session_for_read()`` and ``session_for_write()`` yield SQLAlchemy sessions of oslo.db's engine
facade, configured by ``[database]``; nested use in one thread joins the outer session. SQLite,
PostgreSQL and MariaDB/MySQL are prepared here so that they behave alike: see
:mod:`cloudkitty.db.engines`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from oslo_db import exception
from oslo_db.sqlalchemy import enginefacade
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from cloudkitty.db import engines


@enginefacade.transaction_context_provider
class _ThreadContext(threading.local):
    """What oslo.db hangs the session of the present thread on."""


def _new_manager() -> enginefacade._TransactionContextManager:
    manager = enginefacade.transaction_context()
    manager.configure(sqlite_fk=True)
    manager.append_on_engine_create(engines.prepare)
    return manager


_manager = _new_manager()
_context = _ThreadContext()


def reset() -> None:
    """Forget the engine, so that the next session reads ``[database]`` anew.

    For processes that fork after using the database, and for tests.
    """
    global _manager, _context  # noqa: PLW0603 - one engine per process
    if _manager.is_started:
        _manager.dispose_pool()
    _manager = _new_manager()
    _context = _ThreadContext()


def get_engine() -> Engine:
    """Give the engine of ``[database] connection``."""
    engine: Engine = _manager.writer.get_engine()
    return engine


def in_session() -> bool:
    """Whether this thread is inside of ``session_for_read`` or ``session_for_write``."""
    try:
        found: Session | None = _context.session
    except exception.NoEngineContextEstablished:
        return False
    return found is not None


@contextmanager
def session_for_read() -> Iterator[Session]:
    """Yield a session for reading; all its statements see one state of the database."""
    with _manager.reader.using(_context) as session:
        engines.begin_snapshot(session)
        yield session


@contextmanager
def session_for_write() -> Iterator[Session]:
    """Yield a session whose transaction is committed at the end, rolled back on an exception."""
    with _manager.writer.using(_context) as session:
        engines.begin_write(session)
        yield session
