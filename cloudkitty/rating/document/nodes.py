# SPDX-License-Identifier: Apache-2.0
"""Documents as trees whose nodes know their lines.

Scalars stay the text that was written: what a cost or a value is, the schema knows better than
YAML does, to which ``0.10`` is a binary float and ``no`` is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from cloudkitty.rating.document.problems import Problem

#: Lists and mappings inside each other.
MAX_DEPTH: Final = 50


@dataclass(slots=True)
class Node:
    """A text, None, a list or a mapping; `plain` says that a text had no quotes.

    `keys` are the lines of a mapping's keys.
    """

    line: int | None
    value: str | list[Node] | dict[str, Node] | None
    plain: bool = False
    keys: dict[str, int | None] = field(default_factory=dict)


def given_twice(key: str, line: int | None) -> Problem:
    """Say that a mapping has a key twice: the first would be lost."""
    return Problem(line, "", f"the key {key!r} is given twice")


def of_object(value: Any) -> Node:
    """Give the tree of what a JSON or YAML library has made; numbers as their texts, no lines.

    Raises TypeError for what is neither in JSON nor a Decimal.
    """
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("keys must be texts")
        return Node(None, {key: of_object(one) for key, one in value.items()})
    if isinstance(value, list | tuple):
        return Node(None, [of_object(one) for one in value])
    if isinstance(value, str):
        return Node(None, value)
    if value is None:
        return Node(None, None, plain=True)
    if isinstance(value, bool):
        return Node(None, str(value).lower(), plain=True)
    if isinstance(value, int | float | Decimal):
        return Node(None, str(value), plain=True)
    raise TypeError(f"{type(value).__name__} cannot be part of a document")
