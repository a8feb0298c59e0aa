# SPDX-License-Identifier: Apache-2.0
"""Frames as scripts see them, and what is taken over of what they leave (rating.md 5.2).

The rules of reading back are those of ``DataFrame.from_dict``; a test holds the two together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_PERIOD: Final = frozenset({"begin", "end"})
_POINT: Final = frozenset({"vol", "rating", "groupby", "metadata"})


class RefusedError(ValueError):
    """What a script has left is no frame; the text says where and why."""


class Point(NamedTuple):
    """A point as it was read back."""

    unit: str
    qty: Decimal
    price: Decimal
    groupby: dict[Any, Any]
    metadata: dict[Any, Any]

    def as_dict(self) -> dict[str, Any]:
        """Give the point as the next script sees it."""
        return {
            "vol": {"unit": self.unit, "qty": self.qty},
            "rating": {"price": self.price},
            "groupby": dict(self.groupby),
            "metadata": dict(self.metadata),
        }


class Frame(NamedTuple):
    """A frame as it was read back; metrics are in order of their names."""

    begin: dt.datetime
    end: dt.datetime
    usage: dict[str, list[Point]]

    def as_dict(self) -> dict[str, Any]:
        """Give the frame as the next script sees it."""
        return {
            "period": {"begin": self.begin, "end": self.end},
            "usage": {
                metric: [point.as_dict() for point in points]
                for metric, points in self.usage.items()
            },
        }


class Labels:
    """The labels of a series: gives copies, and tells whether a script has changed one."""

    __slots__ = ("_labels", "_nested", "_types")

    def __init__(self, labels: dict[str, Any]) -> None:
        self._labels = labels
        self._types = [*map(type, labels.values())]
        self._nested = not _PLAIN.issuperset(self._types)

    def copy(self) -> dict[str, Any]:
        """Give a copy that a script may change."""
        return deepcopy(self._labels) if self._nested else self._labels.copy()

    def with_(self, others: dict[str, str]) -> Labels:
        """Give these labels with others over them."""
        return Labels({**self._labels, **others}) if others else self

    def unchanged(self, found: dict[Any, Any]) -> bool:
        """Whether `found` is what was given: 1, 1.0 and True are not the same."""
        if found != self._labels or [*map(type, found.values())] != self._types:
            return False
        return not self._nested or repr(found) == repr(self._labels)


def read(left: Mapping[str, Any], zone: dt.tzinfo | None) -> Frame:
    """Read the global ``data`` that a script has left; raises RefusedError."""
    try:
        data = left["data"]
    except KeyError:
        raise RefusedError("KeyError: there is no 'data' any more") from None
    data = _mapping(data, "data")
    _only(data, frozenset({"period", "usage"}), "data")
    period, usage = data["period"], data["usage"]
    if not isinstance(period, dict):
        raise RefusedError(f"data['period'] is {_kind(period)}, not a dict")
    _only(period, _PERIOD, "data['period']")
    if not isinstance(usage, dict):
        raise RefusedError(f"data['usage'] is {_kind(usage)}, not a dict")
    begin, end = (_moment(period[name], name, zone) for name in ("begin", "end"))
    found = {}
    for metric, points in usage.items():
        if not isinstance(metric, str):
            raise RefusedError(f"data['usage'] has the key {metric!r}, not a text")
        found[str(metric)] = _points(metric, points)
    return Frame(begin, end, {metric: found[metric] for metric in sorted(found)})


def _points(metric: str, points: Any) -> list[Point]:
    if type(points) is not list and (
        isinstance(points, str | bytes | Mapping) or not isinstance(points, Iterable)
    ):
        raise RefusedError(f"data['usage'][{metric!r}] is {_kind(points)}, not a list")
    out: list[Point] = []
    try:
        for point in points:
            out.append(_point(point))  # noqa: PERF401 - the length says where it stopped
    except RefusedError as exc:
        raise RefusedError(f"data['usage'][{metric!r}][{len(out)}]{exc}") from None
    return out


def _point(point: Any) -> Point:
    point = _mapping(point, "")
    try:
        vol, groupby, metadata = point["vol"], point["groupby"], point["metadata"]
    except KeyError as exc:
        raise RefusedError(f" has no {exc}") from None
    if len(point) != 3 + ("rating" in point):
        raise RefusedError(f" has {_others(point, _POINT)} that no point has")
    if not isinstance(vol, dict):
        raise RefusedError(f"['vol'] is {_kind(vol)}, not a dict")
    try:
        unit, qty = vol["unit"], vol["qty"]
    except KeyError as exc:
        raise RefusedError(f"['vol'] has no {exc}") from None
    if len(vol) != 2:
        raise RefusedError(f"['vol'] has {_others(vol, frozenset({'unit', 'qty'}))}")
    if not isinstance(unit, str):
        raise RefusedError(f"['vol']['unit'] is {_kind(unit)}, not a text")
    rating = point.get("rating", {})
    if not isinstance(rating, dict):
        raise RefusedError(f"['rating'] is {_kind(rating)}, not a dict")
    price = rating.get("price", 0)
    if len(rating) != ("price" in rating):
        raise RefusedError(f"['rating'] has {_others(rating, frozenset({'price'}))}")
    return Point(
        str(unit) or "undefined",
        _number(qty, "['vol']['qty']"),
        _number(price, "['rating']['price']"),
        groupby if type(groupby) is dict else _mapping(groupby, "['groupby']"),
        metadata if type(metadata) is dict else _mapping(metadata, "['metadata']"),
    )


def _number(value: Any, where: str) -> Decimal:
    """Give a number through its text: 0.1 is 0.1, and True is none."""
    if type(value) is not Decimal:
        try:
            value = Decimal(str(value))
        except (InvalidOperation, ValueError):
            raise RefusedError(f"{where} is {_short(value)}, not a number") from None
    if not value.is_finite():
        raise RefusedError(f"{where} is {value}, not a number")
    number: Decimal = value
    return number


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if type(value) is dict:
        return value
    try:
        return dict(value)
    except (TypeError, ValueError):
        raise RefusedError(f"{where} is {_kind(value)}, not a dict") from None


def _moment(value: Any, name: str, zone: dt.tzinfo | None) -> dt.datetime:
    """Give a bound of the period; a text without an offset is UTC."""
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        try:
            found = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            raise RefusedError(f"data['period'][{name!r}] is {value!r}, not ISO 8601") from None
        if found.tzinfo is None:
            found = found.replace(tzinfo=dt.UTC)
        return found.astimezone(zone).replace(microsecond=0)
    raise RefusedError(f"data['period'][{name!r}] is {_kind(value)}, not a datetime")


def _only(found: dict[Any, Any], wanted: frozenset[str], where: str) -> None:
    missing = sorted(wanted - found.keys())
    if missing:
        raise RefusedError(f"{where} has no {missing[0]!r}")
    if len(found) != len(wanted):
        raise RefusedError(f"{where} has {_others(found, wanted)}")


def _others(found: dict[Any, Any], wanted: frozenset[str]) -> str:
    return "the key " + ", ".join(_short(key) for key in found if key not in wanted)


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
