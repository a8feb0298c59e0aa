# SPDX-License-Identifier: Apache-2.0
"""Rule sets: the rules that prices were made by, each version once."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cloudkitty.db import additions

revision = "0002"
down_revision = "0001"

_DATA = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    additions.create_table(
        "ck_rule_sets",
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("modules", _DATA, nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_ck_rule_sets")),
    )
    additions.create_table(
        "ck_rule_contents",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("module", sa.String(255), nullable=False),
        sa.Column("data", _DATA, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_ck_rule_contents")),
    )
