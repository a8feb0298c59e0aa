# SPDX-License-Identifier: Apache-2.0
"""From the number a source gives to the quantity of a data point (contract collect.md 1.4, 1.5).

``qty = mutate(raw x factor + offset)``. Factor and offset are exact rationals; the result is
rounded once, to 28 significant digits.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

#: Precision of quantities.
CONTEXT: Final = decimal.Context(prec=28, rounding=decimal.ROUND_HALF_EVEN)
# Intermediate products are exact: wide enough for any double times any sane factor.
_EXACT: Final = decimal.Context(prec=2500, rounding=decimal.ROUND_HALF_EVEN)
# Fraction() expands exponents into digits: "1e999999999" would take all memory.
_EXPONENT: Final = re.compile(r"[eE][+-]?0*(\d+)\s*$")
_MAX_EXPONENT: Final = 400

ONE: Final = Decimal("1.0")
ZERO: Final = Decimal("0.0")

Mutator = Callable[[Decimal], Decimal]


def rational(value: Any) -> Fraction:
    """Give a factor or offset of metrics.yml as an exact rational; floats through their text.

    Raises ValueError when `value` is no finite number.
    """
    if isinstance(value, float | Decimal):
        value = str(value)
    if isinstance(value, str):
        exponent = _EXPONENT.search(value)
        if exponent and (len(exponent[1]) > 3 or int(exponent[1]) > _MAX_EXPONENT):
            raise ValueError(f"exponent out of range: {value!r}")
    try:
        return Fraction(value)
    except (TypeError, ZeroDivisionError) as exc:
        raise ValueError(str(exc)) from exc


def map_key(value: Any) -> Decimal | None:
    """Give a key of ``mutate_map`` as the number it stands for; None when it is no number."""
    if isinstance(value, bool):
        value = int(value)
    try:
        number = Decimal(str(value))
    except decimal.InvalidOperation:
        return None
    return number if number.is_finite() else None


def map_value(value: Any) -> Decimal:
    """Give a value of ``mutate_map`` as Decimal; raises ValueError when it is no finite number."""
    try:
        number = Decimal(str(value))
    except decimal.InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _numbool(qty: Decimal) -> Decimal:
    return ONE if qty else ZERO


def _notnumbool(qty: Decimal) -> Decimal:
    return ZERO if qty else ONE


def _floor(qty: Decimal) -> Decimal:
    return qty.to_integral_value(decimal.ROUND_FLOOR)


def _ceil(qty: Decimal) -> Decimal:
    return qty.to_integral_value(decimal.ROUND_CEILING)


#: Modes that need no table.
_MODES: Final[Mapping[str, Mutator]] = {
    "NUMBOOL": _numbool,
    "NOTNUMBOOL": _notnumbool,
    "FLOOR": _floor,
    "CEIL": _ceil,
}

#: Every value of ``mutate``.
MODES: Final = ("CEIL", "FLOOR", "MAP", "NONE", "NOTNUMBOOL", "NUMBOOL")


def _mapper(table: Mapping[Any, Any]) -> Mutator:
    numbers = {map_key(key): map_value(value) for key, value in table.items()}
    numbers.pop(None, None)  # keys that are no numbers are never met

    def lookup(qty: Decimal) -> Decimal:
        return numbers.get(qty, ZERO)

    return lookup


class Conversion:
    """What one metric definition makes of raw numbers; callable, without state."""

    __slots__ = ("_denominator", "_factor", "_mutate", "_offset", "_plain")

    def __init__(
        self,
        factor: Any = 1,
        offset: Any = 0,
        mutate: str = "NONE",
        mutate_map: Mapping[Any, Any] | None = None,
    ) -> None:
        factor, offset = rational(factor), rational(offset)
        self._plain = factor == 1 and offset == 0
        # raw x f + o over one denominator, so that only the last division rounds.
        common = factor.denominator * offset.denominator
        self._factor = Decimal(factor.numerator * offset.denominator)
        self._offset = Decimal(offset.numerator * factor.denominator)
        self._denominator = Decimal(common)
        self._mutate = _mapper(mutate_map or {}) if mutate == "MAP" else _MODES.get(mutate)

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Conversion:
        """Build the conversion of a validated definition."""
        return cls(
            definition["factor"],
            definition["offset"],
            definition["mutate"],
            definition.get("mutate_map"),
        )

    def __call__(self, raw: Decimal) -> Decimal:
        """Give the quantity for `raw`, which must be finite."""
        if self._plain:
            qty = CONTEXT.plus(raw)
        else:
            exact = _EXACT.fma(raw, self._factor, self._offset)
            qty = CONTEXT.divide(exact, self._denominator)
        return qty if self._mutate is None else self._mutate(qty)
