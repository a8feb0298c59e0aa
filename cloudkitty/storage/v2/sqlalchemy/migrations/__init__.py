# SPDX-License-Identifier: Apache-2.0
"""Migrations of the SQL storage's tables; ours alone, so its history goes on from here."""

from __future__ import annotations

from pathlib import Path

from cloudkitty.db.subtree import SubTree


def get_migration() -> SubTree:
    """Give the migration object of the storage."""
    return SubTree(
        name="storage_v2_sqlalchemy",
        directory=Path(__file__).parent,
        models="cloudkitty.storage.v2.sqlalchemy.models",
    )
