# SPDX-License-Identifier: Apache-2.0
"""State and priority of rating modules, rows of ``modules_state``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.db import changes
from cloudkitty.db.changes import Change
from cloudkitty.db.models import ModuleState

#: What the column of priorities can hold.
MAX_PRIORITY: Final = 2**31 - 1
#: Kind of the entries of the audit log.
MODULE: Final = "module"


def get_state(name: str) -> bool:
    """Whether the module is on; False when it has no row."""
    with db.session_for_read() as session:
        row = session.get(ModuleState, name)
        return bool(row.state) if row else False


def get_priority(name: str) -> int:
    """Give the module's priority; 1 when it has no row, or NULL or 0 there."""
    with db.session_for_read() as session:
        row = session.get(ModuleState, name)
        return (row.priority if row else None) or 1


def set_state(name: str, enabled: bool) -> bool:  # noqa: FBT001 - plugin interface
    """Turn a module on or off; its row is made, with priority 1, when missing."""
    with db.session_for_write() as session, _changing(session, name) as row:
        row.state = bool(enabled)
    return bool(enabled)


def set_priority(name: str, priority: int) -> int:
    """Set a module's priority; its row is made, turned off, when missing."""
    with db.session_for_write() as session, _changing(session, name) as row:
        row.priority = int(priority)
    return int(priority)


def all_states() -> dict[str, tuple[bool, int]]:
    """Give name -> (enabled, priority) of every module that has a row, in one statement."""
    with db.session_for_read() as session:
        rows = session.execute(select(ModuleState.name, ModuleState.state, ModuleState.priority))
        return {name: (bool(state), priority or 1) for name, state, priority in rows}


@contextmanager
def _changing(session: Session, name: str) -> Iterator[ModuleState]:
    """Yield the row of a module, made when it is missing; writes down what becomes of it.

    To the log a module without a row is one that is off: it is never made or deleted.
    """
    row = session.get(ModuleState, name, with_for_update=True)
    if row is None:
        row = ModuleState(name=name, state=False, priority=1)
        session.add(row)
    before = _seen(row)
    yield row
    changes.record(session, [Change(MODULE, name, before, _seen(row))])


def _seen(row: ModuleState) -> dict[str, Any]:
    return {"enabled": bool(row.state), "priority": row.priority or 1}
