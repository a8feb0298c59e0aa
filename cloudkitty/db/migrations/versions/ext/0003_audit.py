# SPDX-License-Identifier: Apache-2.0
"""The audit log: changes of rules, scripts and modules."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cloudkitty.db import additions

revision = "0003"
down_revision = "0002"

_COUNTED = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_JSON = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_DATA = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    additions.create_table(
        "ck_audit",
        sa.Column("id", _COUNTED, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("project_id", sa.String(255)),
        sa.Column("request_id", sa.String(255)),
        sa.Column("way", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("object_id", sa.String(255), nullable=False),
        sa.Column("object_number", sa.BigInteger),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("before", _JSON),
        sa.Column("after", _JSON),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ck_audit")),
        sqlite_autoincrement=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    for column in ("time", "kind", "object_id"):
        additions.create_index(f"ix_ck_audit_{column}", "ck_audit", [column])
    additions.create_table(
        "ck_audit_sources",
        sa.Column("checksum", sa.String(128), nullable=False),
        sa.Column("data", _DATA, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("checksum", name=op.f("pk_ck_audit_sources")),
    )
