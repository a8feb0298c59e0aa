# SPDX-License-Identifier: Apache-2.0
"""Audit columns that hold the 64 characters of user ids, sources over 64 KiB on MySQL.

On SQLite, upstream's tables do not let go of the name of a deleted script: they are made anew.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cloudkitty.db import additions

revision = "0001"
down_revision = None

TABLE = "pyscripts_scripts"


def upgrade() -> None:
    for name in ("created_by", "updated_by", "deleted_by"):
        additions.widen(TABLE, name, 255)
    engine = op.get_bind().dialect.name
    if engine in {"mysql", "mariadb"}:
        op.alter_column(TABLE, "data", type_=mysql.MEDIUMBLOB(), existing_nullable=False)
    elif engine == "sqlite":
        _free_names()


def _free_names() -> None:
    """Make the table anew, with its rows, if its names are unique."""
    if not _has_unique_names():
        return
    table = sa.Table(
        TABLE,
        sa.MetaData(),
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
    )
    with op.batch_alter_table(TABLE, copy_from=table, recreate="always"):
        pass


def _has_unique_names() -> bool:
    # Reflection does not see every way in which a column can be declared unique.
    execute = op.get_bind().exec_driver_sql
    return any(
        unique and [column for _, _, column in execute(f"PRAGMA index_info('{index}')")] == ["name"]
        for _, index, unique, *_ in execute(f"PRAGMA index_list('{TABLE}')").all()
    )
