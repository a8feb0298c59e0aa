# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a rule document, and in which line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong: its line (from 1, None where there are none), path and reason."""

    line: int | None
    path: str
    reason: str

    def text(self, source: str) -> str:
        """Give ``source:line: path: reason``, leaving out what is not known."""
        where = source if self.line is None else f"{source}:{self.line}"
        return ": ".join(part for part in (where, self.path, self.reason) if part)


class DocumentError(ValueError):
    """A document cannot be used: `problems` has all reasons, the text has them line by line."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda found: found.line or 0))
        super().__init__("\n".join(found.text(source) for found in self.problems))
