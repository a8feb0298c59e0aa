# SPDX-License-Identifier: Apache-2.0
"""Frames to rate, alone or as cases with rules and expected prices of their own.

A case is what the recorded vectors in ``cloudkitty/tests/data/vectors`` are; its README describes
the format.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.rating.document import caserules, model
from cloudkitty.rating.document.nodes import Node
from cloudkitty.rating.document.problems import DocumentError, Problem
from cloudkitty.rating.document.reader import Reader, TooMuchError, below
from cloudkitty.rating.document.texts import tree

_LONGEST: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A frame, whose it is and when its period begins; `document` has rules of its own, if any.

    `place` says where in the input it is, `expected` is what it says it should give, None if
    nothing.
    """

    place: str
    name: str | None
    tenant: str | None
    begin: dt.datetime
    frame: DataFrame
    document: model.Document | None
    expected: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Input:
    """All cases; `many` says that they came as a list."""

    cases: tuple[Case, ...]
    many: bool


def loads(text: str, source: str) -> Input:
    """Read frames or cases, one or a list of them, or an answer of ``GET /v2/dataframes``.

    Raises DocumentError with everything that is wrong.
    """
    text = text.removeprefix("\ufeff")
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        line = getattr(exc, "lineno", None)
        reason = f"not valid JSON: {getattr(exc, 'msg', exc)}"
        raise DocumentError(source, [Problem(line, "", reason)]) from exc
    path = ""
    if isinstance(value, dict) and "dataframes" in value:
        path, value = "dataframes", value["dataframes"]
    many = isinstance(value, list)
    items = value if many else [value]
    # Only rules need lines: a tree of a month of usage would take long.
    nodes: list[Node | None] = [None] * len(items)
    if any(
        isinstance(item, dict) and not item.keys().isdisjoint(caserules.SECTIONS) for item in items
    ):
        root = tree(text, source)
        nodes = root.value if isinstance(root.value, list) else [root]  # type: ignore[assignment]
    reader = Reader()
    cases = []
    with contextlib.suppress(TooMuchError):
        for index, (item, node) in enumerate(zip(items, nodes, strict=True)):
            case = _case(reader, item, node, below(path, index) if many else path, source)
            if case is not None:
                cases.append(case)
    if reader.problems:
        raise DocumentError(source, reader.problems)
    return Input(tuple(cases), many)


def _has_rules(item: Any) -> bool:
    return isinstance(item, dict) and not caserules.SECTIONS.isdisjoint(item)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _case(reader: Reader, item: Any, node: Node | None, path: str, source: str) -> Case | None:
    if not isinstance(item, dict):
        reader.problem(None, path, "expected a frame or a case")
        return None
    document = None
    if node is not None:
        members = reader.members(node, path)
        document = None if members is None else caserules.document(reader, members, source)
    plain = "input" not in item
    frame = _frame(
        reader, item if plain else item["input"], path if plain else below(path, "input")
    )
    if frame is None:
        return None
    begin = timeutils.as_utc(frame.start)
    if not plain and item.get("period_begin") is not None:
        try:
            begin = timeutils.parse_iso(str(item["period_begin"]))
        except ValueError as exc:
            reader.problem(None, below(path, "period_begin"), str(exc))
    tenant, name, expected = (item.get(key) for key in ("tenant_id", "name", "expected"))
    return Case(
        place=path,
        name=None if name is None else str(name),
        tenant=None if tenant is None else str(tenant),
        begin=begin,
        frame=frame,
        document=document,
        expected=expected if isinstance(expected, dict) else None,
    )


def _frame(reader: Reader, found: Any, path: str) -> DataFrame | None:
    """Give a frame; None when it is none, with a problem for each point that is none."""
    try:
        return DataFrame.from_dict(found)
    except (ValueError, TypeError, AttributeError) as exc:
        before = len(reader.problems)
        for where, point in _points(found, path):
            try:
                DataPoint.from_dict(point)
            except ValueError as of_point:
                reader.problem(None, where, _reason(of_point))
        if len(reader.problems) == before:
            reader.problem(None, path, _reason(exc))
        return None


def _points(found: Any, path: str) -> Iterator[tuple[str, Any]]:
    usage = found.get("usage") if isinstance(found, dict) else None
    for metric, points in usage.items() if isinstance(usage, dict) else ():
        if isinstance(points, list):
            for index, point in enumerate(points):
                yield below(below(below(path, "usage"), metric), index), point


def _reason(error: Exception) -> str:
    # What it says begins with the whole frame or point.
    return str(error).rpartition(" isn't a valid ")[2][:_LONGEST]
