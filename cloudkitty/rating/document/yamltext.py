# SPDX-License-Identifier: Apache-2.0
"""YAML as a tree with lines; scalars stay texts. Anchors, aliases and merge keys are understood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from cloudkitty.rating.document.nodes import MAX_DEPTH, Node, given_twice
from cloudkitty.rating.document.problems import Problem

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_MERGE: Final = "<<"


class InvalidYamlError(ValueError):
    """The text is no YAML, or more than a document needs; `line` counts from 1."""

    def __init__(self, line: int | None, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def parse(text: str, problems: list[Problem]) -> Node:
    """Give the tree, an empty mapping for an empty text; twice given keys go to `problems`.

    Raises InvalidYamlError.
    """
    try:
        return _Builder(problems).build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        reason = exc.problem or exc.context or str(exc)
        raise InvalidYamlError(None if mark is None else mark.line + 1, reason) from exc
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1 if isinstance(exc.position, int) else None
        raise InvalidYamlError(line, exc.reason) from exc
    except (yaml.YAMLError, UnicodeEncodeError) as exc:
        raise InvalidYamlError(None, " ".join(str(exc).split())) from exc


@dataclass(slots=True)
class _Open:
    """A list or a mapping whose end has not come yet."""

    line: int
    anchor: str | None
    mapping: bool
    parts: list[Node] = field(default_factory=list)


class _Builder:
    """Builds the tree from events, without recursion: no nesting is too deep for it."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self._root: Node | None = None

    def build(self, events: Iterator[Any]) -> Node:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise InvalidYamlError(_line(event), "more than one document")
            elif isinstance(event, yaml.NodeEvent):
                self._node(event, _line(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._open.pop()
                node = self._mapping(done) if done.mapping else Node(done.line, done.parts)
                self._add(node, done.anchor)
        if self._root is None or (self._root.value is None and self._root.plain):
            return Node(1, {})
        return self._root

    def _node(self, event: Any, line: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            # Known from its end on: an alias inside of what it names would have no end.
            if event.anchor not in self._anchors:
                raise InvalidYamlError(line, f"found undefined alias {event.anchor!r}")
            self._add(self._anchors[event.anchor], None)
        elif isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event, line), event.anchor)
        elif len(self._open) == MAX_DEPTH:
            raise InvalidYamlError(line, f"more than {MAX_DEPTH} levels")
        else:
            mapping = isinstance(event, yaml.MappingStartEvent)
            self._open.append(_Open(line, event.anchor, mapping))

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].parts.append(node)
        else:
            self._root = node

    def _mapping(self, done: _Open) -> Node:
        members: dict[str, Node] = {}
        node = Node(done.line, members)
        merged: list[Node] = []
        for key, value in zip(done.parts[::2], done.parts[1::2], strict=True):
            if key.plain and key.value == _MERGE:
                merged += value.value if isinstance(value.value, list) else [value]
                continue
            if not isinstance(key.value, str):
                raise InvalidYamlError(key.line, "a key must be a text")
            if key.value in members:
                self._problems.append(given_twice(key.value, key.line))
            members[key.value] = value
            node.keys[key.value] = key.line
        for other in merged:
            if not isinstance(other.value, dict):
                raise InvalidYamlError(other.line, "only mappings can be merged with '<<'")
            for name, value in other.value.items():
                members.setdefault(name, value)
                node.keys.setdefault(name, other.keys.get(name))
        return node


def _scalar(event: Any, line: int) -> Node:
    plain = bool(event.implicit[0])
    return Node(line, None if plain and event.value in _NULL else event.value, plain=plain)


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1
