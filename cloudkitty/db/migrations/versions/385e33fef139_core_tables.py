# SPDX-License-Identifier: Apache-2.0
"""Core tables.

As upstream's history leaves them (contract sql-schema.md 3.1).
"""

import sqlalchemy as sa
from alembic import op

revision = "385e33fef139"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "states",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("state", sa.BigInteger, nullable=False),
        sa.Column("s_metadata", sa.Text),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_states")),
    )
    op.create_table(
        "modules_state",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("state", sa.Boolean, nullable=False),
        sa.Column("priority", sa.Integer),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_modules_state")),
    )
    op.create_table(
        "service_to_collector_mappings",
        sa.Column("service", sa.String(255), nullable=False),
        sa.Column("collector", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("service", name=op.f("pk_service_to_collector_mappings")),
    )
