# SPDX-License-Identifier: Apache-2.0
"""``/v2/summary``: sums of rated usage (contract api.md 13.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final, Literal, TypedDict

import voluptuous as vol

from cloudkitty.api import errors, limits, streaming
from cloudkitty.api.v2 import narrow, paging, schema, texts
from cloudkitty.api.v2.routing import Call, Operation


class Table(TypedDict):
    """Rows as lists, in the order of the columns; a caller without project gets no format."""

    total: int
    columns: list[str]
    results: list[list[Any]]


class FormattedTable(Table, total=False):
    """The answer with response_format=table."""

    format: Literal["table"]


class Objects(TypedDict):
    """The answer with response_format=object."""

    total: int
    results: list[dict[str, Any]]
    format: Literal["object"]


_FORMATS: Final = ["table", "object"]
_QUERY: Final = vol.Schema(
    {
        **paging.PAGING,
        **schema.INTERVAL,
        vol.Optional(
            "groupby",
            description="Keys of points' groupby, type, or time, time-d, time-w, time-m, time-y.",
        ): schema.Many(str),
        vol.Optional(
            "filters",
            default=list,
            description="What groupby or metadata must say, or the metric type: key:value. "
            "Values of one key: any of them.",
        ): schema.Filters(repeat=True),
        vol.Optional(
            "response_format",
            default=lambda: ["table"],
            description="How rows are shown: table or object.",
        ): schema.Single(str),
        vol.Optional(
            "custom_fields",
            description="In place of qty and rate: * or FUNCTION(field) [AS name], with commas "
            "between.",
        ): schema.Single(str),
    },
)


def _get(call: Call) -> dict[str, Any] | bytes | streaming.Streamed:
    narrow.authorize(call, "summary:get_summary")
    args = call.args
    if args["response_format"] not in _FORMATS:
        errors.abort_client(
            400,
            f"Invalid response format [{args['response_format']}]. Valid formats are {_FORMATS}.",
        )
    limits.check_interval(call.conf, args.get("begin"), args.get("end"))
    limits.check_keys(call.conf, args.get("groupby", ()))
    limit = paging.page_size(call)
    if narrow.sees_nothing(call):
        return {"total": 0, "columns": [], "results": []}
    filters = args["filters"]
    metric_types = filters.pop("type", [])
    options = {}
    if args.get("custom_fields"):
        options["custom_fields"] = args["custom_fields"]
    found = limits.total(
        call.conf,
        call.storage,
        begin=args.get("begin"),
        end=args.get("end"),
        groupby=args.get("groupby"),
        filters=narrow.filters(call, filters),
        metric_types=metric_types,
        offset=args["offset"],
        limit=limit,
        paginate=True,
        **options,
    )
    return streaming.answer(_shown(found, args["response_format"]), ExitStack())


def _shown(found: dict[str, Any], response_format: str) -> Iterator[bytes]:
    total, rows = found["total"], found["results"]
    tail = {"format": response_format}
    if response_format == "object":
        return texts.listing({"total": total}, rows, tail)
    columns = list(rows[0]) if rows else []
    table = ([row.get(column) for column in columns] for row in rows)
    return texts.listing({"total": total, "columns": columns}, table, tail)


GET: Final = Operation(_get, query=_QUERY, answer=FormattedTable | Objects)
