# SPDX-License-Identifier: Apache-2.0
"""Decimals as answers show them: plain notation, every digit (contract api.md 3.4, D27, D37)."""

from __future__ import annotations

import decimal
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from cloudkitty.dataframe import to_decimal
from cloudkitty.db.engines import EXACT

_SUMMARY_UNIT: Final = Decimal("0.00001")


def plain(value: Decimal) -> str:
    """Give a number with at least one digit after the point: ``42.066``, ``1.0`` and ``0.0``."""
    whole, _, fraction = format(value, "f").partition(".")
    if not value:
        return "0.0"
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def report_total(values: Iterable[Any]) -> str:
    """Give the exact sum of `values`, as storages give them: ``15.0``, and ``0`` for zero."""
    with decimal.localcontext(EXACT):
        total = sum((to_decimal(value) for value in values if value is not None), Decimal(0))
    return plain(total) if total else "0"


def summary_rate(value: Any) -> str:
    """Give a sum rounded to five digits: ``25.044``, ``15.0``, and ``0`` for exactly zero or None.

    What is not zero but rounds to it is ``0.0``.
    """
    rate = to_decimal(value or 0)
    return plain(rate.quantize(_SUMMARY_UNIT, context=EXACT)) if rate else "0"


def quote(value: Decimal) -> str:
    """Give a price without zeros at its end: ``1.5``, ``20`` and ``0``."""
    return plain(value).removesuffix(".0")
