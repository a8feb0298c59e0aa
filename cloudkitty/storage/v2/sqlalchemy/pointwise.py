# SPDX-License-Identifier: Apache-2.0
"""Values that do not follow from sums: MEDIAN, STDDEV, FIRST, LAST look at every point (5.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from cloudkitty.db.engines import EXACT
from cloudkitty.storage.v2.base import TooManyRows
from cloudkitty.storage.v2.custom_fields import Value

_ZERO = Decimal(0)


def fold(
    points: Iterable[tuple[Any, int, Decimal, Decimal, str]],
    values: Sequence[Value],
    most: int | None = None,
) -> dict[Any, list[Any]]:
    """Give group -> one result per value; `points` (group, begin, qty, price, unit) by begin.

    Raises TooManyRows when there are more than `most` groups.
    """
    qtys: dict[Any, list[Decimal]] = {}
    prices: dict[Any, list[Decimal]] = {}
    units: dict[Any, list[str]] = {}
    for group, _begin, qty, price, unit in points:
        qtys.setdefault(group, []).append(qty)
        prices.setdefault(group, []).append(price)
        edges = units.setdefault(group, [unit, unit])
        edges[1] = unit
        if most is not None and len(qtys) > most:
            raise TooManyRows
    columns: dict[str, dict[Any, Any]] = {"qty": qtys, "price": prices, "unit": units}
    return {
        group: [_FUNCTIONS[value.function](columns[value.field][group]) for value in values]
        for group in qtys
    }


def _sum(items: Sequence[Decimal]) -> Decimal:
    total = _ZERO
    for item in items:
        total = EXACT.add(total, item)
    return total


def _median(items: Sequence[Decimal]) -> Decimal:
    middle = len(items) // 2
    if len(items) % 2:
        return items[middle]
    return EXACT.divide(EXACT.add(items[middle - 1], items[middle]), Decimal(2))


def _deviation(items: Sequence[Decimal]) -> Decimal:
    """Give the sample deviation; that of a single point is 0, so that there are no null rows."""
    if len(items) < 2:
        return _ZERO
    mean = EXACT.divide(_sum(items), Decimal(len(items)))
    squares = [EXACT.power(EXACT.subtract(item, mean), 2) for item in items]
    return EXACT.sqrt(EXACT.divide(_sum(squares), Decimal(len(items) - 1)))


_FUNCTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "FIRST": lambda items: items[0],
    "LAST": lambda items: items[-1],
    "COUNT": len,
    "MIN": min,
    "MAX": max,
    "SPREAD": lambda items: EXACT.subtract(max(items), min(items)),
    "SUM": _sum,
    "MEAN": lambda items: EXACT.divide(_sum(items), Decimal(len(items))),
    "MEDIAN": lambda items: _median(sorted(items)),
    "STDDEV": _deviation,
}
