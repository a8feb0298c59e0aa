# SPDX-License-Identifier: Apache-2.0
"""Table of the pyscripts sub-tree (contract sql-schema.md 3.3)."""

from __future__ import annotations

import datetime as dt
import uuid

import sqlalchemy as sa
from oslo_db.sqlalchemy import models
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cloudkitty.db.base import new_metadata
from cloudkitty.db.types import ExactText
from cloudkitty.rating.dates import local_now


class Base(DeclarativeBase, models.ModelBase):
    """Base of the tables of this sub-tree."""

    metadata = new_metadata()


class Script(Base):
    """A script; dates are host-local and naive. Names are unique among those not deleted."""

    __tablename__ = "pyscripts_scripts"
    __table_args__ = (
        {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"},
    )

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    script_id: Mapped[str] = mapped_column(
        sa.String(36), unique=True, default=lambda: str(uuid.uuid4())
    )
    name: Mapped[str] = mapped_column(ExactText(255))
    #: The source, compressed with zlib.
    data: Mapped[bytes] = mapped_column(
        sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
    )
    #: SHA-512 of the source; very old rows may have another one, or none.
    checksum: Mapped[str] = mapped_column(sa.String(128))
    created_at: Mapped[dt.datetime] = mapped_column(
        sa.DateTime, default=local_now, server_default=sa.func.now()
    )
    start: Mapped[dt.datetime] = mapped_column(
        sa.DateTime, default=local_now, server_default=sa.func.now()
    )
    end: Mapped[dt.datetime | None] = mapped_column(sa.DateTime)
    description: Mapped[str | None] = mapped_column(sa.Text)
    deleted: Mapped[dt.datetime | None] = mapped_column(sa.DateTime)
    created_by: Mapped[str] = mapped_column(sa.String(255))
    updated_by: Mapped[str | None] = mapped_column(sa.String(255))
    deleted_by: Mapped[str | None] = mapped_column(sa.String(255))
