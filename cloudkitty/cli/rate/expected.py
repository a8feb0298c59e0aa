# SPDX-License-Identifier: Apache-2.0
"""Whether a case was rated as it says it should be (README of the recorded vectors)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from cloudkitty import timeutils
from cloudkitty.cli.rate.rating import Rated
from cloudkitty.dataframe import DataFrame

#: How far a price may be from the expected one, relatively, where something was rounded.
_TOLERANCE: Final = Decimal("1e-20")


def met(rated: Rated, expected: Mapping[str, Any]) -> bool:
    """Whether prices, frame or error are what a case expects.

    An error is met by any error.
    """
    if isinstance(expected.get("error"), str):
        return rated.error is not None
    if rated.frame is None:
        return False
    try:
        if isinstance(expected.get("usage"), dict):
            return bool(_frame(rated.frame) == _expected_frame(expected))
        return _prices_met(rated, expected)
    except (InvalidOperation, KeyError, TypeError, ValueError):
        # What is expected is nothing that there could be.
        return False


def _prices_met(rated: Rated, expected: Mapping[str, Any]) -> bool:
    wanted = {service: [Decimal(str(p)) for p in prices] for service, prices in expected.items()}
    if wanted.keys() != rated.prices.keys():
        return False
    return all(
        len(prices) == len(wanted[service]) and all(map(_equal, prices, wanted[service]))
        for service, prices in rated.prices.items()
    )


def _equal(price: Decimal | None, wanted: Decimal) -> bool:
    return price is not None and abs(price - wanted) <= abs(wanted) * _TOLERANCE


def _frame(frame: DataFrame) -> Any:
    usage = [
        (
            service,
            [(p.unit, p.qty, p.price, _labels(p.groupby), _labels(p.metadata)) for p in points],
        )
        for service, points in frame.itertypes()
    ]
    return timeutils.as_utc(frame.start), timeutils.as_utc(frame.end), usage


def _expected_frame(expected: Mapping[str, Any]) -> Any:
    begin, end = (
        timeutils.as_utc(dt.datetime.fromisoformat(expected["period"][name]))
        for name in ("begin", "end")
    )
    usage = [
        (
            service,
            [
                (
                    p["unit"],
                    Decimal(str(p["qty"])),
                    Decimal(str(p["price"])),
                    _labels(p["groupby"]),
                    _labels(p["metadata"]),
                )
                for p in points
            ],
        )
        for service, points in expected["usage"].items()
    ]
    return begin, end, usage


def _labels(labels: Mapping[str, Any]) -> str:
    # By text: 1, True and 1.0 are equal to Python, but not to rules.
    return repr(sorted(labels.items()))
