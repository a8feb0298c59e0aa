# SPDX-License-Identifier: Apache-2.0
"""Tables of the hashmap sub-tree (contract sql-schema.md 3.2)."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import sqlalchemy as sa
from oslo_db.sqlalchemy import models
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from cloudkitty import timeutils
from cloudkitty.db.base import new_metadata
from cloudkitty.db.types import ExactDecimal, ExactText


class Base(DeclarativeBase, models.ModelBase):
    """Base of the tables of this sub-tree."""

    metadata = new_metadata()


_TYPES = ("flat", "rate")
_OPTIONS = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def _new_uuid() -> str:
    return str(uuid.uuid4())


def _local_now() -> dt.datetime:
    return timeutils.naive_local(dt.datetime.now(dt.UTC))


class Service(Base):
    """A metric, by its name in data frames."""

    __tablename__ = "hashmap_services"
    __table_args__ = _OPTIONS

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    service_id: Mapped[str] = mapped_column(sa.String(36), unique=True, default=_new_uuid)
    name: Mapped[str] = mapped_column(ExactText(255), unique=True)
    fields: Mapped[list[Field]] = relationship(
        back_populates="service",
        passive_deletes=True,
        cascade="all, delete-orphan",
    )


class Field(Base):
    """A label of a metric's points that rules may look at."""

    __tablename__ = "hashmap_fields"
    __table_args__ = (
        sa.UniqueConstraint("service_id", "name", name="uniq_field_per_service"),
        _OPTIONS,
    )

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    field_id: Mapped[str] = mapped_column(sa.String(36), unique=True, default=_new_uuid)
    name: Mapped[str] = mapped_column(ExactText(255))
    service_id: Mapped[int] = mapped_column(
        sa.Integer,
        sa.ForeignKey("hashmap_services.id", ondelete="CASCADE"),
    )
    service: Mapped[Service] = relationship(back_populates="fields")


class Group(Base):
    """A bucket of one calculation: groups add up, rules inside one combine."""

    __tablename__ = "hashmap_groups"
    __table_args__ = _OPTIONS

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    group_id: Mapped[str] = mapped_column(sa.String(36), unique=True, default=_new_uuid)
    name: Mapped[str] = mapped_column(ExactText(255), unique=True)


class Mapping(Base):
    """A price for a service, or for one value of a field; dates are host-local and naive."""

    __tablename__ = "hashmap_mappings"
    __table_args__ = (
        sa.Index("ix_hashmap_mappings_service_tenant", "service_id", "tenant_id"),
        sa.Index("ix_hashmap_mappings_field_tenant", "field_id", "tenant_id"),
        _OPTIONS,
    )

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    mapping_id: Mapped[str] = mapped_column(sa.String(36), unique=True, default=_new_uuid)
    value: Mapped[str | None] = mapped_column(ExactText(255))
    cost: Mapped[Decimal] = mapped_column(ExactDecimal(40, 28))
    map_type: Mapped[str] = mapped_column(sa.Enum(*_TYPES, name="enum_map_type"))
    service_id: Mapped[int | None] = mapped_column(
        sa.Integer,
        sa.ForeignKey("hashmap_services.id", ondelete="CASCADE"),
    )
    field_id: Mapped[int | None] = mapped_column(
        sa.Integer,
        sa.ForeignKey("hashmap_fields.id", ondelete="CASCADE"),
    )
    group_id: Mapped[int | None] = mapped_column(
        sa.Integer,
        sa.ForeignKey("hashmap_groups.id", ondelete="SET NULL"),
    )
    tenant_id: Mapped[str | None] = mapped_column(ExactText(255))
    name: Mapped[str] = mapped_column(ExactText(32), default=lambda: uuid.uuid4().hex)
    created_at: Mapped[dt.datetime] = mapped_column(
        sa.DateTime,
        default=_local_now,
        server_default=sa.func.now(),
    )
    start: Mapped[dt.datetime] = mapped_column(
        sa.DateTime,
        default=_local_now,
        server_default=sa.func.now(),
    )
    end: Mapped[dt.datetime | None] = mapped_column(sa.DateTime)
    description: Mapped[str | None] = mapped_column(sa.Text)
    deleted: Mapped[dt.datetime | None] = mapped_column(sa.DateTime)
    created_by: Mapped[str] = mapped_column(sa.String(255))
    updated_by: Mapped[str | None] = mapped_column(sa.String(255))
    deleted_by: Mapped[str | None] = mapped_column(sa.String(255))

    service: Mapped[Service | None] = relationship()
    field: Mapped[Field | None] = relationship()
    group: Mapped[Group | None] = relationship()


class Threshold(Base):
    """A price from some quantity, or some number in a field, upwards."""

    __tablename__ = "hashmap_thresholds"
    __table_args__ = (
        sa.UniqueConstraint("level", "field_id", "tenant_id", name="uniq_field_threshold"),
        sa.UniqueConstraint("level", "service_id", "tenant_id", name="uniq_service_threshold"),
        _OPTIONS,
    )

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    threshold_id: Mapped[str] = mapped_column(sa.String(36), unique=True, default=_new_uuid)
    level: Mapped[Decimal | None] = mapped_column(ExactDecimal(20, 8))
    cost: Mapped[Decimal] = mapped_column(ExactDecimal(40, 28))
    map_type: Mapped[str] = mapped_column(sa.Enum(*_TYPES, name="enum_hashmap_type"))
    service_id: Mapped[int | None] = mapped_column(
        sa.Integer,
        sa.ForeignKey("hashmap_services.id", ondelete="CASCADE"),
    )
    field_id: Mapped[int | None] = mapped_column(
        sa.Integer,
        sa.ForeignKey("hashmap_fields.id", ondelete="CASCADE"),
    )
    group_id: Mapped[int | None] = mapped_column(
        sa.Integer,
        sa.ForeignKey("hashmap_groups.id", ondelete="SET NULL"),
    )
    tenant_id: Mapped[str | None] = mapped_column(ExactText(255))

    service: Mapped[Service | None] = relationship()
    field: Mapped[Field | None] = relationship()
    group: Mapped[Group | None] = relationship()
