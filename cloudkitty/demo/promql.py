# SPDX-License-Identifier: Apache-2.0
"""The part of PromQL that the demo source understands: selectors, functions, aggregations.

``expr := number | selector [range] | function(expr) | aggregation [by (labels)] (expr) [by ...]``.
Anything else raises QueryError, which the server answers as Prometheus does: 400, ``bad_data``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

AGGREGATIONS: Final = ("avg", "count", "group", "max", "min", "stddev", "stdvar", "sum")
RANGE_FUNCTIONS: Final = tuple(
    f"{name}_over_time"
    for name in ("avg", "count", "last", "max", "min", "present", "stddev", "stdvar", "sum")
)
FUNCTIONS: Final = ("abs", "ceil", "exp", "floor", "ln", "log10", "log2", "round", "sqrt")

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<duration>(?:\d+(?:ms|[smhdwy]))+\b)
      | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<symbol>=~|!~|!=|[={}()\[\],])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip


class QueryError(Exception):
    """The query cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on a label."""

    label: str
    operator: str
    value: str
    pattern: re.Pattern[str] | None = None

    def matches(self, labels: dict[str, str]) -> bool:
        """Say whether `labels` fulfil the condition; an absent label is empty."""
        found = labels.get(self.label, "")
        if self.pattern is None:
            return (found == self.value) == (self.operator == "=")
        return (self.pattern.fullmatch(found) is not None) == (self.operator == "=~")


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name and labels; with `seconds` a range of samples."""

    name: str
    matchers: tuple[Matcher, ...]
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function over an instant vector, or over a range."""

    function: str
    argument: Node


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregation; without `by` everything becomes one."""

    operation: str
    argument: Node
    by: tuple[str, ...] = field(default=())


Node = Selector | Call | Aggregate


def parse(text: str) -> Node:
    """Give the tree of `text`; raises QueryError."""
    parser = _Parser(text)
    node = parser.expression()
    if parser.kind != "end":
        raise parser.unexpected()
    if isinstance(node, Selector) and node.seconds is not None:
        raise QueryError("a range of samples needs a function around it")
    return node


def duration(text: str) -> float:
    """Give the seconds of ``1h30m`` or of a plain number; raises QueryError."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(int(number) * _UNITS[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError:
        raise QueryError(f'cannot parse "{text}" to a valid duration') from None


class _Parser:
    """Reads tokens from left to right; `kind` and `value` are those of the current one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.start = 0
        self.kind = ""
        self.value = ""
        self.advance()

    def advance(self) -> str:
        """Step to the next token and give the value of the one left."""
        left = self.value
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise QueryError(f"1:{self.position + 1}: parse error: unexpected character")
        self.kind = match.lastgroup or ""
        self.value = match.group(self.kind)
        self.start = match.start(self.kind)
        self.position = match.end()
        return left

    def unexpected(self) -> QueryError:
        what = f'"{self.value}"' if self.value else "end of input"
        return QueryError(
            f"1:{self.start + 1}: parse error: unexpected {what} (the demo source knows only part "
            "of PromQL)"
        )

    def expect(self, symbol: str) -> None:
        if self.kind != "symbol" or self.value != symbol:
            raise self.unexpected()
        self.advance()

    def at(self, symbol: str) -> bool:
        return self.kind == "symbol" and self.value == symbol

    def expression(self) -> Node:
        if self.at("("):
            self.advance()
            node = self.expression()
            self.expect(")")
            return node
        if self.at("{") or self.kind != "name":
            raise self.unexpected()
        start = self.start
        name = self.advance()
        if name in AGGREGATIONS and (self.at("(") or self.value == "by"):
            return self.aggregate(name)
        if self.at("("):
            if name not in FUNCTIONS + RANGE_FUNCTIONS:
                raise QueryError(f'1:{start + 1}: parse error: unknown function with name "{name}"')
            return self.call(name)
        return self.selector(name)

    def aggregate(self, name: str) -> Aggregate:
        by = self.by()
        self.expect("(")
        argument = self.expression()
        self.expect(")")
        if by is None:
            by = self.by()
        if isinstance(argument, Selector) and argument.seconds is not None:
            raise QueryError(f'expected type instant vector in aggregation "{name}"')
        return Aggregate(name, argument, by or ())

    def by(self) -> tuple[str, ...] | None:
        if self.kind != "name" or self.value != "by":
            return None
        self.advance()
        self.expect("(")
        labels: list[str] = []
        while not self.at(")"):
            if self.kind != "name":
                raise self.unexpected()
            labels.append(self.advance())
            if not self.at(")"):
                self.expect(",")
        self.advance()
        return tuple(labels)

    def call(self, name: str) -> Call:
        self.expect("(")
        argument = self.expression()
        self.expect(")")
        ranged = isinstance(argument, Selector) and argument.seconds is not None
        if ranged != (name in RANGE_FUNCTIONS):
            wanted, got = "instant vector", "range vector"
            if not ranged:
                wanted, got = got, wanted
            raise QueryError(f'expected type {wanted} in call to function "{name}", got {got}')
        return Call(name, argument)

    def selector(self, name: str) -> Selector:
        matchers: list[Matcher] = []
        if self.at("{"):
            self.advance()
            while not self.at("}"):
                matchers.append(self.matcher())
                if not self.at("}"):
                    self.expect(",")
            self.advance()
        if not self.at("["):
            return Selector(name, tuple(matchers))
        self.advance()
        if self.kind != "duration":
            raise self.unexpected()
        seconds = duration(self.advance())
        self.expect("]")
        return Selector(name, tuple(matchers), seconds)

    def matcher(self) -> Matcher:
        if self.kind != "name":
            raise self.unexpected()
        label = self.advance()
        if self.value not in {"=", "!=", "=~", "!~"}:
            raise self.unexpected()
        operator = self.advance()
        if self.kind != "string":
            raise self.unexpected()
        value = _unquote(self.advance())
        if operator in {"=", "!="}:
            return Matcher(label, operator, value)
        try:
            return Matcher(label, operator, value, re.compile(value))
        except re.error as error:
            raise QueryError(f'invalid regular expression "{value}": {error}') from error


def _unquote(text: str) -> str:
    """Give what a quoted string stands for."""

    def plain(match: re.Match[str]) -> str:
        escape = match.group(1)
        if escape[0] in "xuU":
            return chr(int(escape[1:], 16))
        if escape[0] in "\\\"'":
            return escape
        if escape not in _ESCAPES:
            raise QueryError(f"unknown escape sequence \\{escape} in {text}")
        return _ESCAPES[escape]

    escapes = r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)"
    return re.sub(escapes, plain, text[1:-1], flags=re.DOTALL)
