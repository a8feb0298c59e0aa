# SPDX-License-Identifier: Apache-2.0
"""Columns as they have to be looked at so that every engine answers alike.

MySQL compares texts without regard to case in tables of older releases, and sums of binary numbers
are noisy: each rate counts as the decimal that it is shown as.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from cloudkitty.db.types import BinaryText, ExactDecimal


class ck_bytes(GenericFunction[str]):  # noqa: N801 - named as it is written in SQL
    """A text column, compared byte by byte."""

    type = BinaryText(255)
    inherit_cache = True


class ck_decimal(GenericFunction[Decimal]):  # noqa: N801
    """A binary number as the decimal with its shortest text."""

    type = ExactDecimal()
    inherit_cache = True


def _register(function: type[GenericFunction[Any]], **forms: str) -> None:
    def add(dialect: str, form: str) -> None:
        @compiles(function, dialect)
        def _compile(element: Any, compiler: Any, **kw: Any) -> str:
            return form.format(compiler.process(element.clauses.clauses[0], **kw))

    for dialect, form in forms.items():
        add(dialect, form)


_register(ck_bytes, mysql="CAST({} AS BINARY)", postgresql='{} COLLATE "C"', sqlite="{}")
_register(
    ck_decimal,
    mysql="CAST(CAST({} AS CHAR) AS DECIMAL(65, 30))",
    postgresql="CAST(CAST({} AS TEXT) AS NUMERIC)",
    # Its exact sum takes numbers by their shortest text.
    sqlite="{}",
)


def exact(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """Give a text column, compared byte by byte; no index serves that."""
    return ck_bytes(column)


def exact_rate(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Decimal]:
    """Give a column of binary numbers as decimals to be summed up."""
    return ck_decimal(column)
