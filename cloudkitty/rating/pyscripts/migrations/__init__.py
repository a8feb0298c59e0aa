# SPDX-License-Identifier: Apache-2.0
"""Migrations of the pyscripts table; what the module offers as ``db_api``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

from cloudkitty.db import windows
from cloudkitty.db.recognition import Upstream
from cloudkitty.db.subtree import SubTree

#: When a script of before there were validity windows began to be valid.
START: Final = dt.datetime(2014, 1, 1)  # noqa: DTZ001 - host-local, as all dates of rules
TABLE: Final = "pyscripts_scripts"
_WINDOW_AND_AUDIT: Final = (
    "created_at",
    "start",
    "end",
    "description",
    "deleted",
    "created_by",
    "updated_by",
    "deleted_by",
)


def add_windows() -> None:
    """Do what the revision c6e4cda29654 does, for scripts at 75c205f6f1a2 (sql-schema.md 5)."""
    windows.add(TABLE, start=START, not_unique=[("name",)])


def get_migration() -> SubTree:
    """Give the migration object of pyscripts (contract rating.md 2.7)."""
    return SubTree(
        name="pyscripts",
        directory=Path(__file__).parent,
        models="cloudkitty.rating.pyscripts.models",
        upstream=Upstream(
            tables=(TABLE,),
            older=frozenset({"4f9efa4601c0"}),
            from_older={"75c205f6f1a2": add_windows},
            columns={TABLE: ("script_id", "name", "data", "checksum", *_WINDOW_AND_AUDIT)},
            added={TABLE: _WINDOW_AND_AUDIT},
        ),
    )
