# SPDX-License-Identifier: Apache-2.0
"""Answers of v2 as JSON text: exact decimals, dates, ASCII only (contract api.md 3.1, 3.4, D37)."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any, Final

import orjson

from cloudkitty.api import decimals

_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATETIME


def encode(data: Any) -> bytes:
    """Give `data` as JSON text.

    Decimals are numbers in plain notation with all their digits and at least one after the point,
    dates are ISO 8601 texts.
    """
    try:
        text = orjson.dumps(data, default=_default, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # Integers of more than 64 bits, which labels may be, are beyond it.
        text = orjson.dumps(_with_large_integers(data), default=_default, option=_OPTIONS)
    if text.isascii():
        return text
    return _NOT_ASCII.sub(_escape, text.decode()).encode()


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(decimals.plain(value))
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} is not JSON serializable")


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _with_large_integers(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _with_large_integers(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_with_large_integers(value) for value in data]
    if isinstance(data, int) and not isinstance(data, bool):
        return orjson.Fragment(str(data))
    return data
