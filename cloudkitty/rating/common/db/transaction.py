# SPDX-License-Identifier: Apache-2.0
"""Transactions that write rules: what no column takes is refused, deadlocks are retried."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar, cast

from oslo_db import api as db_api
from oslo_db import exception as db_exc
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.rating.common.errors import InvalidError

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


def _beyond_charset(error: db_exc.DBError) -> bool:
    """Whether a column of an old MySQL or MariaDB table was compared with what it cannot hold."""
    original = getattr(error.inner_exception, "orig", None)
    return bool(original and original.args and original.args[0] == _ILLEGAL_MIX_OF_COLLATIONS)


def stored_date(session: Session, moment: dt.datetime) -> dt.datetime:
    """Give the date as its column keeps it.

    MySQL and MariaDB keep no fraction; MySQL would round up, so that a rule made now began later.
    """
    if session.get_bind().dialect.name == "mysql":
        return moment.replace(microsecond=0)
    return moment
