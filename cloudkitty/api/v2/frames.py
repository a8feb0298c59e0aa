# SPDX-License-Identifier: Apache-2.0
"""Data frames in a body: read and checked whole before anything is stored (api.md 13.3, D42)."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, TypedDict

import voluptuous as vol

from cloudkitty import timeutils
from cloudkitty.api.v2 import schema
from cloudkitty.dataframe import DataFrame, DataPoint

_Label = str | int | float | bool | None


class Period(TypedDict):
    """When: from begin on, until before end."""

    begin: dt.datetime
    end: dt.datetime


class PostedVolume(TypedDict):
    """How much."""

    unit: str
    qty: Decimal | str


class PostedRating(TypedDict, total=False):
    """For how much, 0 when it is left out."""

    price: Decimal | str


class _Unrated(TypedDict):
    vol: PostedVolume
    groupby: dict[str, _Label]
    metadata: dict[str, _Label]


class PostedPoint(_Unrated, total=False):
    """What one resource used; texts and numbers in groupby are stored as texts."""

    rating: PostedRating


class PostedFrame(TypedDict):
    """What was used in a period, by metric type."""

    period: Period
    usage: dict[str, list[PostedPoint]]


class Posted(TypedDict):
    """Frames to store, all or none of them."""

    dataframes: list[PostedFrame]


_BODY: Final = vol.Schema({vol.Required("dataframes"): list})
_NUMBER: Final = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\s*")
_NOT_TEXT: Final = re.compile("[\ud800-\udfff\0]")


class FrameInvalid(vol.Invalid):
    """A frame cannot be taken; `detail` names type, point and reason."""

    def __init__(self, index: int, detail: str) -> None:
        super().__init__("not a valid value", path=["dataframes", index])
        self.detail = detail


class _Wrong(Exception):  # noqa: N818 - becomes a FrameInvalid as soon as the frame is known
    """What is wrong, and where inside of the frame."""


def read(body: Any) -> dict[str, Any]:
    """Give ``{"dataframes": [DataFrame, ...]}``.

    Raises voluptuous.Invalid; FrameInvalid for the first frame that cannot be taken.
    """
    frames = []
    for index, frame in enumerate(_BODY(body)["dataframes"]):
        try:
            frames.append(_frame(frame))
        except _Wrong as exc:
            raise FrameInvalid(index, str(exc)) from None
    return {"dataframes": frames}


#: The body of a request that posts frames.
BODY: Final = schema.Typed(Posted, read)


def _frame(given: Any) -> DataFrame:
    frame = _object(given, "frame", PostedFrame)
    period = _object(frame["period"], "period", Period)
    bounds = []
    for name in ("begin", "end"):
        try:
            bounds.append(timeutils.as_local(schema.date(period[name])))
        except vol.Invalid as exc:
            raise _Wrong(f"period.{name}: {exc.msg}") from None
    if bounds[1] <= bounds[0]:
        raise _Wrong("period.end: must be after period.begin")
    usage = {}
    for metric, points in _mapping(frame["usage"], "usage").items():
        if not isinstance(points, list):
            raise _Wrong(f"usage {metric!r}: expected a list")
        usage[metric] = [
            _point(point, f"usage {metric!r}, point {index}") for index, point in enumerate(points)
        ]
    return DataFrame(bounds[0], bounds[1], usage)


def _point(given: Any, where: str) -> DataPoint:
    point = _object(given, where, PostedPoint)
    volume = _object(point["vol"], f"{where}: vol", PostedVolume)
    rating = _object(point.get("rating", {}), f"{where}: rating", PostedRating)
    unit = volume["unit"]
    if not isinstance(unit, str):
        raise _Wrong(f"{where}: vol.unit: expected a text")
    _check_text(unit, f"{where}: vol.unit")
    return DataPoint(
        unit,
        _number(volume["qty"], f"{where}: vol.qty"),
        _number(rating.get("price", 0), f"{where}: rating.price"),
        _groupby(point["groupby"], f"{where}: groupby"),
        _metadata(point["metadata"], f"{where}: metadata"),
    )


def _object(given: Any, where: str, model: Any) -> dict[str, Any]:
    """Check that the keys are those of a TypedDict."""
    required, optional = model.__required_keys__, model.__optional_keys__
    if not isinstance(given, dict):
        raise _Wrong(f"{where}: expected an object")
    for key in sorted(required - given.keys()):
        raise _Wrong(f"{where}: {key} is missing")
    for key in sorted(given.keys() - required - optional):
        raise _Wrong(f"{where}: unknown key {key!r}")
    return given


def _number(given: Any, where: str) -> Decimal:
    if isinstance(given, str):
        if not _NUMBER.fullmatch(given):
            raise _Wrong(f"{where}: expected a number")
    elif isinstance(given, bool) or not isinstance(given, int | Decimal):
        raise _Wrong(f"{where}: expected a number")
    number = Decimal(given)
    if not number.is_finite():
        raise _Wrong(f"{where}: expected a finite number")
    return number


def _groupby(given: Any, where: str) -> dict[str, str | None]:
    """Give labels as texts; null stays null."""
    return {
        name: None if value is None else str(_scalar(value, f"{where}.{name}"))
        for name, value in _labels(given, where).items()
    }


def _metadata(given: Any, where: str) -> dict[str, Any]:
    """Give labels as they are."""
    return {
        name: _scalar(value, f"{where}.{name}") for name, value in _labels(given, where).items()
    }


def _labels(given: Any, where: str) -> Mapping[str, Any]:
    if given == []:  # clients may send it for no labels
        return {}
    return _mapping(given, where)


def _mapping(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _Wrong(f"{where}: expected an object")
    for name in given:
        _check_text(name, where)
    return given


def _scalar(value: Any, where: str) -> str | int | float | None:
    if isinstance(value, str):
        _check_text(value, where)
        return value
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        number = float(value)
        if not math.isfinite(number):
            raise _Wrong(f"{where}: expected a finite number")
        return number
    raise _Wrong(f"{where}: expected a text, a number, a boolean or null")


def _check_text(text: str, where: str) -> None:
    """Refuse what is no text in UTF-8 or in a database."""
    if _NOT_TEXT.search(text):
        raise _Wrong(f"{where}: not a valid text")
