# SPDX-License-Identifier: Apache-2.0
"""Types of attributes and arguments of v1: UUIDs, exact decimals, dates (api.md 3).

``frombasetype`` reads what a query or a body holds, ``validate`` checks every attribute that is
set, and ``tobasetype`` gives what an answer shows. What is refused is a ValueError, which becomes
a 400 that names the attribute.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from decimal import Decimal
from typing import Any, Final, TypeAlias

from wsme import types as wtypes

from cloudkitty import timeutils
from cloudkitty.rating import dates

Unset = wtypes.Unset

_WIDE: Final = decimal.Context(prec=100, rounding=decimal.ROUND_HALF_EVEN)

# Longer values are cut in messages.
_SHOWN: Final = 100

# What is no text in UTF-8, or in no database.
_NOT_TEXT: Final = re.compile("[\ud800-\udfff\0]")

#: A boolean argument; None when it is not given.
Flag: TypeAlias = bool | None


class UuidType(wtypes.UserType):
    """Text that is a UUID; as a query or path argument any text, which then is just not found."""

    basetype = str
    name = "uuid"

    def validate(self, value: Any) -> str:
        """Give the UUID in its usual form."""
        try:
            return str(uuid.UUID(value))
        except (ValueError, TypeError, AttributeError):
            shown = str(value)
            if len(shown) > _SHOWN:
                shown = shown[:_SHOWN] + "..."
            raise ValueError(f"Invalid UUID, got '{shown}'") from None


class TextType(wtypes.UserType):
    """Text that can be stored, or compared with what is; not longer than `limit`, if given."""

    basetype = str
    name = "text"

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit

    def frombasetype(self, value: Any) -> str | None:
        """Check a text."""
        return None if value is None else self.validate(value)

    def validate(self, value: Any) -> str:
        """Give the text."""
        if not isinstance(value, str):
            reason = f"Wrong type. Expected '{str}', got '{type(value)}'"
            raise ValueError(reason)  # noqa: TRY004
        if self._limit is not None and len(value) > self._limit:
            raise ValueError(f"Value too long: at most {self._limit} characters")
        if _NOT_TEXT.search(value):
            raise ValueError("Value has characters that cannot be stored")
        return value


class DecimalType(wtypes.UserType):
    """A decimal, in JSON a text or a number, kept and shown exactly with `scale` digits."""

    basetype = str
    name = "decimal"

    def __init__(self, scale: int) -> None:
        self._unit = Decimal(1).scaleb(-scale)

    def validate(self, value: Any) -> Decimal:
        """Give the number, as many digits as it came with."""
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise ValueError("Value should be a number, or a text that is one")  # noqa: TRY004
        try:
            number = Decimal(value)
        except decimal.InvalidOperation:
            raise ValueError("Value should be a number, or a text that is one") from None
        if not number.is_finite():
            raise ValueError("Value should be a finite number")
        return number

    def tobasetype(self, value: Decimal) -> str:
        """Give the number in plain notation."""
        return format(value.quantize(self._unit, context=_WIDE), "f")


class DateType(wtypes.UserType):
    """A date: ISO 8601 text outside."""

    basetype = str
    name = "datetime"


class UtcDateType(DateType):
    """A date of a report: naive UTC inside and in answers, UTC unless it says otherwise (3.5)."""

    def frombasetype(self, value: Any) -> dt.datetime | None:
        """Read a text."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise ValueError("Value should be an ISO 8601 date")  # noqa: TRY004
        try:
            moment = timeutils.parse_iso(value)
            # Storages work with local time, which the first and last years may not have.
            timeutils.as_local(moment)
        except (ValueError, OverflowError):
            raise ValueError(f"Unknown string format: {value}") from None
        return timeutils.naive_utc(moment)

    def validate(self, value: Any) -> dt.datetime:
        """Give the naive date in UTC."""
        if not isinstance(value, dt.datetime):
            raise ValueError("Value should be a date")  # noqa: TRY004
        return timeutils.naive_utc(value)

    def tobasetype(self, value: dt.datetime) -> str:
        """Give the date without offset; microseconds only when there are some."""
        return value.isoformat()


class RuleDateType(DateType):
    """A date of a rule: ISO 8601 text outside, host-local naive datetime inside (3.5, D8)."""

    def __init__(self, *, end_of_day: bool = False) -> None:
        """Take whether a date alone is the last second of its day."""
        self._end_of_day = end_of_day

    def frombasetype(self, value: Any) -> dt.datetime | None:
        """Read a text."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise ValueError("Value should be an ISO 8601 date")  # noqa: TRY004
        return dates.parse(value, end_of_day=self._end_of_day)

    def validate(self, value: Any) -> dt.datetime:
        """Give the host-local naive date."""
        if isinstance(value, dt.datetime):
            return value if value.tzinfo is None else timeutils.naive_local(value)
        read = self.frombasetype(value)
        if read is None:
            raise ValueError("Value should be an ISO 8601 date")
        return read

    def tobasetype(self, value: dt.datetime) -> str:
        """Give the date without offset; microseconds only when there are some."""
        return value.isoformat()


def given(model: Any) -> dict[str, Any]:
    """Give the attributes that a body had, by their names in it; null is None."""
    found = {}
    for attribute in wtypes.list_attributes(type(model)):
        value = getattr(model, attribute.key)
        if value is not Unset:
            found[attribute.name] = value
    return found
