# SPDX-License-Identifier: Apache-2.0
"""What each project used and what it costs, as a table, from ``GET /v2/summary``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cloudkitty.demo.run.client import Api

#: Metrics that have a column of their own: the ones that cost most.
COLUMNS: Final = 5
_PAGE: Final = 1000


@dataclass(slots=True)
class Row:
    """One project."""

    name: str
    cost: float = 0.0
    quantities: dict[str, float] = field(default_factory=dict)


def rows(api: Api, scope_key: str, name_key: str | None) -> list[Row]:
    """Read this month, one row per scope, the dearest first."""
    groupby = ",".join(key for key in (scope_key, name_key, "type") if key)
    found: dict[str, Row] = {}
    for one in _pages(api, groupby):
        scope = one[scope_key]
        row = found.setdefault(scope, Row(one.get(name_key or "", "") or scope))
        row.cost += one["rate"]
        row.quantities[one["type"]] = row.quantities.get(one["type"], 0.0) + one["qty"]
    return sorted(found.values(), key=lambda row: (-row.cost, row.name))


def _pages(api: Api, groupby: str) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        page = api.get(
            "/v2/summary", groupby=groupby, response_format="object", limit=_PAGE, offset=offset
        )
        yield from page["results"]
        offset += _PAGE
        if offset >= page["total"]:
            return


def table(
    found: Sequence[Row], units: Mapping[str, str], title: str, flows: Container[str] = ()
) -> str:
    """Give the table as text; quantities are sums over hours, those of `flows` plain sums."""
    totals: dict[str, float] = defaultdict(float)
    for row in found:
        for name, quantity in row.quantities.items():
            totals[name] += quantity
    names = [name for name in units if name in totals][:COLUMNS]
    head = [title, *names, "cost"]
    below = ["", *(units[name] if name in flows else f"{units[name]}·h" for name in names), ""]
    body = [
        [row.name, *(_number(row.quantities.get(name)) for name in names), f"{row.cost:,.2f}"]
        for row in found
    ]
    cost = f"{sum(row.cost for row in found):,.2f}"
    last = ["total", *(_number(totals[name]) for name in names), cost]
    lines = [head, below, *body, last]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    text = [_line(line, widths) for line in lines]
    omitted = [name for name in totals if name not in names]
    note = [f"(not shown, but in the cost: {', '.join(omitted)})"] if omitted else []
    return "\n".join([*text[:2], rule, *text[2:-1], rule, text[-1], *note])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([cells[0].ljust(widths[0]), *numbers]).rstrip()


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.2f}"
