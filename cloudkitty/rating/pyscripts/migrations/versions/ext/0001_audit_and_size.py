# SPDX-License-Identifier: Apache-2.0
"""Audit columns that hold the 64 characters of user ids, sources over 64 KiB on MySQL.

On SQLite, upstream's tables do not let go of the name of a deleted script: they are made anew.
"""

from alembic import op
from sqlalchemy.dialects import mysql

from cloudkitty.db import additions
from cloudkitty.db.rebuild import has_unique, rebuild, remove_unique

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
    if has_unique(TABLE, ["name"]):
        rebuild(TABLE, lambda table: remove_unique(table, ["name"]), {})
