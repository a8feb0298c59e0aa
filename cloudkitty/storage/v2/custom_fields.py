# SPDX-License-Identifier: Apache-2.0
"""The grammar of ``custom_fields``: which values a total has (contract storage.md 5.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from werkzeug import exceptions

from cloudkitty.storage.v2.base import DEFAULT_FIELDS

FUNCTIONS: Final = frozenset(
    ("SUM", "COUNT", "MIN", "MAX", "MEAN", "MEDIAN", "SPREAD", "STDDEV", "FIRST", "LAST"),
)
#: Functions that cannot be worked out from sums of sums: they look at every point.
POINTWISE: Final = frozenset(("MEDIAN", "STDDEV", "FIRST", "LAST"))
#: Every point a row of its own.
EVERYTHING: Final = "*"

_ALIAS: Final = r"[A-Za-z0-9_]+(?: +[A-Za-z0-9_]+)*"
_ITEM: Final = re.compile(
    r"\s*(?P<function>[A-Za-z]+)\s*"
    r'\(\s*(?P<quote>"?)(?P<field>[a-z]+)(?P=quote)\s*\)'
    rf'(?:\s+AS\s+(?:"(?P<quoted>{_ALIAS})"|(?P<bare>{_ALIAS})))?\s*',
    re.IGNORECASE,
)
_RESERVED: Final = frozenset(("begin", "end"))


@dataclass(frozen=True, slots=True)
class Value:
    """One column of a total: `function` (upper case) of `field`, under the name `column`."""

    function: str
    field: str
    column: str


def parse(given: str | None) -> list[Value] | None:
    """Read ``FUNC(field) [AS alias], …``; None stands for ``*``, a row for every point.

    Raises werkzeug.exceptions.BadRequest naming the piece that is not understood.
    """
    if given is None or not given.strip():
        given = DEFAULT_FIELDS
    if given.strip() == EVERYTHING:
        return None
    values: list[Value] = []
    columns: set[str] = set()
    for piece in given.split(","):
        value = _value(piece, columns)
        columns.add(value.column)
        values.append(value)
    return values


def _value(piece: str, taken: set[str]) -> Value:
    found = _ITEM.fullmatch(piece)
    if not found:
        raise _refused(piece, "expected FUNCTION(field) [AS alias]")
    function = found["function"].upper()
    field = found["field"]
    if function not in FUNCTIONS:
        raise _refused(piece, f"functions are {', '.join(sorted(FUNCTIONS))}")
    if field not in ("qty", "price") and not (field == "unit" and function in ("FIRST", "LAST")):
        raise _refused(piece, "fields are qty and price; FIRST and LAST also take unit")
    alias = found["quoted"] or found["bare"]
    if alias in _RESERVED or alias in taken:
        raise _refused(piece, f"there is a column {alias!r} already")
    return Value(function, field, alias or _free_name(function.lower(), taken))


def _free_name(name: str, taken: set[str]) -> str:
    """Give `name`, or as InfluxDB does ``name_1``, ``name_2``, … when it is taken."""
    column, number = name, 0
    while column in taken:
        number += 1
        column = f"{name}_{number}"
    return column


def _refused(piece: str, reason: str) -> exceptions.BadRequest:
    return exceptions.BadRequest(f"Invalid custom_fields entry [{piece.strip()}]: {reason}.")
