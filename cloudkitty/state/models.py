# SPDX-License-Identifier: Apache-2.0
"""Tables of scope states and schedules (contract sql-schema.md 3.4), and our own.

Those are leases, resets and simulations.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from oslo_db.sqlalchemy import models
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from cloudkitty import timeutils
from cloudkitty.db.base import new_metadata
from cloudkitty.db.types import ExactDecimal, ExactText


class Base(DeclarativeBase, models.ModelBase):
    """Base of the tables of this sub-tree."""

    metadata = new_metadata()


_SCOPE_ID = ExactText(256)
# Any text of any script, whatever the default of the database is.
_TEXT = sa.Text().with_variant(mysql.TEXT(charset="utf8mb4"), "mysql")
_LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql")
# What is compressed: it may be longer than 64 KiB.
_DATA = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")


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
    #: Ours: by which rules; NULL in rows of CloudKitty 25.0.0 and before, which knew one way only.
    ck_rules: Mapped[str | None] = mapped_column(sa.String(16))


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


class Simulation(Base):
    """A draft of rules that stored usage is to be rated by, and what is known of the work.

    Times are epoch seconds; `first` and `stop` are the interval: begins in [first, stop).
    `question` (JSON) says what is asked of the interval, `rules` (compressed) by which document,
    `answer` (JSON) what was found but for the rows. `progress` is in thousandths. Who works on it
    is its `owner`, until `leased_until` unless he says that he goes on; `attempts` counts owners.
    """

    __tablename__ = "ck_simulations"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    simulation_id: Mapped[str] = mapped_column(sa.String(36), nullable=False, unique=True)
    created: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
    user_id: Mapped[str | None] = mapped_column(sa.String(255))
    project_id: Mapped[str | None] = mapped_column(sa.String(255))
    description: Mapped[str] = mapped_column(_TEXT, nullable=False)
    first: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
    stop: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
    question: Mapped[str] = mapped_column(_LONG_TEXT, nullable=False)
    rules: Mapped[bytes] = mapped_column(_DATA, nullable=False)
    status: Mapped[str] = mapped_column(sa.String(16), nullable=False, index=True)
    progress: Mapped[int] = mapped_column(sa.Integer, nullable=False)
    attempts: Mapped[int] = mapped_column(sa.Integer, nullable=False)
    owner: Mapped[str | None] = mapped_column(sa.String(64))
    leased_until: Mapped[int | None] = mapped_column(sa.BigInteger)
    started: Mapped[int | None] = mapped_column(sa.BigInteger)
    finished: Mapped[int | None] = mapped_column(sa.BigInteger)
    error: Mapped[str | None] = mapped_column(_LONG_TEXT)
    answer: Mapped[str | None] = mapped_column(_LONG_TEXT)


class SimulationRow(Base):
    """Sums of one group: `number` is its place by the group's values, `rank` by the difference.

    `group_values` is a JSON list in the order of the question; `bucket` is the begin of the period
    where that is part of the group.
    """

    __tablename__ = "ck_simulation_rows"
    __table_args__ = (
        sa.Index("ix_ck_simulation_rows_rank", "simulation", "rank"),
        {"sqlite_with_rowid": False},
    )

    simulation: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    rank: Mapped[int] = mapped_column(sa.Integer, nullable=False)
    group_values: Mapped[str] = mapped_column(_LONG_TEXT, nullable=False)
    bucket: Mapped[int | None] = mapped_column(sa.BigInteger)
    points: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
    qty: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    current: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    simulated: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)


#: Tables of this metadata that the contract does not know: ours, with a history of their own.
ADDITIVE_TABLES = (
    "ck_scope_leases",
    "ck_scope_resets",
    "ck_simulations",
    "ck_simulation_rows",
)
