# SPDX-License-Identifier: Apache-2.0
"""``/v2/dataframes``: rated usage, point by point (contract api.md 13.3)."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from typing import Any, Final, TypedDict

import voluptuous as vol

from cloudkitty.api import context, errors, limits, streaming
from cloudkitty.api.v2 import bodies, frames, narrow, paging, schema, texts
from cloudkitty.api.v2.routing import Call, Operation
from cloudkitty.dataframe import DataFrame
from cloudkitty.db import idempotency
from cloudkitty.rating.explain.model import Explanation
from cloudkitty.rating.explain.periods import Explainer
from cloudkitty.storage.v2.base import Placed


class Volume(TypedDict):
    """How much."""

    unit: str
    qty: Decimal


class Rating(TypedDict):
    """For how much."""

    price: Decimal


class _Point(TypedDict):
    vol: Volume
    rating: Rating
    groupby: dict[str, Any]
    metadata: dict[str, Any]


class Point(_Point, total=False):
    """What one resource used; with ``explain``, which rules made its price."""

    explanation: Explanation


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
        **paging.PAGING,
        **schema.INTERVAL,
        vol.Optional(
            "filters",
            default=list,
            description="What groupby or metadata must say, or the metric type: key:value.",
        ): schema.Filters(repeat=False),
        vol.Optional(
            "explain",
            default=lambda: ["false"],
            description="Whether each point says which rules made its price; then a page has at "
            "most as many points as [api] max_explained_points says.",
        ): schema.Single(bodies.boolean),
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
    args = call.args
    limits.check_interval(call.conf, args.get("begin"), args.get("end"))
    explain = args["explain"]
    limit = paging.page_size(call, "max_explained_points" if explain else None)
    if narrow.sees_nothing(call):
        return {"total": 0, "dataframes": []}
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
        if not explain:
            return streaming.answer(texts.dataframes(total, points), opened)
        page = list(points)
    # Scripts may take their time: what was read from is closed.
    return _explained(call, total, page)


def _explained(call: Call, total: int, page: list[Placed]) -> bytes:
    """Give a page with an explanation of each point, to administrators a full one."""
    explainer = Explainer(
        call.storage,
        call.conf.collect.scope_key,
        everything=bool(call.context.is_admin),
    )
    explanations = iter(explainer.explain(page))

    def shown(placed: Placed) -> dict[str, Any]:
        return {**placed.point.as_dict(mutable=True), "explanation": next(explanations)}

    return b"".join(texts.dataframes(total, page, shown))


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
