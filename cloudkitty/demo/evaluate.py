# SPDX-License-Identifier: Apache-2.0
"""Answers a parsed query over many instants at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cloudkitty.demo.promql import Aggregate, Call, Node, QueryError, Selector
from cloudkitty.demo.series import TimeSeries

#: One value for each instant asked about; None where there is none.
Column = list[float | None]
Labels = dict[str, str]
#: (number of samples, value) pairs.
Pieces = Sequence[tuple[int, float]]


def evaluate(
    node: Node,
    instants: Sequence[float],
    series: Mapping[str, Sequence[TimeSeries]],
    newest: int,
) -> list[tuple[Labels, Column]]:
    """Give (labels, a value for each of `instants`); no sample is later than `newest`."""
    if isinstance(node, Aggregate):
        inner = evaluate(node.argument, instants, series, newest)
        return _aggregate(node, inner, len(instants))
    if isinstance(node, Selector):
        return [
            ({"__name__": node.name, **one.labels}, [one.at(at, newest) for at in instants])
            for one in _selected(node, series)
        ]
    return _call(node, instants, series, newest)


def _selected(node: Selector, series: Mapping[str, Sequence[TimeSeries]]) -> list[TimeSeries]:
    return [
        one
        for one in series.get(node.name, ())
        if all(matcher.matches(one.labels) for matcher in node.matchers)
    ]


def _call(
    node: Call,
    instants: Sequence[float],
    series: Mapping[str, Sequence[TimeSeries]],
    newest: int,
) -> list[tuple[Labels, Column]]:
    selector = node.argument
    if isinstance(selector, Selector) and selector.seconds is not None:
        over = _OVER_TIME[node.function.removesuffix("_over_time")]
        seconds = selector.seconds
        return [
            (one.labels, [_over(over, one.window(at - seconds, at, newest)) for at in instants])
            for one in _selected(selector, series)
        ]
    function = _FUNCTIONS[node.function]
    return [
        (
            {name: value for name, value in labels.items() if name != "__name__"},
            [None if value is None else function(value) for value in column],
        )
        for labels, column in evaluate(node.argument, instants, series, newest)
    ]


def _over(function: Callable[[Pieces], float], pieces: Pieces) -> float | None:
    return function(pieces) if pieces else None


def _aggregate(
    node: Aggregate,
    inner: list[tuple[Labels, Column]],
    width: int,
) -> list[tuple[Labels, Column]]:
    groups: dict[tuple[str, ...], list[Column]] = {}
    for labels, column in inner:
        groups.setdefault(tuple(labels.get(name, "") for name in node.by), []).append(column)
    function = _OVER_TIME["present" if node.operation == "group" else node.operation]
    result: list[tuple[Labels, Column]] = []
    for key, columns in groups.items():
        labels = {name: value for name, value in zip(node.by, key, strict=True) if value}
        if len(columns) == 1 and node.operation in {"max", "min", "sum", "avg"}:
            result.append((labels, columns[0]))
            continue
        merged: Column = []
        for index in range(width):
            values = [value for column in columns if (value := column[index]) is not None]
            merged.append(_over(function, [(1, value) for value in values]))
        result.append((labels, merged))
    return result


def _count(pieces: Pieces) -> float:
    return float(sum(count for count, _value in pieces))


def _sum(pieces: Pieces) -> float:
    return math.fsum(count * value for count, value in pieces)


def _avg(pieces: Pieces) -> float:
    return pieces[0][1] if len(pieces) == 1 else _sum(pieces) / _count(pieces)


def _stdvar(pieces: Pieces) -> float:
    mean = _avg(pieces)
    return math.fsum(count * (value - mean) ** 2 for count, value in pieces) / _count(pieces)


_OVER_TIME: Final[dict[str, Callable[[Pieces], float]]] = {
    "avg": _avg,
    "count": _count,
    "last": lambda pieces: pieces[-1][1],
    "max": lambda pieces: max(value for _count, value in pieces),
    "min": lambda pieces: min(value for _count, value in pieces),
    "present": lambda _pieces: 1.0,
    "stddev": lambda pieces: math.sqrt(_stdvar(pieces)),
    "stdvar": _stdvar,
    "sum": _sum,
}


def _logarithm(logarithm: Callable[[float], float]) -> Callable[[float], float]:
    def function(value: float) -> float:
        if value > 0:
            return logarithm(value)
        return -math.inf if value == 0 else math.nan

    return function


_FUNCTIONS: Final[dict[str, Callable[[float], float]]] = {
    "abs": abs,
    "ceil": lambda value: float(math.ceil(value)),
    "exp": lambda value: math.exp(value) if value < 700 else math.inf,
    "floor": lambda value: float(math.floor(value)),
    "ln": _logarithm(math.log),
    "log10": _logarithm(math.log10),
    "log2": _logarithm(math.log2),
    "round": lambda value: float(math.floor(value + 0.5)),
    "sqrt": lambda value: math.sqrt(value) if value >= 0 else math.nan,
}

__all__ = ["QueryError", "evaluate"]
