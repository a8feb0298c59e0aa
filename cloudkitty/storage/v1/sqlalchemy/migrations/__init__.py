# SPDX-License-Identifier: Apache-2.0
"""Migrations of the table of rated points."""

from __future__ import annotations

from pathlib import Path

from cloudkitty.db.recognition import Upstream
from cloudkitty.db.subtree import SubTree


def get_migration() -> SubTree:
    """Give the migration object of the storage."""
    return SubTree(
        name="storage_sqlalchemy",
        directory=Path(__file__).parent,
        models="cloudkitty.storage.v1.sqlalchemy.models",
        upstream=Upstream(
            tables=("rated_data_frames",),
            older=frozenset({"17fd1b237aa3", "792b438b663", "307430ab38bc", "c703a1bad612"}),
            indexes={"rated_data_frames": ("idx_tenantid_begin_end",)},
        ),
    )
