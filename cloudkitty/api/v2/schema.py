# SPDX-License-Identifier: Apache-2.0
"""Schemas of v2's queries and bodies, and what is said about data that does not fit (api.md 4.3).

A query comes as name -> list of texts. Its parameters are :class:`Single` (given once) or
:class:`Many` (commas between values, repeatable).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import voluptuous as vol

from cloudkitty import timeutils
from cloudkitty.api import errors

#: Longer input is cut in error texts.
_SHOWN: Final = 2000
#: What is larger than any table; keeps sums of offset and limit inside what databases count with.
_PLENTY: Final = 2**53

#: What is no text in UTF-8 or in a database.
NOT_TEXT: Final = re.compile("[\ud800-\udfff\0]")

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
# A plus sign that was not escaped in a query has become a blank (D8).
_LOST_PLUS: Final = re.compile(r" (\d{2}:?\d{2})$")


def check(schema: Callable[[Any], dict[str, Any]], data: Any) -> dict[str, Any]:
    """Give what the schema makes of `data`.

    Raises ApiError (400) that shows the data, the first reason and where it is.
    """
    try:
        return schema(data)
    except vol.Invalid as exc:
        first = exc.errors[0] if isinstance(exc, vol.MultipleInvalid) else exc
        text = f"Invalid data '{shown(data)}' : {first.msg} (path: '{first.path}')"
        detail = getattr(first, "detail", None)
        errors.abort_client(400, f"{text}: {detail}" if detail else text)


def shown(data: Any) -> str:
    """Give `data` as error texts show it: as a Python object, cut when it is long."""
    try:
        text = repr(_plain(data))
    except RecursionError:
        return "..."
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


@dataclass(frozen=True, slots=True)
class Single:
    """A parameter that is given once, as `kind` reads it."""

    kind: Callable[[str], Any]

    def __call__(self, values: list[str]) -> Any:
        """Give the value; raises voluptuous.Invalid."""
        if len(values) != 1:
            raise vol.Invalid("length of value must be 1")
        return self.kind(values[0])


@dataclass(frozen=True, slots=True)
class Many:
    """A parameter with commas between its values; repeated, all values count."""

    kind: Callable[[str], Any]

    def __call__(self, values: list[str]) -> list[Any]:
        """Give the values in order; raises voluptuous.Invalid."""
        return [self.kind(piece) for text in values for piece in text.split(",")]


@dataclass(frozen=True, slots=True)
class Filters:
    """``key:value`` with commas between; repeated keys are refused unless `repeat` (13.4).

    Gives key -> list of values.
    """

    repeat: bool

    def __call__(self, values: list[str]) -> dict[str, list[str]]:
        """Give the filters; raises voluptuous.Invalid."""
        found: dict[str, list[str]] = {}
        for item in Many(str)(values):
            key, _, value = item.partition(":")
            if item.count(":") != 1:
                raise vol.Invalid(f"invalid key:value association {item}")
            if key in found and not self.repeat:
                raise vol.Invalid(f"key {key} already provided")
            found.setdefault(key, []).append(value)
        return found


@dataclass(frozen=True, slots=True)
class Text:
    """A text that fits a pattern; `otherwise` is what is said of one that does not."""

    pattern: str
    otherwise: str

    def __call__(self, text: str) -> str:
        """Give the text; raises voluptuous.Invalid."""
        if not re.fullmatch(self.pattern, text):
            raise vol.Invalid(self.otherwise)
        return text

    @property
    def json(self) -> dict[str, Any]:
        """The JSON Schema."""
        return {"type": "string", "pattern": f"^{self.pattern}$"}


@dataclass(frozen=True, slots=True)
class Typed:
    """A body of the type `model`, a TypedDict, that a function checks and reads."""

    model: Any
    read: Callable[[Any], dict[str, Any]]

    def __call__(self, body: Any) -> dict[str, Any]:
        """Give what the function makes of it; raises voluptuous.Invalid."""
        return self.read(body)


def integer(text: str) -> int:
    """Read an integer; raises voluptuous.Invalid."""
    try:
        if _INTEGER.fullmatch(text):
            return int(text)
    except ValueError:  # thousands of digits
        pass
    raise vol.Invalid("expected int")


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The reader of integers that are not less than `least`."""

    least: int

    def __call__(self, text: str) -> int:
        """Give the integer; raises voluptuous.Invalid."""
        value = integer(text)
        if value < self.least:
            raise vol.Invalid(f"value must be at least {self.least}")
        return min(value, _PLENTY)


def date(value: Any) -> dt.datetime:
    """Read an ISO 8601 date, whole seconds, UTC unless it says otherwise (api.md 3.5, D8, D44)."""
    for text in (value, _LOST_PLUS.sub(r"+\1", value)) if isinstance(value, str) else ():
        try:
            found = timeutils.parse_iso(text).replace(microsecond=0)
            # Answers show local time, which the first and last years may not have.
            timeutils.as_local(found)
        except (ValueError, OverflowError):
            continue
        return found
    raise vol.Invalid("not a valid date")


OFFSET: Final = {
    vol.Optional(
        "offset",
        default=lambda: ["0"],
        description="How many results to leave out at the beginning.",
    ): Single(AtLeast(0)),
}
#: Parameters that every list has.
PAGING: Final = {
    **OFFSET,
    vol.Optional(
        "limit",
        default=lambda: ["100"],
        description="How many results to give at most.",
    ): Single(AtLeast(1)),
}
#: Parameters of everything that is asked about an interval.
INTERVAL: Final = {
    vol.Optional(
        "begin",
        description="Only what begins then or later; by default the first of this month.",
    ): Single(date),
    vol.Optional(
        "end",
        description="Only what begins before; by default the first of next month.",
    ): Single(date),
}


def _plain(data: Any) -> Any:
    """Give `data` as json.loads would have given it."""
    if isinstance(data, Decimal):
        return float(data)
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(value) for value in data]
    return data
