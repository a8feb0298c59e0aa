# SPDX-License-Identifier: Apache-2.0
"""INSERT that leaves out rows whose key exists, in the words of each SQL engine."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session


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
