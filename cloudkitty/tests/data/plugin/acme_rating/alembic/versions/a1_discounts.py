# SPDX-License-Identifier: Apache-2.0
"""discounts"""

import sqlalchemy as sa
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.create_table(
        "acme_discounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("percent", sa.Integer, nullable=False),
    )
