# SPDX-License-Identifier: Apache-2.0
"""States of scopes and reprocessing schedules.

As upstream's history leaves them (contract sql-schema.md 3.4).
"""

import sqlalchemy as sa
from alembic import op

revision = "9feccd32"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "cloudkitty_storage_states",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("identifier", sa.String(256), nullable=False),
        sa.Column("scope_key", sa.String(40)),
        sa.Column("fetcher", sa.String(40)),
        sa.Column("collector", sa.String(40)),
        sa.Column("last_processed_timestamp", sa.DateTime, nullable=False),
        sa.Column(
            "scope_activation_toggle_date",
            sa.DateTime,
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cloudkitty_storage_states")),
        sa.UniqueConstraint(
            "identifier",
            "scope_key",
            "collector",
            "fetcher",
            name=op.f("uq_cloudkitty_storage_states_identifier"),
        ),
    )
    op.create_table(
        "storage_scope_reprocessing_schedule",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("identifier", sa.String(256), nullable=False),
        sa.Column("start_reprocess_time", sa.DateTime, nullable=False),
        sa.Column("end_reprocess_time", sa.DateTime, nullable=False),
        sa.Column("current_reprocess_time", sa.DateTime),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_scope_reprocessing_schedule")),
    )
