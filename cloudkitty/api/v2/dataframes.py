# SPDX-License-Identifier: Apache-2.0
"""``/v2/dataframes``: rated usage, point by point (contract api.md 13.3)."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from typing import Any, Final, TypedDict

import voluptuous as vol

from cloudkitty.api import context, errors
from cloudkitty.api.v2 import frames, limits, narrow, schema, streaming
from cloudkitty.api.v2.routing import Call, Operation
from cloudkitty.dataframe import DataFrame
from cloudkitty.db import idempotency


class Volume(TypedDict):
    """How much."""

    unit: str
    qty: Decimal


class Rating(TypedDict):
    """For how much."""

    price: Decimal


class Point(TypedDict):
    """What one resource used."""

    vol: Volume
    rating: Rating
    groupby: dict[str, Any]
    metadata: dict[str, Any]


class Frame(TypedDict):
    """What was used in a period, by metric type; a page may end inside a frame."""

    period: frames.Period
    usage: dict[str, list[Point]]


class Dataframes(TypedDict):
    """One page of points, and how many there are in all."""

    total: int
    dataframes: list[Frame]


_QUERY: Final = vol.Schema(
    {
        **limits.PAGING,
        **schema.INTERVAL,
        vol.Optional(
            "filters",
            default=list,
            description="What groupby or metadata must say, or the metric type: key:value.",
        ): schema.Filters(repeat=False),
    },
)
_KEY: Final = "Idempotency-Key"
_REUSED: Final = f"The {_KEY} has been used with another body."
_HEADERS: Final = vol.Schema(
    {
        vol.Optional(
            _KEY,
            description="A text of the caller's choice. Sent again with the same body within "
            "[api] idempotency_key_lifetime, nothing is stored a second time.",
        ): schema.Text("[!-~]{1,255}", "must be 1 to 255 printable ASCII characters, no blanks"),
    },
)


def _get(call: Call) -> dict[str, Any] | bytes | streaming.Streamed:
    narrow.authorize(call, "dataframes:get")
    limits.check_interval(call)
    limit = limits.page_size(call)
    if narrow.sees_nothing(call):
        return {"total": 0, "dataframes": []}
    args = call.args
    filters = {key: values[0] for key, values in args["filters"].items()}
    metric_type = filters.pop("type", None)
    source = call.storage.stream(
        begin=args.get("begin"),
        end=args.get("end"),
        filters=narrow.filters(call, filters) or None,
        metric_types=None if metric_type is None else [metric_type],
        offset=args["offset"],
        limit=limit,
    )
    with ExitStack() as opened:
        total, points = opened.enter_context(source)
        if not total:
            errors.abort_client(404, errors.NOT_FOUND)
        return streaming.answer(streaming.dataframes(total, points), opened)


def _post(call: Call) -> None:
    context.authorize("dataframes:add", {}, call.context)
    posted = call.args["dataframes"]
    if not posted:
        errors.abort_client(400, "Parameter dataframes must not be empty.")
    try:
        _store(call, posted)
    except idempotency.KeyReusedError:
        errors.abort_client(422, _REUSED)
    except ValueError as exc:  # what this storage cannot hold (storage.md 5.1.5)
        errors.abort_client(400, f"Invalid dataframes: {exc}")


def _store(call: Call, posted: list[DataFrame]) -> None:
    key = call.headers.get(_KEY)
    if key is None:
        call.storage.push(posted)
        return
    lifetime = call.conf.api.idempotency_key_lifetime
    project = call.context.project_id
    call.storage.push_once(posted, idempotency.request(project, key, call.body, lifetime))


GET: Final = Operation(
    _get,
    query=_QUERY,
    answer=Dataframes,
    refusals={404: errors.NOT_FOUND},
)
POST: Final = Operation(
    _post,
    body=frames.BODY,
    headers=_HEADERS,
    refusals={422: _REUSED},
)
