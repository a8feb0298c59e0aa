# SPDX-License-Identifier: Apache-2.0
"""Transactions that write rules: one writer at a time, deadlocks retried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar, cast

from oslo_db import api as db_api
from oslo_db import exception as db_exc
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.rating.hashmap.models import Service
from cloudkitty.rating.hashmap.store.errors import InvalidError

P = ParamSpec("P")
R = TypeVar("R")

_ILLEGAL_MIX_OF_COLLATIONS: Final = 1267


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function`, a whole transaction, again when the database chose it as deadlock victim."""
    retry = db_api.wrap_db_retry(max_retries=5, retry_on_deadlock=True, jitter=True)
    return cast("Callable[P, R]", retry(function))


@contextmanager
def write() -> Iterator[Session]:
    """Yield a session for writing; raises InvalidError when the database refuses a value."""
    try:
        with db.session_for_write() as session:
            yield session
    except db_exc.DBError as exc:
        if isinstance(exc, db_exc.DBDataError) or _beyond_charset(exc):
            raise InvalidError("The database cannot store one of the values.") from exc
        raise


@contextmanager
def write_rules() -> Iterator[Session]:
    """Yield a session for a change that must not meet another one: checks, then writes.

    Whether two rules overlap no unique key can say. Every writer therefore locks the services,
    always in the same order; a rule has a service above it, so there is one to meet at. (SQLite
    has one writer at a time anyway.) The locking read comes first: what the transaction reads
    afterwards is what the writer before it has committed.
    """
    with write() as session:
        session.execute(select(Service.id).order_by(Service.id).with_for_update()).all()
        yield session


def _beyond_charset(error: db_exc.DBError) -> bool:
    """Whether a column of an old MySQL or MariaDB table was compared with what it cannot hold."""
    original = getattr(error.inner_exception, "orig", None)
    return bool(original and original.args and original.args[0] == _ILLEGAL_MIX_OF_COLLATIONS)
