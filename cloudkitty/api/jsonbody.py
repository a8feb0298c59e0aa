# SPDX-License-Identifier: Apache-2.0
"""The JSON body of a request: read once, numbers with a fraction as exact decimals (D9)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import pecan

_ENVIRON_KEY: Final = "cloudkitty.json"


class ApiRequest(pecan.Request):
    """A request whose ``json`` is read once; pecan looks at it when it routes arguments."""

    @property
    def json(self) -> Any:
        """The body; raises ValueError when it is no JSON."""
        return load(self)

    json_body = json


def load(request: Any) -> Any:
    """Give the body as Python objects; raises ValueError when it is no JSON.

    NaN and Infinity, which are no JSON but which many encoders write, become decimals that are not
    finite, for validation to name.
    """
    environ = request.environ
    known = environ.get(_ENVIRON_KEY)
    # The body is compared by identity because filters may replace it.
    if known is not None and known[0] is request.body:
        return known[1]
    body = request.body
    try:
        data = json.loads(body.decode(), parse_float=Decimal, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    environ[_ENVIRON_KEY] = (body, data)
    return data


def top_level(request: Any) -> dict[str, Any]:
    """Give the body if it is a JSON object, else an empty dict."""
    if not request.body or "json" not in request.content_type:
        return {}
    try:
        data = load(request)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _constant(text: str) -> Decimal:
    return Decimal(text)
