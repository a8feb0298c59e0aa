# SPDX-License-Identifier: Apache-2.0
"""Rules in the form that recorded vectors have: flat lists of rules that name one another by ids.

They may be such as the API refuses: two with one key, deleted ones. The README in
``cloudkitty/tests/data/vectors`` describes the format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cloudkitty.rating.common import values as shared
from cloudkitty.rating.document import model
from cloudkitty.rating.document.nodes import Node
from cloudkitty.rating.document.reader import Members, Reader
from cloudkitty.rating.hashmap.store import values

#: The parts of a case that are rules.
SECTIONS: Final = frozenset({"rules", "scripts"})

_RULES: Final = ("services", "fields", "groups", "mappings", "thresholds")


def document(reader: Reader, case: Members, source: str) -> model.Document | None:
    """Give the rules of a case, None when it has none."""
    sections = set()
    rules = reader.members(case["rules"], case.at("rules"), _RULES)
    hashmap = _Rules(reader)
    if rules is not None:
        sections.add(model.HASHMAP)
        hashmap.read(rules)
    if "scripts" in case:
        sections.add(model.PYSCRIPTS)
    if not sections:
        return None
    return model.Document(
        source=source,
        sections=frozenset(sections),
        groups=tuple(hashmap.groups.values()),
        services=tuple(hashmap.services.values()),
        fields=tuple(hashmap.fields.values()),
        mappings=tuple(hashmap.mappings),
        thresholds=tuple(hashmap.thresholds),
        scripts=tuple(_scripts(reader, case["scripts"], case.at("scripts"))),
    )


class _Rules:
    """The rules of a case: they name one another by ids."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.services: dict[str, str] = {}
        self.fields: dict[str, tuple[str, str]] = {}
        self.groups: dict[str, str] = {}
        self.mappings: list[model.Mapping] = []
        self.thresholds: list[model.Threshold] = []

    def read(self, rules: Members) -> None:
        for one, id_, name in self._named(rules, "services", ()):
            self.services[id_] = name
            del one
        for one, id_, name in self._named(rules, "fields", ("service",)):
            service = self._known(one, "service", self.services)
            if service is not None:
                self.fields[id_] = (service, name)
        for _, id_, name in self._named(rules, "groups", ()):
            self.groups[id_] = name
        known = ("id", "service", "field", "group", "tenant_id", "type", "cost")
        path = rules.at("mappings")
        more = ("value", "start", "end", "deleted")
        for one in self._reader.rules(rules["mappings"], path, (*known, *more)):
            common = self._common(one)
            value = one.text("value", values.VALUE_LIMIT)
            start, end, deleted = (one.date(name) for name in more[1:])
            if common is not None and deleted is None:
                self.mappings.append(model.Mapping(value=value, start=start, end=end, **common))
        path = rules.at("thresholds")
        for one in self._reader.rules(rules["thresholds"], path, (*known, "level")):
            level = one.decimal("level", values.LEVEL_SCALE)
            common = self._common(one)
            if common is not None and level is not None:
                self.thresholds.append(model.Threshold(level=level, **common))

    def _named(
        self, rules: Members, what: str, more: tuple[str, ...]
    ) -> Iterator[tuple[Members, str, str]]:
        for one in self._reader.rules(rules[what], rules.at(what), ("id", "name", *more)):
            id_, name = one.name("id"), one.name("name")
            if id_ is not None and name is not None:
                yield one, id_, name

    def _known(self, one: Members, what: str, known: Mapping[str, Any]) -> Any:
        """Give what an id names; None when it names nothing."""
        id_ = self._reader.scalar(one[what], one.at(what))
        if id_ is None:
            return None
        if id_ not in known:
            one.problem(what, f"there is no {what} {id_!r}")
        return known.get(id_)

    def _common(self, one: Members) -> dict[str, Any] | None:
        kind, cost = one.word("type", "flat"), one.decimal("cost", values.COST_SCALE)
        parents = [name for name in ("service", "field") if one[name] is not None]
        parents = [name for name in parents if one[name].value is not None]  # type: ignore[union-attr]
        if len(parents) != 1:
            only = "You can only specify one parent." if parents else "You must specify one parent."
            one.problem(None, only)
        service = self._known(one, "service", self.services)
        owner = self._known(one, "field", self.fields) or (service, None)
        group = self._known(one, "group", self.groups)
        tenant = one.text("tenant_id", values.TENANT_LIMIT)
        if kind is None or cost is None or owner[0] is None:
            return None
        return {
            "service": owner[0],
            "field": owner[1],
            "type": kind,
            "cost": cost,
            "group": group,
            "tenant": tenant,
            "line": one.node.line,
            "path": one.path,
        }


def _scripts(reader: Reader, node: Node | None, path: str) -> Iterator[model.Script]:
    known = ("id", "name", "start", "end", "deleted", "data")
    for one in reader.rules(node, path, known):
        name = one.name("name", shared.NAME_LIMIT)
        data = reader.scalar(one["data"], one.at("data"), truth=True)
        start, end, deleted = (one.date(which) for which in ("start", "end", "deleted"))
        if data is None and not one.has_problem("data"):
            one.problem("data", "Mandatory field missing.")
        if name is not None and data is not None and deleted is None:
            yield model.Script(
                name=name, data=data, start=start, end=end, line=one.node.line, path=one.path
            )
