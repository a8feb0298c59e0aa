# SPDX-License-Identifier: Apache-2.0
"""Leases of scopes, ids of scopes compared exactly, an index to find a scope's schedules by."""

import sqlalchemy as sa
from alembic import op

from cloudkitty.db import additions

revision = "0001"
down_revision = None


def upgrade() -> None:
    additions.create_table(
        "ck_scope_leases",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ck_scope_leases")),
    )
    additions.compare_exactly("cloudkitty_storage_states", "identifier", 256)
    additions.create_index(
        "ix_storage_scope_reprocessing_schedule_identifier",
        "storage_scope_reprocessing_schedule",
        ["identifier"],
    )
