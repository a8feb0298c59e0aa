# SPDX-License-Identifier: Apache-2.0
"""Tables of the SQL storage: scopes, series, points, daily roll-ups and the ledger of periods.

Times are epoch seconds. No foreign keys: rows are made by this package alone, parents first, in
one transaction, and a check per point would cost as much as storing it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from cloudkitty.db.base import get_base
from cloudkitty.db.types import BinaryText, ExactDecimal

Base = get_base()

#: Longest metric type and unit.
NAME_LENGTH: Final = 255
#: Longest scope id that gets a row of its own (as in cloudkitty_storage_states).
SCOPE_LENGTH: Final = 256
DIGEST_LENGTH: Final = 16

# SQLite counts up only what is declared INTEGER.
_SeriesId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Digest = sa.LargeBinary(DIGEST_LENGTH).with_variant(mysql.BINARY(DIGEST_LENGTH), "mysql")
# Canonical JSON, readable for who looks at the tables; searched by nobody.
_Json = sa.Text().with_variant(
    mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql"
)

_MYSQL: Final = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


class LabelText(TypeDecorator[str]):
    """Long text that is searched byte by byte."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """Give the type of the engine."""
        if dialect.name == "mysql":
            return dialect.type_descriptor(mysql.MEDIUMBLOB())
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.Text(collation="C"))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Send bytes where the column holds bytes."""
        return value.encode() if value is not None and dialect.name == "mysql" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Read text in either form."""
        del dialect
        return value.decode() if isinstance(value, bytes) else value


class Scope(Base):  # type: ignore[misc, valid-type]
    """Whose usage it is: the value of the scope key.

    A row with an empty `scope_key` gathers points that name no single scope (groupby and metadata
    disagree, or the id is too long): whoever asks for a scope has to look at their labels.
    """

    __tablename__ = "ck_scopes"
    __table_args__ = (sa.UniqueConstraint("scope_key", "identifier"), _MYSQL)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    scope_key: Mapped[str] = mapped_column(BinaryText(NAME_LENGTH), nullable=False)
    identifier: Mapped[str] = mapped_column(BinaryText(SCOPE_LENGTH), nullable=False)


class Series(Base):  # type: ignore[misc, valid-type]
    """What is the same about many points: everything but time, quantity and price.

    `digest` finds the series, `identity` finds those whose points replace one another (contract
    storage.md 5.1.3). `calendar`: every point also has the date keys of its period's local start.
    `labels` holds all labels as text for filters and grouping (:mod:`.labels`).
    """

    __tablename__ = "ck_series"
    __table_args__ = (
        sa.UniqueConstraint("digest"),
        sa.Index("ix_ck_series_identity", "identity"),
        sa.Index("ix_ck_series_scope_id", "scope_id"),
        _MYSQL,
    )

    id: Mapped[int] = mapped_column(_SeriesId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(_Digest, nullable=False)
    identity: Mapped[bytes] = mapped_column(_Digest, nullable=False)
    scope_id: Mapped[int] = mapped_column(sa.Integer, nullable=False)
    metric: Mapped[str] = mapped_column(BinaryText(NAME_LENGTH), nullable=False)
    unit: Mapped[str] = mapped_column(BinaryText(NAME_LENGTH), nullable=False)
    groupby: Mapped[str] = mapped_column(_Json, nullable=False)
    # "metadata" is a name that SQLAlchemy keeps for itself.
    meta: Mapped[str] = mapped_column("metadata", _Json, nullable=False)
    labels: Mapped[str] = mapped_column(LabelText, nullable=False)
    description: Mapped[str | None] = mapped_column(LabelText)
    calendar: Mapped[bool] = mapped_column(sa.Boolean, nullable=False)


class Point(Base):  # type: ignore[misc, valid-type]
    """Quantity and price of a series in one period; `rank` tells points of one identity apart."""

    __tablename__ = "ck_points"
    __table_args__ = ({"sqlite_with_rowid": False, **_MYSQL},)

    begin: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    scope_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    series_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    rank: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    seconds: Mapped[int] = mapped_column(sa.BigInteger, nullable=False)
    qty: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    price: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)


class Daily(Base):  # type: ignore[misc, valid-type]
    """Sums of a series over the rolled periods of one UTC day (`day` = begin // 86400)."""

    __tablename__ = "ck_daily"
    __table_args__ = (
        sa.Index("ix_ck_daily_day", "day"),
        {"sqlite_with_rowid": False, **_MYSQL},
    )

    scope_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    series_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    points: Mapped[int] = mapped_column(sa.Integer, nullable=False)
    qty_sum: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    qty_min: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    qty_max: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    price_sum: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    price_min: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    price_max: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)


class DailyTotal(Base):  # type: ignore[misc, valid-type]
    """Sums of ck_daily over the series of a scope and metric type.

    What a cloud used this month is asked most, and is the sum of few of these.
    """

    __tablename__ = "ck_daily_totals"
    __table_args__ = (
        sa.Index("ix_ck_daily_totals_day", "day"),
        {"sqlite_with_rowid": False, **_MYSQL},
    )

    scope_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    day: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    metric: Mapped[str] = mapped_column(BinaryText(NAME_LENGTH), primary_key=True)
    points: Mapped[int] = mapped_column(sa.Integer, nullable=False)
    qty_sum: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    qty_min: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    qty_max: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    price_sum: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    price_min: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    price_max: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)


class Period(Base):  # type: ignore[misc, valid-type]
    """The ledger: what a scope has in storage for one period begin.

    Points are read through it: those of a `rolled` row are also in the roll-up of its day, those
    of any other row are not.
    """

    __tablename__ = "ck_periods"
    __table_args__ = (
        # With the number of points, so that a page of frames is found in the index alone.
        sa.Index("ix_ck_periods_begin", "begin", "points"),
        sa.Index("ix_ck_periods_rolled", "rolled", "begin"),
        {"sqlite_with_rowid": False, **_MYSQL},
    )

    scope_id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    begin: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    points: Mapped[int] = mapped_column(sa.Integer, nullable=False)
    price: Mapped[Decimal] = mapped_column(ExactDecimal, nullable=False)
    status: Mapped[str] = mapped_column(sa.String(16), nullable=False)
    rules_version: Mapped[str | None] = mapped_column(sa.String(64))
    rolled: Mapped[bool] = mapped_column(sa.Boolean, nullable=False)
