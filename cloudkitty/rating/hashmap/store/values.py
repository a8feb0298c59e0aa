# SPDX-License-Identifier: Apache-2.0
"""Values of rules: texts that fit, decimals that are exact, windows that are in order.

What is refused is refused alike on every database, before anything is written (contract api.md
D3, D8 to D10).
"""

from __future__ import annotations

import datetime as dt
import decimal
from decimal import Decimal
from typing import Final

from cloudkitty.rating.hashmap.store.errors import InvalidError, bad_attribute

NAME_LIMIT: Final = 255
MAPPING_NAME_LIMIT: Final = 32
VALUE_LIMIT: Final = 255
TENANT_LIMIT: Final = 255
DESCRIPTION_LIMIT: Final = 256

COST_SCALE: Final = 28
LEVEL_SCALE: Final = 8
INTEGER_DIGITS: Final = 12
TYPES: Final = ("flat", "rate")

# Wide enough for the widest column, 12 + 28 digits.
_WIDE: Final = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)


def storable(text: str) -> bool:
    """Whether every database can hold, or compare with, the text."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can express
        return False
    return True


def maybe_id(text: str) -> bool:
    """Whether something may have the id; columns of ids need not hold more than ASCII."""
    return text.isascii() and "\x00" not in text


def text(name: str, value: str | None, limit: int) -> str | None:
    """Give an optional text back; raises InvalidError when it is too long or cannot be stored."""
    if value is None:
        return None
    if len(value) > limit:
        shown = value[:limit] + "..."
        raise bad_attribute(name, shown, f"Value too long: at most {limit} characters")
    if not storable(value):
        raise bad_attribute(name, ascii(value), "Value has characters that cannot be stored")
    return value


def mandatory_name(name: str, value: str | None, limit: int) -> str:
    """Give a name back; raises InvalidError when it is missing, empty or too long."""
    if value is None:
        raise bad_attribute(name, None, "Mandatory field missing.")
    if not value:
        raise bad_attribute(name, "", f"Value too short: 1 to {limit} characters")
    text(name, value, limit)
    return value


def rule_type(value: str | None) -> str:
    """Give the type back; raises InvalidError unless it is one of TYPES."""
    if value not in TYPES:
        raise bad_attribute("type", value, f"Value should be one of: {', '.join(TYPES)}")
    return value


def exact(name: str, value: Decimal | None, scale: int) -> Decimal:
    """Round half-even to `scale` decimals; raises InvalidError when it is no number that fits."""
    if value is None:
        raise bad_attribute(name, None, "Mandatory field missing.")
    if not value.is_finite():
        raise bad_attribute(name, value, "Value should be a finite number")
    too_large = bad_attribute(
        name,
        value if len(str(value)) < 100 else "...",
        f"Value out of range: at most {INTEGER_DIGITS} digits before the point",
    )
    if value and value.adjusted() >= INTEGER_DIGITS:
        raise too_large
    rounded = value.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
    if rounded and rounded.adjusted() >= INTEGER_DIGITS:
        raise too_large
    return rounded.copy_abs() if rounded.is_zero() else rounded


def check_window(start: dt.datetime, end: dt.datetime | None) -> None:
    """Raise InvalidError when the rule would end before it starts (contract api.md 7.5)."""
    if end is not None and end < start:
        raise InvalidError(
            f"Cannot create a rule with start after end. start=[{start}] end=[{end}]."
        )


def check_not_past(start: dt.datetime, now: dt.datetime) -> None:
    """Raise InvalidError when the rule would start in the past (contract api.md 7.5)."""
    if start < now:
        raise InvalidError(
            f"Cannot create a rule with start in the past. start=[{start}] current time=[{now}].",
        )


def check_parents(service_id: str | None, field_id: str | None) -> None:
    """Raise InvalidError unless a rule has exactly one parent (contract rating.md 4.7)."""
    if service_id and field_id:
        raise InvalidError("You can only specify one parent.")
    if not service_id and not field_id:
        raise InvalidError("You must specify one parent.")
