# SPDX-License-Identifier: Apache-2.0
"""DataFrame and DataPoint: the types that collectors, rating modules and storages exchange.

They are part of the plugin interface (contract storage.md 1, rating.md 2.5).
"""
# ruff: noqa: FBT001, FBT002 - plugins may pass legacy and mutable by position

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn, Self

import voluptuous as vol

from cloudkitty import timeutils


class ImmutableDict(dict[str, Any]):
    """A dict that cannot be changed, hashable by value so that it can be shared and cached on."""

    __slots__ = ("_hash",)

    _hash: int

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("'ImmutableDict' objects are immutable")

    __setitem__ = __delitem__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse
    __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        try:
            return self._hash
        except AttributeError:
            try:
                self._hash = hash(frozenset(self.items()))
            except TypeError:  # a nested value that cannot be hashed
                self._hash = hash(frozenset(self))
            return self._hash

    def __copy__(self) -> ImmutableDict:
        return self

    def __deepcopy__(self, memo: object) -> ImmutableDict:
        return self

    def __reduce__(self) -> tuple[type[ImmutableDict], tuple[dict[str, Any]]]:
        return ImmutableDict, (dict(self),)


def immutable(mapping: Any) -> ImmutableDict:
    """Give `mapping` (anything ``dict()`` takes) as an ImmutableDict, itself if it is one."""
    return mapping if type(mapping) is ImmutableDict else ImmutableDict(mapping)


def to_decimal(value: Any) -> Decimal:
    """Give a number as Decimal; floats through their text, so that 0.1 stays 0.1.

    Raises decimal.InvalidOperation on text that is no number, TypeError on None.
    """
    if type(value) is Decimal:
        return value
    if isinstance(value, float):
        return Decimal(str(value))
    return Decimal(value)


def _decimal_text(value: Any) -> Decimal:
    """Validate a number given in a dict: through its text form (contract rating.md 2.5)."""
    if type(value) is Decimal:
        return value
    try:
        return Decimal(str(value))
    except decimal.InvalidOperation:
        raise vol.Invalid("not a valid decimal number") from None


def _moment(value: Any) -> dt.datetime:
    """Validate a period bound: a datetime, or ISO 8601 text given back in the local zone."""
    if isinstance(value, dt.datetime):
        return value
    if not isinstance(value, str):
        raise vol.Invalid("expected a datetime or ISO 8601 text")
    try:
        return timeutils.as_local(timeutils.parse_iso(value)).replace(microsecond=0)
    except ValueError as exc:
        raise vol.Invalid(str(exc)) from None


_POINT_SCHEMA = vol.Schema(
    {
        vol.Required("vol"): {
            vol.Required("unit"): str,
            vol.Required("qty"): _decimal_text,
        },
        vol.Required("rating", default=dict): {
            vol.Required("price", default=0): _decimal_text,
        },
        vol.Required("groupby"): vol.Coerce(dict),
        vol.Required("metadata"): vol.Coerce(dict),
    },
)


class _Point(NamedTuple):
    unit: str
    qty: Decimal
    price: Decimal
    groupby: ImmutableDict
    metadata: ImmutableDict
    description: str | None


class DataPoint(_Point):
    """What one resource used during one period: an immutable named tuple, compared by value."""

    __slots__ = ()

    def __new__(
        cls,
        unit: str | None,
        qty: Any,
        price: Any,
        groupby: Any,
        metadata: Any,
        description: str | None = None,
    ) -> Self:
        """Build a point; an empty unit becomes ``undefined``, numbers become Decimals.

        Raises decimal.InvalidOperation or TypeError on a qty or price that is no number.
        """
        return super().__new__(
            cls,
            unit or "undefined",
            to_decimal(qty),
            to_decimal(price),
            immutable(groupby),
            immutable(metadata),
            description,
        )

    def set_price(self, price: Any) -> Self:
        """Give a new point with `price` as given (no conversion, contract storage.md 1.1)."""
        return self._replace(price=price)

    @property
    def desc(self) -> ImmutableDict:
        """Metadata overlaid with groupby (groupby wins)."""
        return ImmutableDict({**self.metadata, **self.groupby})

    def as_dict(self, legacy: bool = False, mutable: bool = False) -> dict[str, Any]:
        """Give the point as a dict; `legacy` merges groupby and metadata into ``desc``."""
        wrap: type[dict[str, Any]] = dict if mutable else ImmutableDict
        out: dict[str, Any] = {
            "vol": {"unit": self.unit, "qty": self.qty},
            "rating": {"price": self.price},
        }
        if legacy:
            out["desc"] = wrap(self.desc)
        else:
            out["groupby"] = wrap(self.groupby)
            out["metadata"] = wrap(self.metadata)
        return wrap(out)

    def json(self, legacy: bool = False) -> str:
        """Give JSON text, Decimals as floats, datetimes as ISO 8601."""
        return json.dumps(self.as_dict(legacy=legacy, mutable=True), default=_json_default)

    @classmethod
    def from_dict(cls, dict_: dict[str, Any], legacy: bool = False) -> DataPoint:
        """Read a point from its dict form (contract storage.md 1.2).

        With `legacy` the key ``desc`` of the dict passed in is turned into ``groupby``.
        Raises ValueError naming the key when the dict is no valid point.
        """
        try:
            if legacy:
                dict_["groupby"] = dict_.pop("desc")
                dict_["metadata"] = {}
            valid = _POINT_SCHEMA(dict(dict_))
        except (vol.Invalid, KeyError, TypeError, AttributeError) as exc:
            raise ValueError(f"{dict_} isn't a valid DataPoint: {exc}") from exc
        return cls(
            valid["vol"]["unit"],
            valid["vol"]["qty"],
            valid["rating"]["price"],
            valid["groupby"],
            valid["metadata"],
        )


