# SPDX-License-Identifier: Apache-2.0
"""Values of hashmap rules: decimals that are exact, one parent, and limits of texts.

What is refused is refused alike on every database, before anything is written (contract api.md
D3, D9, D10). Texts and windows are those of all rules: :mod:`cloudkitty.rating.common.values`.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import Final

from cloudkitty.rating.hashmap.store.errors import InvalidError, bad_attribute

MAPPING_NAME_LIMIT: Final = 32
VALUE_LIMIT: Final = 255
TENANT_LIMIT: Final = 255

COST_SCALE: Final = 28
LEVEL_SCALE: Final = 8
INTEGER_DIGITS: Final = 12
TYPES: Final = ("flat", "rate")

# Wide enough for the widest column, 12 + 28 digits.
_WIDE: Final = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)


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


def check_parents(service_id: str | None, field_id: str | None) -> None:
    """Raise InvalidError unless a rule has exactly one parent (contract rating.md 4.7)."""
    if service_id and field_id:
        raise InvalidError("You can only specify one parent.")
    if not service_id and not field_id:
        raise InvalidError("You must specify one parent.")
