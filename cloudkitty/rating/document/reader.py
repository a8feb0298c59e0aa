# SPDX-License-Identifier: Apache-2.0
"""Reads parts of documents: every value is checked as the API checks it, all errors are kept.

A :class:`Reader` collects what is wrong instead of stopping; its methods give None where they
could not read something.
"""

from __future__ import annotations

import datetime as dt
import decimal
import difflib
import re
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from typing import Any, Final, TypeVar

from cloudkitty.rating import dates
from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.errors import InvalidError, bad_attribute
from cloudkitty.rating.document.nodes import Node
from cloudkitty.rating.document.problems import Problem
from cloudkitty.rating.hashmap.store import values

T = TypeVar("T")

#: Values, those that aliases repeat too, beyond which nobody has written a price list.
MAX_VALUES: Final = 1_000_000
#: Errors after which the rest is not looked at.
MAX_PROBLEMS: Final = 1000

_SIMPLE: Final = re.compile(r"[\w-]+")
# What YAML takes for a truth value: as a label's value or a name it is anybody's guess.
_TRUTH: Final = re.compile("true|false|yes|no|on|off", re.IGNORECASE)
_NO_NUMBER: Final = "Value should be a number, or a text that is one"
_NO_DATE: Final = "Value should be an ISO 8601 date"


class TooMuchError(Exception):
    """There is no use in reading on; the last problem says why."""


