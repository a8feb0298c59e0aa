# SPDX-License-Identifier: Apache-2.0
"""Migrations of the core tables, and the alembic environment that all sub-trees share."""

from __future__ import annotations

from pathlib import Path

from cloudkitty.db.recognition import Upstream
from cloudkitty.db.subtree import SubTree


def get_migration() -> SubTree:
    """Give the core's migration object."""
    return SubTree(
        name="cloudkitty",
        directory=Path(__file__).parent,
        models="cloudkitty.db.models",
        upstream=Upstream(
            tables=("states", "modules_state", "service_to_collector_mappings"),
            older=frozenset({"464e951dc3b8", "2ac2217dcbd9"}),
            columns={"modules_state": ("priority",)},
        ),
    )
