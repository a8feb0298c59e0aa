# SPDX-License-Identifier: Apache-2.0
"""``/v1/rating/quote``: what resources would cost now (contract api.md 6.4, D28, D31)."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import wsme.exc
from oslo_config import cfg
from wsme import types as wtypes

from cloudkitty import timeutils
from cloudkitty.api import context, decimals
from cloudkitty.api.v1 import rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.types import DecimalType, TextType, given
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.rating.modules import Rating

_UNIT: Final = "undef"
#: Sizes of quantities other than zero.
_SMALLEST: Final = Decimal("1E-30")
_LARGEST: Final = Decimal("1E+30")
#: Types of values in `desc`, in the words of the contract.
_ALLOWED: Final = (str, int, float, dict, Decimal)


class _Volume(DecimalType):
    """A quantity: a decimal that prices can be multiplied with."""

    def validate(self, value: Any) -> Decimal:
        """Give the number."""
        number = super().validate(value)
        if number and not _SMALLEST <= number.copy_abs() <= _LARGEST:
            raise ValueError(f"Value out of range: its size is 0 or {_SMALLEST} to {_LARGEST}")
        return number


class _Desc(wtypes.UserType):
    """The labels of a resource: flat, or in the objects ``groupby`` and ``metadata``."""

    basetype = dict
    name = "desc"

    def validate(self, value: Any) -> dict[str, Any]:
        """Give the object; its values are texts, numbers, booleans, null or objects."""
        if not isinstance(value, dict):
            raise ValueError("Value should be an object")  # noqa: TRY004
        for item in value.values():
            if item is not None and not isinstance(item, _ALLOWED):
                reason = f"Wrong type. Expected '{_ALLOWED}', got '{type(item)}'"
                raise ValueError(reason)
        return value


class Resource(wtypes.Base):
    """Something that somebody may want to use."""

    service = wtypes.wsattr(TextType(), mandatory=True)
    desc = wtypes.wsattr(_Desc(), mandatory=False)
    volume = wtypes.wsattr(_Volume(28), mandatory=True)


class Resources(wtypes.Base):
    """What is to be quoted."""

    resources = wtypes.wsattr([Resource], mandatory=True)


class QuoteController(rest.RestController):
    """``/v1/rating/quote``."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    @wsexpose(wtypes.text, body=Resources)
    def post(self, res_data: Any) -> str:
        """Give the price of one period of all resources, by the rules that hold for everybody."""
        context.authorize("rating:quote")
        start = timeutils.as_local(timeutils.utcnow())
        frame = DataFrame(start, start + dt.timedelta(seconds=self._conf.collect.period))
        for resource in res_data.resources:
            if resource is None:
                raise wsme.exc.InvalidInput("resources", None, "Value should be an object")
            frame.add_point(_point(resource), resource.service)
        # Modules are made anew: most are not safe for several threads.
        return decimals.quote(Rating().quote(frame))


def _point(resource: Any) -> DataPoint:
    groupby, metadata = _labels(given(resource).get("desc") or {})
    return DataPoint(_UNIT, resource.volume, 0, groupby, metadata)


def _labels(desc: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give groupby and metadata; what is beside them is metadata, but for objects (D28)."""
    groupby, metadata = (
        {key: _scalar(value, f"desc.{name}.{key}") for key, value in _object(desc, name).items()}
        for name in ("groupby", "metadata")
    )
    beside = {
        name: _scalar(value, f"desc.{name}")
        for name, value in desc.items()
        if not isinstance(value, dict)
    }
    texts = {name: None if value is None else str(value) for name, value in groupby.items()}
    return texts, {**beside, **metadata}


def _object(desc: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = desc.get(name, {})
    if not isinstance(found, dict):
        raise wsme.exc.InvalidInput(f"desc.{name}", found, "Value should be an object")
    return found


def _scalar(value: Any, where: str) -> str | int | float | None:
    """Give the value of a label as data frames have it."""
    if value is None or isinstance(value, str | int):
        return value
    number = float(value) if isinstance(value, Decimal) else math.nan
    if not math.isfinite(number):
        reason = "Value should be a text, a finite number, a boolean or null"
        raise wsme.exc.InvalidInput(where, value, reason)
    return number