def below(path: str, key: str | int) -> str:
    """Give the path of a member: ``a.b``, ``a['b c']`` or ``a[0]``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not _SIMPLE.fullmatch(key):
        return f"{path}[{key!r}]"
    return f"{path}.{key}" if path else key


class Members:
    """A mapping of the document, with its path; members are taken by name."""

    def __init__(self, reader: Reader, node: Node, path: str, members: dict[str, Node]) -> None:
        self._reader = reader
        self._members = members
        self.node = node
        self.path = path

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __getitem__(self, name: str) -> Node | None:
        return self._members.get(name)

    def at(self, name: str) -> str:
        """Give the path of a member."""
        return below(self.path, name)

    def items(self) -> Iterator[tuple[str, Node, str]]:
        """Yield name, node and path of each member."""
        for name, node in self._members.items():
            yield name, node, below(self.path, name)

    def text(self, name: str, limit: int) -> str | None:
        """Give an optional text."""
        found = self._reader.scalar(self[name], self.at(name))
        return self._reader.checked(self, name, lambda: shared.text(name, found, limit))

    def name(self, name: str, limit: int = shared.NAME_LIMIT) -> str | None:
        """Give a text that has to be there."""
        found = self._reader.scalar(self[name], self.at(name))
        return self._reader.checked(self, name, lambda: shared.mandatory_name(name, found, limit))

    def word(self, name: str, default: str) -> str | None:
        """Give the type of a rule."""
        found = self._reader.scalar(self[name], self.at(name))
        given = default if found is None else found
        return self._reader.checked(self, name, lambda: values.rule_type(given))

    def decimal(self, name: str, scale: int) -> Decimal | None:
        """Give a number that has to be there, as a column of `scale` decimals keeps it."""
        text = self._reader.scalar(self[name], self.at(name), truth=True)

        def read() -> Decimal:
            try:
                number = None if text is None else Decimal(text)
            except decimal.InvalidOperation:
                raise bad_attribute(name, _shown(text), _NO_NUMBER) from None
            return values.exact(name, number, scale)

        return self._reader.checked(self, name, read)

    def date(self, name: str, *, end_of_day: bool = False) -> dt.datetime | None:
        """Give an optional date, as the API reads it."""
        text = self._reader.scalar(self[name], self.at(name), truth=True)

        def read() -> dt.datetime | None:
            try:
                return None if text is None else dates.parse(text, end_of_day=end_of_day)
            except (ValueError, OverflowError):
                raise bad_attribute(name, _shown(text), _NO_DATE) from None

        return self._reader.checked(self, name, read)

    def flag(self, name: str) -> bool | None:
        """Give an optional truth value."""
        text = self._reader.scalar(self[name], self.at(name), truth=True)
        if text is None:
            return None
        if text not in {"true", "True", "false", "False"}:
            self.problem(name, f"expected true or false, not {_shown(text)!r}")
            return None
        return text.lower() == "true"

    def whole(self, name: str, highest: int) -> int | None:
        """Give an optional whole number from 1 to `highest`."""
        text = self._reader.scalar(self[name], self.at(name), truth=True)
        if text is None:
            return None
        number = int(text) if re.fullmatch(r"\d{1,20}", text, re.ASCII) else 0
        if not 1 <= number <= highest:
            self.problem(name, f"expected a whole number from 1 to {highest}, not {_shown(text)!r}")
            return None
        return number

    def has_problem(self, name: str) -> bool:
        """Whether something is wrong with a member already."""
        return self.at(name) in self._reader.paths

    def problem(self, name: str | None, reason: str) -> None:
        """Note what is wrong with a member, or with the mapping itself."""
        node = self._members.get(name or "")
        line = self.node.line if node is None else self.node.keys.get(name or "", node.line)
        self._reader.problem(line, self.path if name is None else self.at(name), reason)


class Reader:
    """Collects the `problems` of one document."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        #: Where they are.
        self.paths: set[str] = set()
        self._read = 0

    def problem(self, line: int | None, path: str, reason: str) -> None:
        """Note what is wrong."""
        self.problems.append(Problem(line, path, reason))
        self.paths.add(path)
        if len(self.problems) == MAX_PROBLEMS:
            self.problems.append(Problem(line, "", "too many errors, the rest was not read"))
            raise TooMuchError

    def members(
        self,
        node: Node | None,
        path: str,
        known: Collection[str] | None = None,
    ) -> Members | None:
        """Give a mapping; None where there is nothing or something else.

        Keys that are not `known` are problems; without `known` all are fine.
        """
        if node is None or node.value is None:
            return None
        self._count(node)
        if not isinstance(node.value, dict):
            self.problem(node.line, path, f"expected a mapping, not {_kind(node)}")
            return None
        if known is not None:
            for key in (key for key in node.value if key not in known):
                close = difflib.get_close_matches(key, known, 1)
                hint = f", did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
                line = node.keys.get(key, node.line)
                self.problem(line, below(path, key), f"unknown key{hint}")
        return Members(self, node, path, node.value)

    def items(self, node: Node | None, path: str) -> Iterator[tuple[Node, str]]:
        """Yield the items of a list with their paths."""
        if node is None or node.value is None:
            return
        self._count(node)
        if not isinstance(node.value, list):
            self.problem(node.line, path, f"expected a list, not {_kind(node)}")
            return
        for index, item in enumerate(node.value):
            yield item, below(path, index)

    def rules(
        self,
        node: Node | None,
        path: str,
        known: Collection[str],
    ) -> Iterator[Members]:
        """Yield the items of a list of mappings."""
        for item, where in self.items(node, path):
            found = self.members(item, where, known)
            if found is not None:
                yield found
            elif item.value is None:
                self.problem(item.line, where, "expected a mapping, not nothing")

    def scalar(self, node: Node | None, path: str, *, truth: bool = False) -> str | None:
        """Give a text as it was written; None for what is not there, null, or no text.

        Without `truth` an unquoted truth value is a problem: labels say ``True``, YAML ``yes``.
        """
        if node is None or node.value is None:
            return None
        self._count(node)
        if not isinstance(node.value, str):
            self.problem(node.line, path, f"expected a text, not {_kind(node)}")
            return None
        if node.plain and not truth and _TRUTH.fullmatch(node.value):
            self.problem(
                node.line,
                path,
                f"{node.value} is a truth value here: put it in quotes (a label that is true has "
                "the text 'True')",
            )
            return None
        return node.value

    def checked(self, members: Members, name: str, check: Callable[[], T]) -> T | None:
        """Run a check of the API; None when it refuses, or the value is a problem already."""
        if members.has_problem(name):
            return None
        try:
            return check()
        except InvalidError as exc:
            members.problem(name, str(exc))
            return None

    def _count(self, node: Node) -> None:
        self._read += 1
        if self._read > MAX_VALUES:
            self.problems.append(Problem(node.line, "", f"more than {MAX_VALUES} values"))
            raise TooMuchError


def _kind(node: Node) -> str:
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return "a list"
    return f"{_shown(node.value)!r}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
