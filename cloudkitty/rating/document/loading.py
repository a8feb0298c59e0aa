# SPDX-License-Identifier: Apache-2.0
"""Reads a rule document from a file, a text or an object."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from cloudkitty.rating.document import caserules, schema
from cloudkitty.rating.document.model import Document
from cloudkitty.rating.document.nodes import Node, of_object
from cloudkitty.rating.document.problems import DocumentError, Problem
from cloudkitty.rating.document.reader import Reader, TooMuchError
from cloudkitty.rating.document.texts import tree


def load(path: str | Path, *, strict: bool = True) -> Document:
    """Read a file of YAML or JSON.

    Raises DocumentError with everything that is wrong, OSError when there is no such file.
    """
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise DocumentError(name, [Problem(None, "", f"not UTF-8: {exc}")]) from exc
    return loads(text, name, strict=strict)


def loads(text: str, name: str = "rules", *, strict: bool = True) -> Document:
    """Read a text of YAML or JSON; raises DocumentError with everything that is wrong.

    `strict` refuses rules that are in each other's way (contract rating.md 4.7). A case, with the
    rules of a recorded vector, is read as well, and never strictly.
    """
    return _document(tree(text, name), name, strict=strict)


def of_json(value: Any, name: str = "rules", *, strict: bool = True) -> Document:
    """Read what a JSON library made of a document; raises DocumentError, without lines."""
    try:
        root = of_object(value)
    except (TypeError, RecursionError) as exc:
        raise DocumentError(name, [Problem(None, "", str(exc))]) from exc
    return _document(root, name, strict=strict)


def _document(root: Node, name: str, *, strict: bool) -> Document:
    keys = root.value.keys() if isinstance(root.value, dict) else frozenset[str]()
    if caserules.SECTIONS.isdisjoint(keys) or not keys.isdisjoint(schema.SECTIONS):
        return schema.document(root, name, strict=strict)
    reader = Reader()
    found = None
    with contextlib.suppress(TooMuchError):
        members = reader.members(root, "")
        found = None if members is None else caserules.document(reader, members, name)
    if reader.problems or found is None:
        raise DocumentError(name, reader.problems)
    return found
