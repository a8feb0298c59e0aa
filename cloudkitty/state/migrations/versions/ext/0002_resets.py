# SPDX-License-Identifier: Apache-2.0
"""Orders to reset scopes; schedules hold ids that are compared exactly, and any text as reason."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cloudkitty.db import additions

revision = "0002"
down_revision = "0001"

_SCOPE_ID = sa.String(256).with_variant(
    mysql.VARCHAR(256, charset="utf8mb4", collation="utf8mb4_bin"),
    "mysql",
)


def upgrade() -> None:
    additions.create_table(
        "ck_scope_resets",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("state_id", sa.Integer, nullable=False),
        sa.Column("identifier", _SCOPE_ID, nullable=False),
        sa.Column("last_processed_timestamp", sa.DateTime, nullable=False),
        sa.Column("created", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ck_scope_resets")),
    )
    additions.create_index("ix_ck_scope_resets_state_id", "ck_scope_resets", ["state_id"])
    additions.compare_exactly("storage_scope_reprocessing_schedule", "identifier", 256)
    additions.hold_any_text("storage_scope_reprocessing_schedule", "reason")
