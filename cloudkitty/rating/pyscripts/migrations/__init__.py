# SPDX-License-Identifier: Apache-2.0
"""Migrations of the pyscripts table; what the module offers as ``db_api``."""

from __future__ import annotations

from pathlib import Path

from cloudkitty.db.recognition import Upstream
from cloudkitty.db.subtree import SubTree


def get_migration() -> SubTree:
    """Give the migration object of pyscripts (contract rating.md 2.7)."""
    return SubTree(
        name="pyscripts",
        directory=Path(__file__).parent,
        models="cloudkitty.rating.pyscripts.models",
        upstream=Upstream(
            tables=("pyscripts_scripts",),
            older=frozenset({"4f9efa4601c0", "75c205f6f1a2"}),
            columns={
                "pyscripts_scripts": (
                    "created_at",
                    "start",
                    "end",
                    "description",
                    "deleted",
                    "created_by",
                    "updated_by",
                    "deleted_by",
                ),
            },
        ),
    )
