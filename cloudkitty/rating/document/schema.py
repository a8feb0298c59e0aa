# SPDX-License-Identifier: Apache-2.0
"""From a tree to a :class:`~cloudkitty.rating.document.model.Document`, with every error in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cloudkitty.db.module_info import MAX_PRIORITY
from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.errors import InvalidError
from cloudkitty.rating.document import model
from cloudkitty.rating.document.collisions import collisions
from cloudkitty.rating.document.nodes import Node
from cloudkitty.rating.document.problems import DocumentError
from cloudkitty.rating.document.reader import Members, Reader, TooMuchError
from cloudkitty.rating.hashmap.store import values
from cloudkitty.rating.pyscripts.store import source

SECTIONS: Final = (model.HASHMAP, model.PYSCRIPTS, model.MODULES)

_WINDOW: Final = ("start", "end")
_RULE: Final = ("type", "cost", "group", "tenant")
_MAPPING: Final = ("value", *_RULE, *_WINDOW, "name", "description")
_THRESHOLD: Final = ("level", *_RULE)


def document(root: Node, name: str, *, strict: bool = True) -> model.Document:
    """Give the document that `root` is the tree of; `name` stands for it in messages.

    `strict` refuses rules that are in each other's way (contract rating.md 4.7). Raises
    DocumentError with everything that is wrong.
    """
    reader = Reader()
    try:
        found = _document(reader, root, name)
    except TooMuchError:
        raise DocumentError(name, reader.problems) from None
    if strict and not reader.problems:
        reader.problems += collisions(found)
    if reader.problems:
        raise DocumentError(name, reader.problems)
    return found


def _document(reader: Reader, root: Node, name: str) -> model.Document:
    top = reader.members(root, "", SECTIONS)
    if top is None:
        return model.Document(source=name)
    hashmap = reader.members(top[model.HASHMAP], model.HASHMAP, ("groups", "services"))
    rules = _Hashmap(reader)
    if hashmap is not None:
        rules.read(hashmap)
    return model.Document(
        source=name,
        sections=frozenset(section for section in SECTIONS if section in top),
        groups=tuple(rules.groups),
        services=tuple(rules.services),
        fields=tuple(rules.fields),
        mappings=tuple(rules.mappings),
        thresholds=tuple(rules.thresholds),
        scripts=tuple(_scripts(reader, top[model.PYSCRIPTS])),
        modules=_modules(reader, top[model.MODULES]),
    )


class _Hashmap:
    """The part ``hashmap``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._declared = False
        # As a dict: in order, each once.
        self.groups: dict[str, None] = {}
        self.services: list[str] = []
        self.fields: list[tuple[str, str]] = []
        self.mappings: list[model.Mapping] = []
        self.thresholds: list[model.Threshold] = []

    def read(self, hashmap: Members) -> None:
        self._declared = "groups" in hashmap
        path = hashmap.at("groups")
        for item, where in self._reader.items(hashmap["groups"], path):
            name = self._name(self._reader.scalar(item, where), item.line, where)
            if name in self.groups:
                self._reader.problem(item.line, where, f"the group {name!r} is given twice")
            elif name is not None:
                self.groups[name] = None
        services = self._reader.members(hashmap["services"], hashmap.at("services"))
        for name, node, where in services.items() if services else ():
            line = services.node.keys.get(name) if services else None
            if self._name(name, line, where) is None:
                continue
            self.services.append(name)
            parts = self._reader.members(node, where, ("mappings", "thresholds", "fields"))
            if parts is not None:
                self._rules(parts, name, None)
                self._fields(parts, name)

    def _fields(self, service: Members, name: str) -> None:
        fields = self._reader.members(service["fields"], service.at("fields"))
        for field, node, where in fields.items() if fields else ():
            line = fields.node.keys.get(field) if fields else None
            if self._name(field, line, where) is None:
                continue
            self.fields.append((name, field))
            parts = self._reader.members(node, where, ("mappings", "thresholds"))
            if parts is not None:
                self._rules(parts, name, field)

    def _rules(self, parts: Members, service: str, field: str | None) -> None:
        for rule in self._reader.rules(parts["mappings"], parts.at("mappings"), _MAPPING):
            self._mapping(rule, service, field)
        for rule in self._reader.rules(parts["thresholds"], parts.at("thresholds"), _THRESHOLD):
            level = rule.decimal("level", values.LEVEL_SCALE)
            common = self._common(rule, service, field)
            if level is not None and common is not None:
                self.thresholds.append(model.Threshold(level=level, **common))

    def _mapping(self, rule: Members, service: str, field: str | None) -> None:
        # For a service an empty value is none.
        value = rule.text("value", values.VALUE_LIMIT) or None
        if field is None and value is not None:
            rule.problem("value", "You can't specify a value and a service_id.")
        elif field is not None and value is None and not rule.has_problem("value"):
            rule.problem("value", "You must specify a value for a field mapping.")
        common = self._common(rule, service, field)
        name = rule.text("name", values.MAPPING_NAME_LIMIT)
        description = rule.text("description", shared.DESCRIPTION_LIMIT)
        start, end = _window(rule)
        if common is not None:
            self.mappings.append(
                model.Mapping(
                    value=value,
                    start=start,
                    end=end,
                    # The API makes a name for an empty one as well.
                    name=name or None,
                    description=_said(rule, "description", description),
                    **common,
                )
            )

    def _common(self, rule: Members, service: str, field: str | None) -> dict[str, Any] | None:
        """Give what mappings and thresholds have in common; None when there is no cost."""
        kind = rule.word("type", "flat")
        cost = rule.decimal("cost", values.COST_SCALE)
        tenant = rule.text("tenant", values.TENANT_LIMIT)
        group = rule.text("group", shared.NAME_LIMIT)
        if group is not None and not self._declared:
            self.groups.setdefault(group)
        if group == "":
            rule.problem("group", "a group has a name; leave it out for no group")
        elif group is not None and group not in self.groups:
            rule.problem("group", f"no such group: {group!r} is not in hashmap.groups")
        if kind is None or cost is None:
            return None
        return {
            "service": service,
            "field": field,
            "type": kind,
            "cost": cost,
            "group": group,
            "tenant": tenant,
            "line": rule.node.line,
            "path": rule.path,
        }

    def _name(self, name: str | None, line: int | None, path: str) -> str | None:
        try:
            return shared.mandatory_name("name", name, shared.NAME_LIMIT)
        except InvalidError as exc:
            self._reader.problem(line, path, str(exc))
            return None