_FRAME_SCHEMA = vol.Schema(
    {
        vol.Required("period"): {
            vol.Required("begin"): _moment,
            vol.Required("end"): _moment,
        },
        vol.Required("usage"): dict,
    },
)


class DataFrame:
    """The usage of one period: an ordered map from metric type to its points."""

    __slots__ = ("_usage", "end", "start")

    def __init__(
        self,
        start: dt.datetime,
        end: dt.datetime,
        usage: dict[str, list[DataPoint]] | None = None,
    ) -> None:
        """Build a frame; metric types are inserted sorted by name.

        Raises TypeError when `start` or `end` is no datetime or `usage` no dict.
        """
        for name, value in (("start", start), ("end", end)):
            if not isinstance(value, dt.datetime):
                raise TypeError(
                    f'"{name}" must be of type datetime.datetime, not {type(value)}',
                )
        if usage is not None and not isinstance(usage, dict):
            raise TypeError(f'"usage" must be a dict, not {type(usage)}')
        self.start = start
        self.end = end
        self._usage: dict[str, list[DataPoint]] = {}
        if usage:
            for key in sorted(usage):
                self.add_points(usage[key], key)

    def __repr__(self) -> str:
        return f"DataFrame(metrics=[{','.join(self._usage)}])"

    def add_points(self, points: list[DataPoint], type_: str) -> None:
        """Append points to a metric type; the first list given for a type is kept itself."""
        if type_ in self._usage:
            self._usage[type_] += points
        else:
            self._usage[type_] = points

    def add_point(self, point: DataPoint, type_: str) -> None:
        """Append one point to a metric type."""
        self._usage.setdefault(type_, []).append(point)

    def iterpoints(self) -> Iterator[tuple[str, DataPoint]]:
        """Yield (metric type, point)."""
        for type_, points in self._usage.items():
            for point in points:
                yield type_, point

    def itertypes(self) -> Iterator[tuple[str, list[DataPoint]]]:
        """Yield (metric type, its points)."""
        yield from self._usage.items()

    def as_dict(self, legacy: bool = False, mutable: bool = False) -> dict[str, Any]:
        """Give the frame as a dict; datetimes stay datetimes."""
        wrap: type[dict[str, Any]] = dict if mutable else ImmutableDict
        return wrap(
            {
                "period": {"begin": self.start, "end": self.end},
                "usage": {
                    type_: [p.as_dict(legacy=legacy, mutable=mutable) for p in points]
                    for type_, points in self._usage.items()
                },
            },
        )

    def json(self, legacy: bool = False) -> str:
        """Give JSON text, Decimals as floats, datetimes as ISO 8601."""
        return json.dumps(self.as_dict(legacy=legacy, mutable=True), default=_json_default)

    @classmethod
    def from_dict(cls, dict_: dict[str, Any], legacy: bool = False) -> DataFrame:
        """Read a frame from its dict form (contract storage.md 1.3).

        Raises ValueError saying what is wrong, and with which type and point.
        """
        try:
            valid = _FRAME_SCHEMA(dict(dict_))
            usage = _usage_from_dict(valid["usage"], legacy=legacy)
        except (vol.Invalid, ValueError) as exc:
            raise ValueError(f"{dict_} isn't a valid DataFrame: {exc}") from exc
        return cls(valid["period"]["begin"], valid["period"]["end"], usage)


def _usage_from_dict(
    usage: Mapping[Any, Any],
    *,
    legacy: bool,
) -> dict[str, list[DataPoint]]:
    out: dict[str, list[DataPoint]] = {}
    for type_, points in usage.items():
        if not isinstance(type_, str):
            raise vol.Invalid("expected str", path=["usage", type_])
        if isinstance(points, str | bytes | Mapping) or not isinstance(points, Iterable):
            raise vol.Invalid("expected a list", path=["usage", type_])
        out[type_] = [
            point if isinstance(point, DataPoint) else DataPoint.from_dict(point, legacy=legacy)
            for point in points
        ]
    return out


def _json_default(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} is not JSON serializable")
