# SPDX-License-Identifier: Apache-2.0
"""``/v2/dataframes``: rated usage, point by point (contract api.md 13.3)."""

from __future__ import annotations

from typing import Any, Final

import voluptuous as vol

from cloudkitty.api import context, errors
from cloudkitty.api.v2 import frames, narrow, schema
from cloudkitty.api.v2.routing import Call, Operation

_QUERY: Final = vol.Schema(
    {
        **schema.PAGING,
        **schema.INTERVAL,
        vol.Optional("filters", default=list): schema.Filters(repeat=False),
    },
)


def _get(call: Call) -> dict[str, Any]:
    narrow.authorize(call, "dataframes:get")
    if narrow.sees_nothing(call):
        return {"total": 0, "dataframes": []}
    args = call.args
    filters = {key: values[0] for key, values in args["filters"].items()}
    metric_type = filters.pop("type", None)
    found = call.storage.retrieve(
        begin=args.get("begin"),
        end=args.get("end"),
        filters=narrow.filters(call, filters) or None,
        metric_types=None if metric_type is None else [metric_type],
        offset=args["offset"],
        limit=args["limit"],
    )
    if not found["total"]:
        errors.abort_client(404, errors.NOT_FOUND)
    return {
        "total": found["total"],
        "dataframes": [frame.as_dict(mutable=True) for frame in found["dataframes"]],
    }


def _post(call: Call) -> None:
    context.authorize("dataframes:add", {}, call.context)
    posted = call.args["dataframes"]
    if not posted:
        errors.abort_client(400, "Parameter dataframes must not be empty.")
    try:
        call.storage.push(posted)
    except ValueError as exc:  # what this storage cannot hold (storage.md 5.1.5)
        errors.abort_client(400, f"Invalid dataframes: {exc}")


GET: Final = Operation(_get, query=_QUERY)
POST: Final = Operation(_post, body=frames.read)
