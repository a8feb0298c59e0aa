# SPDX-License-Identifier: Apache-2.0
"""Who changed a rule: user ids as the audit columns can hold them (contract api.md D10, D30)."""

from __future__ import annotations

from typing import Final
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

UNKNOWN: Final = "unknown"

# Width in old databases; the project's own migrations make it wider.
_NARROW: Final = 32
_widths: WeakKeyDictionary[Engine, dict[str, int | None]] = WeakKeyDictionary()


def name(session: Session, table: str, user: str | None) -> str:
    """Give the user id to store: ``unknown`` for none, cut to what `table` has room for."""
    widths = _widths.setdefault(session.get_bind().engine, {})
    if table not in widths:
        widths[table] = _width(session, table)
    return (user or UNKNOWN)[: widths[table]]


def same(user: str, stored: str | None) -> bool:
    """Whether a stored audit name is this user's, perhaps cut."""
    return stored is not None and (
        user == stored or (len(stored) == _NARROW and user.startswith(stored))
    )


def _width(session: Session, table: str) -> int | None:
    """Give the width of the narrowest audit column; None, no limit, on SQLite."""
    if session.get_bind().dialect.name == "sqlite":
        return None
    columns = sa.inspect(session.connection()).get_columns(table)
    audit = [column["type"] for column in columns if column["name"].endswith("_by")]
    return min(getattr(kind, "length", None) or _NARROW for kind in audit)
