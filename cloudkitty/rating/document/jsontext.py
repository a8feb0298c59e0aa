# SPDX-License-Identifier: Apache-2.0
"""JSON as a tree with lines; numbers stay the texts they are."""

from __future__ import annotations

import re
from bisect import bisect_right
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Final

from cloudkitty.rating.document.nodes import MAX_DEPTH, Node, given_twice
from cloudkitty.rating.document.problems import Problem

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_WORD: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null")


def parse(text: str, problems: list[Problem]) -> Node:
    """Give the tree; keys that come twice are added to `problems`.

    Raises json.JSONDecodeError for what is no JSON.
    """
    return _Parser(text, problems).whole()


class _Parser:
    def __init__(self, text: str, problems: list[Problem]) -> None:
        self._text = text
        self._problems = problems
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._depth = 0

    def whole(self) -> Node:
        node, end = self._value(self._skip(0))
        if end != len(self._text):
            raise JSONDecodeError("Extra data", self._text, end)
        return node

    def _value(self, at: int) -> tuple[Node, int]:
        """Give the value that begins at `at`, and where what follows it begins."""
        text, line = self._text, self._line(at)
        first = text[at : at + 1]
        if first == '"':
            string, end = scanstring(text, at + 1, True)  # noqa: FBT003 - of the library
            return Node(line, string), self._skip(end)
        if first and first in "{[":
            if self._depth == MAX_DEPTH:
                raise JSONDecodeError(f"More than {MAX_DEPTH} levels", text, at)
            self._depth += 1
            read = self._object if first == "{" else self._list
            found = read(line, self._skip(at + 1))
            self._depth -= 1
            return found
        word = _WORD.match(text, at)
        if word is None:
            raise JSONDecodeError("Expecting value", text, at)
        string = word[0]
        return Node(line, None if string == "null" else string, plain=True), self._skip(word.end())

    def _object(self, line: int, at: int) -> tuple[Node, int]:
        members: dict[str, Node] = {}
        node = Node(line, members)
        if self._text[at : at + 1] == "}":
            return node, self._skip(at + 1)
        while True:
            if self._text[at : at + 1] != '"':
                raise JSONDecodeError("Expecting property name in double quotes", self._text, at)
            key, end = scanstring(self._text, at + 1, True)  # noqa: FBT003
            key_line = self._line(at)
            at = self._skip(end)
            if self._text[at : at + 1] != ":":
                raise JSONDecodeError("Expecting ':' delimiter", self._text, at)
            if key in members:
                self._problems.append(given_twice(key, key_line))
            members[key], at = self._value(self._skip(at + 1))
            node.keys[key] = key_line
            at, more = self._next(at, "}")
            if not more:
                return node, at

    def _list(self, line: int, at: int) -> tuple[Node, int]:
        items: list[Node] = []
        node = Node(line, items)
        if self._text[at : at + 1] == "]":
            return node, self._skip(at + 1)
        while True:
            item, at = self._value(at)
            items.append(item)
            at, more = self._next(at, "]")
            if not more:
                return node, at

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        mark = self._text[at : at + 1]
        if mark not in {",", closing}:
            raise JSONDecodeError("Expecting ',' delimiter", self._text, at)
        return self._skip(at + 1), mark == ","

    def _skip(self, at: int) -> int:
        blank = _BLANK.match(self._text, at)
        return at if blank is None else blank.end()

    def _line(self, at: int) -> int:
        return bisect_right(self._ends, at - 1) + 1
