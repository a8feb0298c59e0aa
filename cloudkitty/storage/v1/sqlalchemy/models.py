# SPDX-License-Identifier: Apache-2.0
"""The table of rated points, as older releases have it too (contract sql-schema.md 3.5)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from cloudkitty.db.base import get_base

Base = get_base()

#: Metric type of a row that says that a period had nothing to rate.
NO_DATA: Final = "_NO_DATA_"
#: Longest scope id, metric type and unit.
NAME_LENGTH: Final = 255


class Quantity(TypeDecorator[Decimal]):
    """``NUMERIC(15, 5)``; SQLite keeps such a column as a binary number.

    Comes back without trailing zeros.
    """

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """Give the type of the engine."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Numeric(15, 5, asdecimal=False))
        return dialect.type_descriptor(sa.Numeric(15, 5))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Send what the engine has numbers for."""
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        """Read a number in either form."""
        del dialect
        if value is None:
            return None
        # Rows of older releases on SQLite may have more digits than the type says.
        number = Decimal(str(value)).quantize(Decimal("0.00001")).normalize()
        return number.quantize(Decimal(1)) if number == number.to_integral_value() else number


class RatedDataFrame(Base):  # type: ignore[misc, valid-type]
    """One rated point; times are naive UTC.

    In databases that older releases made on MySQL, `rate` is a FLOAT, `tenant_id` has 32
    characters and texts are compared without regard to case. They are used as they are.
    """

    __tablename__ = "rated_data_frames"
    __table_args__ = (
        sa.Index("idx_rated_data_frames_date", "begin", "end"),
        sa.Index("idx_tenantid_begin_end", "tenant_id", "begin", "end"),
        {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"},
    )

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    begin: Mapped[dt.datetime] = mapped_column(sa.DateTime, nullable=False)
    end: Mapped[dt.datetime] = mapped_column(sa.DateTime, nullable=False)
    unit: Mapped[str] = mapped_column(sa.String(NAME_LENGTH), nullable=False)
    qty: Mapped[Decimal] = mapped_column(Quantity, nullable=False)
    res_type: Mapped[str] = mapped_column(sa.String(NAME_LENGTH), nullable=False)
    rate: Mapped[float] = mapped_column(
        sa.Float().with_variant(mysql.DOUBLE(asdecimal=False), "mysql"),
        nullable=False,
    )
    desc: Mapped[str] = mapped_column(sa.Text, nullable=False)
    tenant_id: Mapped[str | None] = mapped_column(sa.String(NAME_LENGTH))
