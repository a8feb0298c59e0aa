# SPDX-License-Identifier: Apache-2.0
"""Column types that keep what they are given, on every engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine

# MySQL's widest: 35 digits before the point, 30 after it.
_MYSQL_WIDEST = sa.Numeric(65, 30)


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal that comes back with the digits it went in with.

    SQLite has no decimals: there it is text. Values that an older installation left there as
    binary floats are read through their shortest text (contract rating.md 4.6, api.md D9).
    Without `precision` it is as wide as the engine can.
    """

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int | None = None, scale: int | None = None) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        if dialect.name == "mysql" and self.precision is None:
            return dialect.type_descriptor(_MYSQL_WIDEST)
        return dialect.type_descriptor(sa.Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return format(Decimal(value), "f")

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        if value is None or type(value) is Decimal:
            return value
        return Decimal(str(value))


class BinaryText(TypeDecorator[str]):
    """Text compared byte by byte: case and trailing blanks count, on MySQL too."""

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name == "mysql":
            # The only binary collation without padding that MySQL and MariaDB share is that of
            # VARBINARY; four bytes are what a character takes at most.
            return dialect.type_descriptor(sa.VARBINARY(self.length * 4))
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.String(self.length, collation="C"))
        return dialect.type_descriptor(sa.String(self.length))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        if value is not None and dialect.name == "mysql":
            return value.encode()
        return value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        return value.decode() if isinstance(value, bytes) else value


class ExactText(TypeDecorator[str]):
    """Text that is compared as BinaryText, in tables that other releases read and write too.

    There a column has to stay one of text, so on MySQL it is the collation that says so.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(
                mysql.VARCHAR(self.length, charset="utf8mb4", collation=exact_collation(dialect))
            )
        return dialect.type_descriptor(sa.String(self.length))


def exact_collation(dialect: Any) -> str:
    """Give the collation of a connected MySQL or MariaDB that tells "a" from "A" and from "a ".

    The two have none in common, and old releases of MySQL have none: there blanks do not count.
    """
    if dialect.is_mariadb:
        return "utf8mb4_nopad_bin"
    recent = (dialect.server_version_info or ()) >= (8, 0, 17)
    return "utf8mb4_0900_bin" if recent else "utf8mb4_bin"


class exact_sum(GenericFunction[Decimal]):  # noqa: N801 - named as it is written in SQL
    """``SUM`` of ExactDecimal columns, exact on every engine."""

    type = ExactDecimal()
    inherit_cache = True


class exact_min(GenericFunction[Decimal]):  # noqa: N801
    """``MIN`` of ExactDecimal columns."""

    type = ExactDecimal()
    inherit_cache = True


class exact_max(GenericFunction[Decimal]):  # noqa: N801
    """``MAX`` of ExactDecimal columns."""

    type = ExactDecimal()
    inherit_cache = True


def _register(function: type[GenericFunction[Any]], plain: str, sqlite: str) -> None:
    @compiles(function)
    def _plain(element: Any, compiler: Any, **kw: Any) -> str:
        return f"{plain}({compiler.process(element.clauses, **kw)})"

    @compiles(function, "sqlite")
    def _sqlite(element: Any, compiler: Any, **kw: Any) -> str:
        return f"{sqlite}({compiler.process(element.clauses, **kw)})"


_register(exact_sum, "SUM", "ck_sum")
_register(exact_min, "MIN", "ck_min")
_register(exact_max, "MAX", "ck_max")
