# SPDX-License-Identifier: Apache-2.0
"""From a text, JSON or YAML, to its tree."""

from __future__ import annotations

from cloudkitty.rating.document import jsontext, yamltext
from cloudkitty.rating.document.nodes import Node
from cloudkitty.rating.document.problems import DocumentError, Problem


def tree(text: str, name: str) -> Node:
    """Give the tree of a text; raises DocumentError when it is neither JSON nor YAML.

    An empty text is an empty mapping.
    """
    problems: list[Problem] = []
    root = None
    if text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        try:
            root = jsontext.parse(text.removeprefix("\ufeff"), problems)
        except ValueError as exc:
            # YAML has braces and brackets too.
            if name.endswith(".json"):
                line = getattr(exc, "lineno", None)
                reason = f"not valid JSON: {getattr(exc, 'msg', exc)}"
                raise DocumentError(name, [Problem(line, "", reason)]) from exc
            problems.clear()
    if root is None:
        try:
            root = yamltext.parse(text, problems)
        except yamltext.InvalidYamlError as exc:
            problems.append(Problem(exc.line, "", f"not valid YAML: {exc}"))
    if problems or root is None:
        raise DocumentError(name, problems)
    return root
