# SPDX-License-Identifier: Apache-2.0
"""What storages give to questions about very many points: usage by series, not by point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

#: Kinds of points of a portion: with a price, without one, without price and quantity.
PRICED: Final = "priced"
FREE: Final = "free"
IDLE: Final = "idle"


class Portion(NamedTuple):
    """Sums of the points of one kind that a series has in one stretch of time.

    `least` and `most` are the extremes of their quantities. `posted`: of periods nobody rated.
    """

    stretch: int
    kind: str
    points: int
    qty: Decimal
    price: Decimal
    least: Decimal
    most: Decimal
    posted: bool = False


class SeriesSums(NamedTuple):
    """A series and what it has; labels as in :class:`cloudkitty.usage.Series`.

    `scope` is None for what names no single one. `id` is its number in the storage.
    """

    scope: str | None
    metric: str
    unit: str
    groupby: Mapping[str, Any]
    metadata: Mapping[str, Any]
    calendar: bool
    portions: Sequence[Portion]
    id: int = 0


class Column(NamedTuple):
    """Points of a series, by begin; `begins`, `qtys` and `prices` run in parallel.

    The rest is as above. A series with several points in a period has several columns.
    """

    id: int
    scope: str | None
    metric: str
    unit: str
    groupby: Mapping[str, Any]
    metadata: Mapping[str, Any]
    calendar: bool
    posted: bool
    begins: list[int]
    qtys: list[Decimal]
    prices: list[Decimal]


#: Is told how much of an answer has been read, from 0 to 1.
Progress = Callable[[float], None]