def _scripts(reader: Reader, node: Node | None) -> Iterator[model.Script]:
    known = ("name", "data", *_WINDOW, "description")
    for script in reader.rules(node, model.PYSCRIPTS, known):
        name = script.name("name")
        data = reader.scalar(script["data"], script.at("data"), truth=True)
        if data is None and not script.has_problem("data"):
            script.problem(
                "data",
                "Invalid input for field/attribute data. Value: 'None'. Mandatory field missing.",
            )
        elif data is not None:
            reader.checked(script, "data", partial(source.encode, data))
        description = script.text("description", shared.DESCRIPTION_LIMIT)
        start, end = _window(script)
        if name is not None and data is not None:
            yield model.Script(
                name=name,
                data=data,
                start=start,
                end=end,
                description=_said(script, "description", description),
                line=script.node.line,
                path=script.path,
            )


def _modules(reader: Reader, node: Node | None) -> dict[str, model.Module]:
    found = {}
    modules = reader.members(node, model.MODULES)
    for name, state, where in modules.items() if modules else ():
        parts = reader.members(state, where, ("enabled", "priority"))
        if parts is not None:
            found[name] = model.Module(
                enabled=parts.flag("enabled"),
                priority=parts.whole("priority", MAX_PRIORITY),
                line=parts.node.line,
                path=where,
            )
    return found


def _window(rule: Members) -> tuple[Any, Any]:
    start = rule.date("start")
    end = rule.date("end", end_of_day=True)
    if start is not None:
        try:
            shared.check_window(start, end)
        except InvalidError as exc:
            rule.problem("end", str(exc))
    return start, end


def _said(rule: Members, name: str, value: str | None) -> str | None:
    """Give a text, empty where it is said that there is none, None where nothing is said."""
    return "" if value is None and name in rule else value
