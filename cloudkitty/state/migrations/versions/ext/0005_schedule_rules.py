# SPDX-License-Identifier: Apache-2.0
"""Schedules say by which rules periods are rated again; those that there are say nothing."""

import sqlalchemy as sa

from cloudkitty.db import additions

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    additions.add_column(
        "storage_scope_reprocessing_schedule",
        sa.Column("ck_rules", sa.String(16)),
    )
