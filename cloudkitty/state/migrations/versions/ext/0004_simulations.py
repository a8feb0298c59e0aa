# SPDX-License-Identifier: Apache-2.0
"""Simulations: drafts of rules, and what usage would have cost under them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cloudkitty.db import additions
from cloudkitty.db.types import ExactDecimal

revision = "0004"
down_revision = "0003"

_TEXT = sa.Text().with_variant(mysql.TEXT(charset="utf8mb4"), "mysql")
_LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql")
_DATA = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")


def upgrade() -> None:
    additions.create_table(
        "ck_simulations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("simulation_id", sa.String(36), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("project_id", sa.String(255)),
        sa.Column("description", _TEXT, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("stop", sa.BigInteger, nullable=False),
        sa.Column("question", _LONG_TEXT, nullable=False),
        sa.Column("rules", _DATA, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("progress", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("leased_until", sa.BigInteger),
        sa.Column("started", sa.BigInteger),
        sa.Column("finished", sa.BigInteger),
        sa.Column("error", _LONG_TEXT),
        sa.Column("answer", _LONG_TEXT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ck_simulations")),
        sa.UniqueConstraint("simulation_id", name=op.f("uq_ck_simulations_simulation_id")),
    )
    additions.create_index("ix_ck_simulations_status", "ck_simulations", ["status"])
    additions.create_table(
        "ck_simulation_rows",
        sa.Column("simulation", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("group_values", _LONG_TEXT, nullable=False),
        sa.Column("bucket", sa.BigInteger),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("qty", ExactDecimal, nullable=False),
        sa.Column("current", ExactDecimal, nullable=False),
        sa.Column("simulated", ExactDecimal, nullable=False),
        sa.PrimaryKeyConstraint("simulation", "number", name=op.f("pk_ck_simulation_rows")),
        sqlite_with_rowid=False,
    )
    additions.create_index(
        "ix_ck_simulation_rows_rank", "ck_simulation_rows", ["simulation", "rank"]
    )
