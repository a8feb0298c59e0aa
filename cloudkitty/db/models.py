# SPDX-License-Identifier: Apache-2.0
"""Tables of the core sub-tree (contract sql-schema.md 3.1), and our own."""

from __future__ import annotations

import sqlalchemy as sa
from oslo_db.sqlalchemy import models
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cloudkitty.db.base import new_metadata


class Base(DeclarativeBase, models.ModelBase):
    """Base of the tables of this sub-tree."""

    metadata = new_metadata()


class StateInfo(Base):
    """A key and a value; kept because old databases have the table."""

    __tablename__ = "states"

    name: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    state: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
    s_metadata: Mapped[str | None] = mapped_column(sa.Text, default="")


class ModuleState(Base):
    """Whether a rating module is on, and its rank; a priority of NULL or 0 counts as 1."""

    __tablename__ = "modules_state"

    name: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    state: Mapped[bool] = mapped_column(sa.Boolean, nullable=False, default=False)
    priority: Mapped[int | None] = mapped_column(sa.Integer, default=1)


class ServiceToCollectorMapping(Base):
    """Served by the deprecated v1 collector API; collects nothing."""

    __tablename__ = "service_to_collector_mappings"

    service: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    collector: Mapped[str] = mapped_column(sa.String(255), nullable=False)


class IdempotencyKey(Base):
    """A request that must not be carried out twice; see :mod:`cloudkitty.db.idempotency`."""

    __tablename__ = "ck_idempotency_keys"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    body: Mapped[str] = mapped_column(sa.String(64), nullable=False)
    expires: Mapped[int] = mapped_column(sa.BigInteger, nullable=False, index=True)
