# SPDX-License-Identifier: Apache-2.0
"""Transactions that write rules: what no column takes is refused, deadlocks are retried."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar, cast

from oslo_db import api as db_api
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.db import errors
from cloudkitty.rating.common.errors import InvalidError

P = ParamSpec("P")
R = TypeVar("R")


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function`, a whole transaction, again when the database chose it as deadlock victim.

    As a part of a larger transaction it is run once: a deadlock has undone what was before it, so
    that the whole has to be done again.
    """
    retry = db_api.wrap_db_retry(max_retries=5, retry_on_deadlock=True, jitter=True)
    again = cast("Callable[P, R]", retry(function))

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs) if db.in_session() else again(*args, **kwargs)

    return call


@contextmanager
def write() -> Iterator[Session]:
    """Yield a session for writing; raises InvalidError when the database refuses a value."""
    try:
        with db.session_for_write() as session:
            yield session
    except errors.DATABASE_ERRORS as exc:
        if errors.refuses_value(exc):
            raise InvalidError("The database cannot store one of the values.") from exc
        raise


def stored_date(session: Session, moment: dt.datetime) -> dt.datetime:
    """Give the date as its column keeps it.

    MySQL and MariaDB keep no fraction; MySQL would round up, so that a rule made now began later.
    """
    if session.get_bind().dialect.name == "mysql":
        return moment.replace(microsecond=0)
    return moment
