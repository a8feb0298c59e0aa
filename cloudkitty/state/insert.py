# SPDX-License-Identifier: Apache-2.0
"""INSERT that leaves out rows whose key exists, in the words of each SQL engine.

And what follows from it on every engine: transactions that take turns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from cloudkitty.state.models import ScopeLease


def insert_missing(session: Session, model: type[Any], rows: list[dict[str, Any]]) -> int:
    """Insert those of `rows` that violate no unique key; give how many that were."""
    statement: Any
    match session.get_bind().dialect.name:
        case "postgresql":
            statement = postgresql.insert(model).values(rows).on_conflict_do_nothing()
        case "sqlite":
            statement = sqlite.insert(model).values(rows).on_conflict_do_nothing()
        case _:
            statement = mysql.insert(model).values(rows).prefix_with("IGNORE")
    result: Any = session.execute(statement)
    return int(result.rowcount)


@contextmanager
def taking_turns(session: Session, what: str) -> Iterator[None]:
    """Have transactions that do the same thing wait for one another, until each has ended.

    For checks that no unique key can make. Take it before anything is read: what is read then is
    what those before have committed. The row that is waited for goes when the transaction ends, in
    either way. Deadlocks are possible, as in any transaction that writes.
    """
    name = hashlib.sha256(what.encode()).hexdigest()
    insert_missing(session, ScopeLease, [{"name": name, "owner": "", "expires": 0}])
    yield
    session.execute(
        sa.delete(ScopeLease)
        .where(ScopeLease.name == name)
        .execution_options(synchronize_session=False),
    )
