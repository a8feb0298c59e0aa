# SPDX-License-Identifier: Apache-2.0
"""Tables of scope states and schedules (contract sql-schema.md 3.4), of leases and resets."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from oslo_db.sqlalchemy import models
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cloudkitty import timeutils
from cloudkitty.db.base import new_metadata


class Base(DeclarativeBase, models.ModelBase):
    """Base of the tables of this sub-tree."""

    metadata = new_metadata()


# Scope ids are compared exactly; MySQL's default collations would not tell "a" from "A".
_SCOPE_ID = sa.String(256).with_variant(
    mysql.VARCHAR(256, charset="utf8mb4", collation="utf8mb4_bin"),
    "mysql",
)
# Any text of any script, whatever the default of the database is.
_TEXT = sa.Text().with_variant(mysql.TEXT(charset="utf8mb4"), "mysql")


def _naive_utcnow() -> dt.datetime:
    return timeutils.naive_utc(timeutils.utcnow())


class IdentifierState(Base):
    """How far a scope has been rated: begin of the last period done, naive UTC."""

    __tablename__ = "cloudkitty_storage_states"
    __table_args__ = (
        sa.UniqueConstraint(
            "identifier",
            "scope_key",
            "collector",
            "fetcher",
            name="uq_cloudkitty_storage_states_identifier",
        ),
    )

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    identifier: Mapped[str] = mapped_column(_SCOPE_ID, nullable=False)
    scope_key: Mapped[str | None] = mapped_column(sa.String(40))
    fetcher: Mapped[str | None] = mapped_column(sa.String(40))
    collector: Mapped[str | None] = mapped_column(sa.String(40))
    last_processed_timestamp: Mapped[dt.datetime] = mapped_column(sa.DateTime, nullable=False)
    scope_activation_toggle_date: Mapped[dt.datetime] = mapped_column(
        sa.DateTime,
        nullable=False,
        default=_naive_utcnow,
        server_default=sa.func.now(),
    )
    active: Mapped[bool] = mapped_column(sa.Boolean, nullable=False, default=True)


class ReprocessingSchedule(Base):
    """A wish to rate periods of a scope again; times are begins of periods, naive UTC."""

    __tablename__ = "storage_scope_reprocessing_schedule"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    identifier: Mapped[str] = mapped_column(_SCOPE_ID, nullable=False, index=True)
    start_reprocess_time: Mapped[dt.datetime] = mapped_column(sa.DateTime, nullable=False)
    end_reprocess_time: Mapped[dt.datetime] = mapped_column(sa.DateTime, nullable=False)
    current_reprocess_time: Mapped[dt.datetime | None] = mapped_column(sa.DateTime)
    reason: Mapped[str] = mapped_column(_TEXT, nullable=False)


class ScopeLease(Base):
    """Who works on a scope right now, and until when nobody else should begin to.

    `name` is that of the scope's lock (contract processor.md 3), `expires` in epoch seconds. A
    lease only saves work: that nothing is stored twice is up to the compare-and-set on the state.
    """

    __tablename__ = "ck_scope_leases"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(sa.String(64), nullable=False)
    expires: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)


class ScopeReset(Base):
    """An order to set a scope back that nobody has carried out yet; times are naive UTC.

    `state_id` is the row of the scope's state, `identifier` the scope id in it. There is no foreign
    key: writing an order would have to wait for whoever moves the scope on.
    """

    __tablename__ = "ck_scope_resets"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    state_id: Mapped[int] = mapped_column(sa.Integer, nullable=False, index=True)
    identifier: Mapped[str] = mapped_column(_SCOPE_ID, nullable=False)
    last_processed_timestamp: Mapped[dt.datetime] = mapped_column(sa.DateTime, nullable=False)
    created: Mapped[dt.datetime] = mapped_column(
        sa.DateTime,
        nullable=False,
        default=_naive_utcnow,
    )


#: Tables of this metadata that the contract does not know: ours, with a history of their own.
ADDITIVE_TABLES = ("ck_scope_leases", "ck_scope_resets")
