# SPDX-License-Identifier: Apache-2.0
"""The rules that are in use somewhere, as a document and with their ids.

Made of records by the names of the API, whether a database or an API gave them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, TypeVar

from cloudkitty.rating.document import model

Record = Mapping[str, Any]
Rule = TypeVar("Rule", model.Mapping, model.Threshold, model.Script)


@dataclass(frozen=True, slots=True)
class Stored(Generic[Rule]):
    """A rule with its id; a mapping's or script's name, start and description are all said."""

    id: str
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """All that is not deleted, in order of creation."""

    groups: Mapping[str, str]
    services: Mapping[str, str]
    fields: Mapping[tuple[str, str], str]
    mappings: tuple[Stored[model.Mapping], ...]
    thresholds: tuple[Stored[model.Threshold], ...]
    scripts: tuple[Stored[model.Script], ...]
    modules: Mapping[str, model.Module]
    #: Parents (service, field or None) and groups of mappings that are deleted: their history.
    past_parents: frozenset[tuple[str, str | None]] = field(default=frozenset())
    past_groups: frozenset[str] = field(default=frozenset())

    def document(self) -> model.Document:
        """Give them as a document that has everything in it."""
        return model.Document(
            sections=frozenset({model.HASHMAP, model.PYSCRIPTS, model.MODULES}),
            groups=tuple(self.groups),
            services=tuple(self.services),
            fields=tuple(self.fields),
            mappings=tuple(stored.rule for stored in self.mappings),
            thresholds=tuple(stored.rule for stored in self.thresholds),
            scripts=tuple(stored.rule for stored in self.scripts),
            modules=self.modules,
        )


def assemble(
    *,
    services: Iterable[Record],
    fields: Iterable[Record],
    groups: Iterable[Record],
    mappings: Iterable[Record],
    thresholds: Iterable[Record],
    scripts: Iterable[Record],
    modules: Iterable[Record],
) -> Live:
    """Put records together that show what the API shows; `mappings` has deleted ones too.

    Costs and levels are decimals, dates are host-local and naive. Rules whose parent is gone and
    thresholds without a level are left out, as they are in rating. Raises ValueError for a rule
    without a cost.
    """
    by_id = {record["service_id"]: record["name"] for record in services}
    parents: dict[str, tuple[str, str | None]] = {id_: (name, None) for id_, name in by_id.items()}
    found_fields = {}
    for record in fields:
        if record["service_id"] in by_id:
            owner = (by_id[record["service_id"]], record["name"])
            parents[record["field_id"]] = owner
            found_fields[owner] = record["field_id"]
    group_names = {record["group_id"]: record["name"] for record in groups}
    living = []
    past_parents, past_groups = set(), set()
    for record in mappings:
        parent = parents.get(record["service_id"] or record["field_id"])
        if parent is None:
            continue
        common = _common(record, parent, group_names, f"mapping {record['mapping_id']}")
        if record["deleted"] is not None:
            past_parents.add(parent)
            past_groups.add(common["group"])
            continue
        rule = model.Mapping(
            value=record["value"] or None,
            start=record["start"],
            end=record["end"],
            name=record["name"],
            description=record["description"] or "",
            **common,
        )
        living.append(Stored(record["mapping_id"], rule))
    levels = []
    for record in thresholds:
        parent = parents.get(record["service_id"] or record["field_id"])
        level: Decimal | None = record["level"]
        if parent is not None and level is not None and level.is_finite():
            common = _common(record, parent, group_names, f"threshold {record['threshold_id']}")
            levels.append(Stored(record["threshold_id"], model.Threshold(level=level, **common)))
    return Live(
        groups={name: id_ for id_, name in group_names.items()},
        services={name: id_ for id_, name in by_id.items()},
        fields=found_fields,
        mappings=tuple(living),
        thresholds=tuple(levels),
        scripts=tuple(Stored(record["script_id"], _script(record)) for record in scripts),
        modules={
            record["module_id"]: model.Module(
                enabled=record["enabled"], priority=record["priority"]
            )
            for record in modules
        },
        past_parents=frozenset(past_parents),
        past_groups=frozenset(past_groups - {None}),
    )


def _common(
    record: Record,
    parent: tuple[str, str | None],
    groups: Mapping[str, str],
    what: str,
) -> dict[str, Any]:
    if record["cost"] is None:
        raise ValueError(f"hashmap {what} has no cost; give it one, or delete it")
    return {
        "service": parent[0],
        "field": parent[1],
        "type": record["type"],
        "cost": record["cost"],
        "group": groups.get(record["group_id"]),
        "tenant": record["tenant_id"],
    }


def _script(record: Record) -> model.Script:
    start: dt.datetime = record["start"]
    return model.Script(
        name=record["name"],
        data=record["data"],
        start=start,
        end=record["end"],
        description=record["description"] or "",
    )
