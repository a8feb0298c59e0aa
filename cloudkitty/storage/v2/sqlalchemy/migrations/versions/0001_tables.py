# SPDX-License-Identifier: Apache-2.0
"""Scopes, series, points, daily roll-ups and the ledger of periods."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cloudkitty.db.types import BinaryText, ExactDecimal

revision = "0001"
down_revision = None

MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}
WITHOUT_ROWID: dict[str, Any] = {"sqlite_with_rowid": False, **MYSQL}
DIGEST = sa.LargeBinary(16).with_variant(mysql.BINARY(16), "mysql")
JSON = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql")
LABELS = (
    sa.Text()
    .with_variant(mysql.MEDIUMBLOB(), "mysql")
    .with_variant(sa.Text(collation="C"), "postgresql")
)
# SQLite counts up only what is declared INTEGER.
SERIES_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "ck_scopes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("scope_key", BinaryText(255), nullable=False),
        sa.Column("identifier", BinaryText(256), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ck_scopes")),
        sa.UniqueConstraint("scope_key", "identifier", name=op.f("uq_ck_scopes_scope_key")),
        **MYSQL,
    )
    _create_series()
    op.create_table(
        "ck_points",
        *_keys(begin=sa.BigInteger, scope_id=sa.Integer, series_id=sa.BigInteger, rank=sa.Integer),
        sa.Column("seconds", sa.BigInteger, nullable=False),
        sa.Column("qty", ExactDecimal, nullable=False),
        sa.Column("price", ExactDecimal, nullable=False),
        sa.PrimaryKeyConstraint(
            "begin", "scope_id", "series_id", "rank", name=op.f("pk_ck_points")
        ),
        **WITHOUT_ROWID,
    )
    op.create_table(
        "ck_daily",
        *_keys(scope_id=sa.Integer, day=sa.Integer, series_id=sa.BigInteger),
        *_sums(),
        sa.PrimaryKeyConstraint("scope_id", "day", "series_id", name=op.f("pk_ck_daily")),
        sa.Index("ix_ck_daily_day", "day"),
        **WITHOUT_ROWID,
    )
    op.create_table(
        "ck_daily_totals",
        *_keys(scope_id=sa.Integer, day=sa.Integer),
        sa.Column("metric", BinaryText(255), nullable=False),
        *_sums(),
        sa.PrimaryKeyConstraint("scope_id", "day", "metric", name=op.f("pk_ck_daily_totals")),
        sa.Index("ix_ck_daily_totals_day", "day"),
        **WITHOUT_ROWID,
    )
    op.create_table(
        "ck_periods",
        *_keys(scope_id=sa.Integer, begin=sa.BigInteger),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("price", ExactDecimal, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("rules_version", sa.String(64)),
        sa.Column("rolled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "begin", name=op.f("pk_ck_periods")),
        sa.Index("ix_ck_periods_begin", "begin", "points"),
        sa.Index("ix_ck_periods_rolled", "rolled", "begin"),
        **WITHOUT_ROWID,
    )


def _create_series() -> None:
    op.create_table(
        "ck_series",
        sa.Column("id", SERIES_ID, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("identity", DIGEST, nullable=False),
        sa.Column("scope_id", sa.Integer, nullable=False),
        sa.Column("metric", BinaryText(255), nullable=False),
        sa.Column("unit", BinaryText(255), nullable=False),
        sa.Column("groupby", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("labels", LABELS, nullable=False),
        sa.Column("description", LABELS),
        sa.Column("calendar", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ck_series")),
        sa.UniqueConstraint("digest", name=op.f("uq_ck_series_digest")),
        sa.Index("ix_ck_series_identity", "identity"),
        sa.Index("ix_ck_series_scope_id", "scope_id"),
        **MYSQL,
    )


def _sums() -> list[sa.Column[Any]]:
    return [
        sa.Column("points", sa.Integer, nullable=False),
        *(
            sa.Column(f"{number}_{function}", ExactDecimal, nullable=False)
            for number in ("qty", "price")
            for function in ("sum", "min", "max")
        ),
    ]


def _keys(**types: type[sa.types.TypeEngine[Any]]) -> list[sa.Column[Any]]:
    # No key counts up by itself.
    return [
        sa.Column(name, kind, nullable=False, autoincrement=False) for name, kind in types.items()
    ]
