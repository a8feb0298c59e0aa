# SPDX-License-Identifier: Apache-2.0
"""Tables of hashmap.

As upstream's history leaves them (contract sql-schema.md 3.2), but for the collation on MySQL:
rules are compared byte by byte, as when rating.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from cloudkitty.db.types import ExactDecimal

revision = "8a591f85865f"
down_revision = None

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    op.create_table(
        "hashmap_services",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("service_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hashmap_services")),
        sa.UniqueConstraint("service_id", name=op.f("uq_hashmap_services_service_id")),
        sa.UniqueConstraint("name", name=op.f("uq_hashmap_services_name")),
        **OPTIONS,
    )
    op.create_table(
        "hashmap_fields",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("field_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("service_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hashmap_fields")),
        sa.UniqueConstraint("field_id", name=op.f("uq_hashmap_fields_field_id")),
        sa.UniqueConstraint("service_id", "name", name=op.f("uniq_field_per_service")),
        _reference("hashmap_fields", "service_id", "hashmap_services", "CASCADE"),
        **OPTIONS,
    )
    op.create_table(
        "hashmap_groups",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("group_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hashmap_groups")),
        sa.UniqueConstraint("group_id", name=op.f("uq_hashmap_groups_group_id")),
        sa.UniqueConstraint("name", name=op.f("uq_hashmap_groups_name")),
        **OPTIONS,
    )
    _create_mappings()
    _create_thresholds()


def _create_mappings() -> None:
    op.create_table(
        "hashmap_mappings",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("mapping_id", sa.String(36), nullable=False),
        sa.Column("value", sa.String(255)),
        sa.Column("cost", ExactDecimal(40, 28), nullable=False),
        sa.Column("map_type", sa.Enum("flat", "rate", name="enum_map_type"), nullable=False),
        sa.Column("service_id", sa.Integer),
        sa.Column("field_id", sa.Integer),
        sa.Column("group_id", sa.Integer),
        sa.Column("tenant_id", sa.String(255)),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.Column("start", sa.DateTime, nullable=False, server_default=sa.func.now()),
        sa.Column("end", sa.DateTime),
        sa.Column("description", sa.Text),
        sa.Column("deleted", sa.DateTime),
        sa.Column("created_by", sa.String(32), nullable=False),
        sa.Column("updated_by", sa.String(32)),
        sa.Column("deleted_by", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hashmap_mappings")),
        sa.UniqueConstraint("mapping_id", name=op.f("uq_hashmap_mappings_mapping_id")),
        *_rule_references("hashmap_mappings"),
        **OPTIONS,
    )


def _create_thresholds() -> None:
    op.create_table(
        "hashmap_thresholds",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("threshold_id", sa.String(36), nullable=False),
        sa.Column("level", ExactDecimal(20, 8)),
        sa.Column("cost", ExactDecimal(40, 28), nullable=False),
        sa.Column("map_type", sa.Enum("flat", "rate", name="enum_hashmap_type"), nullable=False),
        sa.Column("service_id", sa.Integer),
        sa.Column("field_id", sa.Integer),
        sa.Column("group_id", sa.Integer),
        sa.Column("tenant_id", sa.String(255)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hashmap_thresholds")),
        sa.UniqueConstraint("threshold_id", name=op.f("uq_hashmap_thresholds_threshold_id")),
        sa.UniqueConstraint("level", "field_id", "tenant_id", name=op.f("uniq_field_threshold")),
        sa.UniqueConstraint(
            "level", "service_id", "tenant_id", name=op.f("uniq_service_threshold")
        ),
        *_rule_references("hashmap_thresholds"),
        **OPTIONS,
    )


def _rule_references(table: str) -> list[sa.ForeignKeyConstraint]:
    return [
        _reference(table, "service_id", "hashmap_services", "CASCADE"),
        _reference(table, "field_id", "hashmap_fields", "CASCADE"),
        _reference(table, "group_id", "hashmap_groups", "SET NULL"),
    ]


def _reference(table: str, column: str, to: str, ondelete: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{to}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete=ondelete)
