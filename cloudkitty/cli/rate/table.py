# SPDX-License-Identifier: Apache-2.0
"""Explanations as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from cloudkitty.api import decimals

#: Labels that name a resource, in order of preference.
_NAMES: Final = ("id", "resource_id", "uuid", "name")
_SOURCES: Final = {
    "recorded": "by the rules that were recorded",
    "present": "by the present rules",
    "posted": "posted",
    "document": "by the document",
}
_EFFECTS: Final = {
    "unit_price": "the price of a unit",
    "multiplies": "multiplies",
    "threshold": "the highest level reached",
    "lower_flat": "lower than",
    "lower_level": "not above",
    "replaced": "replaced by",
    "no_effect": "no effect",
}


def lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of an answer with explanations."""
    shown = 0
    for frame in answer["dataframes"]:
        for metric, points in frame["usage"].items():
            for point in points:
                shown += 1
                begin = _date(frame["period"]["begin"])
                yield f"{begin}  {metric}  {_name(point)}{_amount(point)}\n"
                yield from _explanation(point["explanation"])
                yield "\n"
    yield f"{shown} of {answer['total']} points\n"


def _date(bound: Any) -> str:
    return bound if isinstance(bound, str) else str(bound.isoformat())


def _name(point: Mapping[str, Any]) -> str:
    for name in _NAMES:
        if name in point["groupby"]:
            return f"{name} {point['groupby'][name]}  "
    return ""


def _amount(point: Mapping[str, Any]) -> str:
    volume = point["vol"]
    return f"{number(volume['qty'])} {volume['unit']}: {number(point['rating']['price'])}"


def _explanation(found: Mapping[str, Any]) -> Iterator[str]:
    how = _SOURCES.get(found["source"], found["source"])
    if found["reproduced"] is False:
        stored, price = number(found["stored_price"]), number(found["explained_price"])
        how += f"; NOT THE SAME: {price} in place of {stored}"
    yield f"  {how}\n"
    for step in found["steps"]:
        yield from _step(step)
    for why in found["reasons"]:
        yield f"  why: {why['text']}\n"


def _step(step: Mapping[str, Any]) -> Iterator[str]:
    name = step["module"]
    if "script" in step:
        name += f", script {step['script']['name']}"
    yield f"  {name}: {number(step['price_before'])} -> {number(step['price_after'])}\n"
    for group in step.get("groups", ()):
        yield f"    group {group['group']}: {group['calculation']}\n"
        yield from _columns([_rule(rule) for rule in group["rules"]])


def _rule(rule: Mapping[str, Any]) -> list[str]:
    where = rule["service"] if rule["field"] is None else rule["field"]
    if rule["kind"] == "mapping":
        where += "" if rule["field"] is None else f" = {rule['value']}"
    else:
        where += f" >= {number(rule['level'])}"
    effect = _EFFECTS[rule["effect"]]
    return [
        rule["id"],
        rule["kind"],
        where,
        f"{rule['type']} {number(rule['cost'])}",
        effect if rule["by"] is None else f"{effect} {rule['by']}",
        "" if rule["tenant"] is None else f"(tenant {rule['tenant']})",
    ]


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"      {'  '.join(cells).rstrip()}\n"


def number(value: Any) -> str:
    """Give a number without zeros at its end; numbers of JSON may be integers."""
    if value is None:
        return "unknown"
    found = Decimal(value)
    return decimals.quote(found) if found else "0"
