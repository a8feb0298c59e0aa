# SPDX-License-Identifier: Apache-2.0
"""Writing transactions of the storage: how they begin, and when they are tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from oslo_db import api as db_api
from oslo_db import exception as db_exc
from sqlalchemy.orm import Session

from cloudkitty import db

_F = TypeVar("_F", bound=Callable[..., Any])

_ATTEMPTS: Final = 10


@contextmanager
def writing() -> Iterator[Session]:
    """Yield a session for writing in which each statement sees what others have committed.

    Whoever waited for a row's lock then works with the row as it is, not as it was when the
    transaction began. That is what PostgreSQL does by default and what SQLite, with one writer at
    a time, cannot do otherwise.
    """
    with db.session_for_write() as session:
        if session.get_bind().dialect.name == "mysql" and not session.in_transaction():
            session.connection(execution_options={"isolation_level": "READ COMMITTED"})
        yield session


def _somebody_was_faster(exc: Exception) -> bool:
    return isinstance(exc, db_exc.DBDuplicateEntry)


def retried(function: _F) -> _F:
    """Run the whole transaction again after a deadlock, or a row that somebody else just made."""
    wrapped: _F = db_api.wrap_db_retry(
        max_retries=_ATTEMPTS,
        retry_interval=0.05,
        inc_retry_interval=True,
        max_retry_interval=2,
        jitter=True,
        retry_on_deadlock=True,
        exception_checker=_somebody_was_faster,
    )(function)
    return wrapped
