# SPDX-License-Identifier: Apache-2.0
"""State and priority of rating modules, rows of ``modules_state``."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.db.models import ModuleState


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
    with db.session_for_write() as session:
        _row(session, name).state = bool(enabled)
    return bool(enabled)


def set_priority(name: str, priority: int) -> int:
    """Set a module's priority; its row is made, turned off, when missing."""
    with db.session_for_write() as session:
        _row(session, name).priority = int(priority)
    return int(priority)


def all_states() -> dict[str, tuple[bool, int]]:
    """Give name -> (enabled, priority) of every module that has a row, in one statement."""
    with db.session_for_read() as session:
        rows = session.execute(select(ModuleState.name, ModuleState.state, ModuleState.priority))
        return {name: (bool(state), priority or 1) for name, state, priority in rows}


def _row(session: Session, name: str) -> ModuleState:
    row = session.get(ModuleState, name, with_for_update=True)
    if row is None:
        row = ModuleState(name=name, state=False, priority=1)
        session.add(row)
    return row
