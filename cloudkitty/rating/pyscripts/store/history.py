# SPDX-License-Identifier: Apache-2.0
"""What is written down about changes of scripts: attributes, and each source once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy.orm import Session

from cloudkitty.db import changes
from cloudkitty.db.changes import Change
from cloudkitty.rating.pyscripts import models
from cloudkitty.rating.pyscripts.store import source

SCRIPT: Final = "pyscript"
_SHOWN: Final = ("name", "checksum", "description", "created_at", "start", "end")


@contextmanager
def watch(session: Session, row: models.Script) -> Iterator[None]:
    """Write down what becomes of a script inside; a new one is to be made there.

    A script that is deleted softly is not there any more, as far as the log goes.
    """
    before = _see(session, row) if row.id is not None else None
    yield
    session.flush()
    session.refresh(row)
    after = None if row.deleted else _see(session, row)
    changes.record(session, [Change(SCRIPT, row.script_id, before, after, row.id)])


def _see(session: Session, row: models.Script) -> dict[str, Any]:
    """Say what a script is; its source is kept under the checksum, which old rows may lack."""
    try:
        code = source.unpack(row.data)
    except ValueError:  # damaged: it can be deleted all the same
        return {name: getattr(row, name) for name in _SHOWN}
    checksum = source.checksum(code)
    changes.keep_source(session, checksum, code)
    return {name: getattr(row, name) for name in _SHOWN} | {"checksum": checksum}
