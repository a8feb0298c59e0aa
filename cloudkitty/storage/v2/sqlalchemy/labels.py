# SPDX-License-Identifier: Apache-2.0
"""All labels of a series in one text that SQL can search and cut exactly.

``RS kind name US value RS kind name US value RS`` with RS and US the control characters for record
and unit separators, which are escaped inside names and values: so a pair is found by searching
for a piece of text, whatever it holds, on every engine, without its JSON functions and their
quoting rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from cloudkitty.storage.v2.query import text
from cloudkitty.storage.v2.sqlalchemy.models import LabelText

Kind = Literal["g", "m"]
GROUPBY: Final = "g"
METADATA: Final = "m"

_RS: Final = "\x1e"
_US: Final = "\x1f"
# NUL and lone surrogates cannot be stored as text by every engine.
_SPECIAL: Final = re.compile("[\\\\\x00\x1e\x1f\ud800-\udfff]")
_ESCAPED: Final = re.compile(r"\\([0-9a-f]{4})")


def encode(groupby: Mapping[str, str], metadata: Mapping[str, Any]) -> str:
    """Give the text for the labels of a series."""
    parts = [f"{_RS}g{_escape(k)}{_US}{_escape(v)}" for k, v in groupby.items()]
    parts += [f"{_RS}m{_escape(k)}{_US}{_escape(text(v))}" for k, v in metadata.items()]
    return "".join(parts) + _RS


def decode(value: str) -> str:
    """Give a value cut out of the text as it was before."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if "\\" in value else value


def pair(kind: Kind, name: str, value: str) -> str:
    """Give the piece of text that is there if and only if the series has this pair."""
    return f"{prefix(kind, name)}{_escape(value)}{_RS}"


def prefix(kind: Kind, name: str) -> str:
    """Give the piece of text that is there if and only if the series has this name."""
    return f"{_RS}{kind}{_escape(name)}{_US}"


def _escape(value: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{ord(found[0]):04x}", value)


class holds(FunctionElement[bool]):  # noqa: N801 - named as it is written in SQL
    """``holds(labels, piece)``: whether the text holds the piece, byte by byte."""

    type = sa.Boolean()
    inherit_cache = True


class cut(FunctionElement[str]):  # noqa: N801
    """``cut(labels, prefix)``: the text between the prefix and the next RS, or an empty text."""

    type = LabelText()
    inherit_cache = True


def has(column: Any, piece: str) -> sa.ColumnElement[bool]:
    """Give the SQL condition that `column` holds `piece`."""
    return holds(column, _bind(piece))


def value_of(column: Any, kind: Kind, name: str) -> sa.ColumnElement[str]:
    """Give the SQL expression of a label's value, escaped; empty when it is missing."""
    return cut(column, _bind(prefix(kind, name)), _bind(_RS))


def _bind(value: str) -> sa.BindParameter[str]:
    return sa.bindparam(None, value, type_=LabelText(), unique=True)


def _arguments(element: Any, compiler: Any, **kw: Any) -> list[str]:
    return [compiler.process(clause, **kw) for clause in element.clauses]


@compiles(holds)
def _holds(element: Any, compiler: Any, **kw: Any) -> str:
    haystack, needle = _arguments(element, compiler, **kw)
    return f"(INSTR({haystack}, {needle}) > 0)"


@compiles(holds, "postgresql")
def _holds_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    haystack, needle = _arguments(element, compiler, **kw)
    return f"(STRPOS({haystack}, {needle}) > 0)"


@compiles(cut, "sqlite")
def _cut_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    # Each use is processed by itself: with positional parameters each needs its own value.
    column, start, stop = element.clauses

    def sql(clause: Any) -> str:
        return str(compiler.process(clause, **kw))

    def tail() -> str:
        return f"SUBSTR({sql(column)}, INSTR({sql(column)}, {sql(start)}) + LENGTH({sql(start)}))"

    found = f"INSTR({sql(column)}, {sql(start)}) > 0"
    return (
        f"CASE WHEN {found} THEN SUBSTR({tail()}, 1, INSTR({tail()}, {sql(stop)}) - 1) ELSE '' END"
    )


@compiles(cut, "mysql")
@compiles(cut, "mariadb")
def _cut_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    column, start, stop = _arguments(element, compiler, **kw)
    return (
        f"CASE WHEN INSTR({column}, {start}) > 0 THEN"
        f" SUBSTRING_INDEX(SUBSTRING_INDEX({column}, {start}, -1), {stop}, 1) ELSE '' END"
    )


@compiles(cut, "postgresql")
def _cut_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    column, start, stop = _arguments(element, compiler, **kw)
    return f"SPLIT_PART(SPLIT_PART({column}, {start}, 2), {stop}, 1)"
