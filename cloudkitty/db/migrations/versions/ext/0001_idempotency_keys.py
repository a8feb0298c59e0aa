# SPDX-License-Identifier: Apache-2.0
"""Idempotency keys: what has been posted once must not be stored twice."""

import sqlalchemy as sa
from alembic import op

from cloudkitty.db import additions

revision = "0001"
down_revision = None


def upgrade() -> None:
    additions.create_table(
        "ck_idempotency_keys",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("body", sa.String(64), nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_ck_idempotency_keys")),
    )
    additions.create_index("ix_ck_idempotency_keys_expires", "ck_idempotency_keys", ["expires"])
