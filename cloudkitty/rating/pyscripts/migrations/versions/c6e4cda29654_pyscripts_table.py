# SPDX-License-Identifier: Apache-2.0
"""Table of pyscripts, as upstream's history leaves it (contract sql-schema.md 3.3).

But for the collation on MySQL, where names are compared byte by byte, and for the name on SQLite,
which is not unique: a deleted script does not keep its name.
"""

import sqlalchemy as sa
from alembic import op

revision = "c6e4cda29654"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "pyscripts_scripts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("script_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("checksum", sa.String(128), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.Column("start", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.Column("end", sa.DateTime),
        sa.Column("description", sa.Text),
        sa.Column("deleted", sa.DateTime),
        sa.Column("created_by", sa.String(32), nullable=False),
        sa.Column("updated_by", sa.String(32)),
        sa.Column("deleted_by", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pyscripts_scripts")),
        sa.UniqueConstraint("script_id", name=op.f("uq_pyscripts_scripts_script_id")),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
