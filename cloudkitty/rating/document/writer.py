# SPDX-License-Identifier: Apache-2.0
"""Writes documents as YAML: a rule a line, the same text for the same rules everywhere.

Services, fields and groups are in the order of their names, rules in order of creation, which
decides which of two with one key wins and in which order prices are added.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from cloudkitty.rating.document import model
from cloudkitty.rating.hashmap.rules import trimmed

# What is the same text to everybody without quotes.
_PLAIN: Final = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Names that the API has made: whoever reads the document learns nothing from them.
_MADE_NAME: Final = re.compile(r"[0-9a-f]{32}")
# Line separators are breaks of lines to YAML, in a block as in quotes.
_UNPRINTABLE: Final = re.compile(
    r"[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def dump(document: model.Document) -> str:
    """Give the text of a document; reading it gives the same rules."""
    parts: list[str] = []
    if model.HASHMAP in document.sections:
        parts += _hashmap(document)
    if model.PYSCRIPTS in document.sections:
        parts += _scripts(document.scripts)
    if model.MODULES in document.sections:
        parts += _modules(document)
    return "".join(f"{line}\n" for line in parts) or "{}\n"


def _hashmap(document: model.Document) -> Iterator[str]:
    yield "hashmap:"
    yield f"  groups: [{', '.join(scalar(name) for name in sorted(document.groups))}]"
    yield "  services:" if document.services else "  services: {}"
    parts = _Parts(document)
    for service in sorted(document.services):
        fields = sorted(name for owner, name in document.fields if owner == service)
        lines = list(parts.of(service, None, "      "))
        if fields:
            lines.append("      fields:")
        for field in fields:
            below = list(parts.of(service, field, "          "))
            lines += [f"        {scalar(field)}:" if below else f"        {scalar(field)}: {{}}"]
            lines += below
        yield f"    {scalar(service)}:" if lines else f"    {scalar(service)}: {{}}"
        yield from lines


class _Parts:
    """Rules by parent."""

    def __init__(self, document: model.Document) -> None:
        self._mappings: dict[tuple[str, str | None], list[model.Mapping]] = {}
        self._thresholds: dict[tuple[str, str | None], list[model.Threshold]] = {}
        for mapping in document.mappings:
            self._mappings.setdefault((mapping.service, mapping.field), []).append(mapping)
        for threshold in document.thresholds:
            self._thresholds.setdefault((threshold.service, threshold.field), []).append(threshold)

    def of(self, service: str, field: str | None, indent: str) -> Iterator[str]:
        mappings = self._mappings.get((service, field), [])
        thresholds = self._thresholds.get((service, field), [])
        if mappings:
            yield f"{indent}mappings:"
        for mapping in mappings:
            yield f"{indent}- {{{', '.join(_mapping(mapping))}}}"
        if thresholds:
            yield f"{indent}thresholds:"
        for threshold in thresholds:
            yield f"{indent}- {{{', '.join(_threshold(threshold))}}}"


def _mapping(rule: model.Mapping) -> Iterator[str]:
    if rule.value is not None:
        yield f"value: {scalar(rule.value)}"
    yield from _common(rule)
    yield from _window(rule.start, rule.end)
    if rule.name is not None and not _MADE_NAME.fullmatch(rule.name):
        yield f"name: {scalar(rule.name)}"
    if rule.description:
        yield f"description: {scalar(rule.description)}"


def _threshold(rule: model.Threshold) -> Iterator[str]:
    yield f'level: "{_number(rule.level)}"'
    yield from _common(rule)


def _common(rule: model.Mapping | model.Threshold) -> Iterator[str]:
    yield f"type: {rule.type}"
    yield f'cost: "{_number(rule.cost)}"'
    if rule.group is not None:
        yield f"group: {scalar(rule.group)}"
    if rule.tenant is not None:
        yield f"tenant: {scalar(rule.tenant)}"


def _window(start: dt.datetime | None, end: dt.datetime | None) -> Iterator[str]:
    if start is not None:
        yield f'start: "{start.isoformat()}"'
    if end is not None:
        yield f'end: "{end.isoformat()}"'


def _scripts(scripts: Iterable[model.Script]) -> Iterator[str]:
    found = list(scripts)
    yield "pyscripts:" if found else "pyscripts: []"
    for script in found:
        yield f"- name: {scalar(script.name)}"
        for line in _window(script.start, script.end):
            yield f"  {line}"
        if script.description:
            yield f"  description: {scalar(script.description)}"
        yield f"  data: {_block(script.data)}"


def _block(text: str) -> str:
    """Give a source as a block of lines, or in quotes where a block would not keep it."""
    lines = text.split("\n")
    if not text.strip() or _UNPRINTABLE.search(text) or _first_is_odd(lines):
        return scalar(text)
    # One line break at the end is kept as it is, none or several have to be said.
    end = len(text) - len(text.rstrip("\n"))
    mark = {0: "|-", 1: "|"}.get(end, "|+")
    body = lines[:-1] if end else lines
    return "\n".join([mark, *(f"    {line}" if line else "" for line in body)])


def _first_is_odd(lines: list[str]) -> bool:
    """Whether the indentation of a block could not be told from its first line."""
    first = next(line for line in lines if line)
    return first[:1] in {" ", "\t"} or not lines[0]


def _modules(document: model.Document) -> Iterator[str]:
    yield "modules:" if document.modules else "modules: {}"
    for name in sorted(document.modules):
        state = document.modules[name]
        said = []
        if state.enabled is not None:
            said.append(f"enabled: {str(state.enabled).lower()}")
        if state.priority is not None:
            said.append(f"priority: {state.priority}")
        yield f"  {scalar(name)}: {{{', '.join(said)}}}"


def _number(value: Decimal) -> str:
    return format(trimmed(value), "f")


def scalar(text: str) -> str:
    """Give a text as YAML, in quotes where it could be taken for something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable() and not _UNPRINTABLE.search(char):
        return char
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
