# SPDX-License-Identifier: Apache-2.0
"""Migrations of scope states, reprocessing schedules and leases."""

from __future__ import annotations

from pathlib import Path

from cloudkitty.db.recognition import Upstream
from cloudkitty.db.subtree import SubTree


def get_migration() -> SubTree:
    """Give the migration object of the state tables."""
    return SubTree(
        name="storage_states",
        directory=Path(__file__).parent,
        models="cloudkitty.state.models",
        upstream=Upstream(
            tables=("cloudkitty_storage_states", "storage_scope_reprocessing_schedule"),
            older=frozenset(
                {"c14eea9d3cc1", "d9d103dd4dcf", "c50ed2c19204", "750d3050cf71", "4d69395f"}
            ),
            columns={
                "cloudkitty_storage_states": (
                    "last_processed_timestamp",
                    "scope_activation_toggle_date",
                    "active",
                )
            },
            no_columns={"cloudkitty_storage_states": ("state",)},
        ),
    )
