# SPDX-License-Identifier: Apache-2.0
"""The table of the discounts."""

import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.create_table(
        "acme_discounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("discount_id", sa.String(36), nullable=False, unique=True),
        sa.Column("scope_id", sa.String(255), nullable=False),
        sa.Column("percent", sa.Integer, nullable=False),
        # Those of VolatileAuditableModel.
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.Column("start", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.Column("end", sa.DateTime),
        sa.Column("description", sa.Text),
        sa.Column("deleted", sa.DateTime),
        sa.Column("created_by", sa.String(255), nullable=False),
        sa.Column("updated_by", sa.String(255)),
        sa.Column("deleted_by", sa.String(255)),
    )
