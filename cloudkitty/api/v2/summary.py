# SPDX-License-Identifier: Apache-2.0
"""``/v2/summary``: sums of rated usage (contract api.md 13.2)."""

from __future__ import annotations

from typing import Any, Final

import voluptuous as vol

from cloudkitty.api import errors
from cloudkitty.api.v2 import narrow, schema
from cloudkitty.api.v2.routing import Call, Operation

_FORMATS: Final = ["table", "object"]
_QUERY: Final = vol.Schema(
    {
        **schema.PAGING,
        **schema.INTERVAL,
        vol.Optional("groupby"): schema.Many(str),
        vol.Optional("filters", default=list): schema.Filters(repeat=True),
        vol.Optional("response_format", default=lambda: ["table"]): schema.Single(str),
        vol.Optional("custom_fields"): schema.Single(str),
    },
)


def _get(call: Call) -> dict[str, Any]:
    narrow.authorize(call, "summary:get_summary")
    args = call.args
    if args["response_format"] not in _FORMATS:
        errors.abort_client(
            400,
            f"Invalid response format [{args['response_format']}]. Valid formats are {_FORMATS}.",
        )
    if narrow.sees_nothing(call):
        return {"total": 0, "columns": [], "results": []}
    filters = args["filters"]
    metric_types = filters.pop("type", [])
    options = {}
    if args.get("custom_fields"):
        options["custom_fields"] = args["custom_fields"]
    found = call.storage.total(
        begin=args.get("begin"),
        end=args.get("end"),
        groupby=args.get("groupby"),
        filters=narrow.filters(call, filters),
        metric_types=metric_types,
        offset=args["offset"],
        limit=args["limit"],
        paginate=True,
        **options,
    )
    return _shown(found, args["response_format"])


def _shown(found: dict[str, Any], response_format: str) -> dict[str, Any]:
    rows = found["results"]
    if response_format == "object":
        return {"total": found["total"], "results": rows, "format": "object"}
    columns = list(rows[0]) if rows else []
    return {
        "total": found["total"],
        "columns": columns,
        "results": [[row.get(column) for column in columns] for row in rows],
        "format": "table",
    }


GET: Final = Operation(_get, query=_QUERY)
