# SPDX-License-Identifier: Apache-2.0
"""Rated points.

As upstream's history leaves the table (contract sql-schema.md 3.5), but with a double, room for
long scope ids and exact comparison on MySQL: changing them later would rebuild a large table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "d875621d0384"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "rated_data_frames",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("begin", sa.DateTime, nullable=False),
        sa.Column("end", sa.DateTime, nullable=False),
        sa.Column("unit", sa.String(255), nullable=False),
        sa.Column("qty", sa.Numeric(15, 5), nullable=False),
        sa.Column("res_type", sa.String(255), nullable=False),
        sa.Column("rate", sa.Float().with_variant(mysql.DOUBLE(), "mysql"), nullable=False),
        sa.Column("desc", sa.Text, nullable=False),
        sa.Column("tenant_id", sa.String(255)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rated_data_frames")),
        sa.Index("idx_rated_data_frames_date", "begin", "end"),
        sa.Index("idx_tenantid_begin_end", "tenant_id", "begin", "end"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
