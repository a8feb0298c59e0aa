# SPDX-License-Identifier: Apache-2.0
"""``joins`` of a metric definition: reading and validating.

The contract has no joins: what is here is ours (decisions/005-label-joins).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import voluptuous as vol

from cloudkitty import timeutils
from cloudkitty.prometheus import promql

#: Source -> the key that names what is looked up there.
SOURCES: Final = {
    "prometheus": "metric",
    "aetos": "metric",
    "keystone": "entity",
    "gnocchi": "resource_type",
}
#: Sources that keep a history, so that they can say whose usage it was.
_TIMED: Final = frozenset({"prometheus", "aetos"})
#: What Keystone says about an entity.
ENTITIES: Final = {
    "project": frozenset(
        ["id", "name", "description", "domain_id", "domain_name", "enabled", "parent_id"]
    ),
    "domain": frozenset(["id", "name", "description", "enabled"]),
    "user": frozenset(["id", "name", "description", "domain_id", "email", "enabled"]),
}

_TEXT: Final = vol.All(str, vol.Length(min=1))


def _names(value: Any) -> dict[str, str]:
    """Give a mapping own label -> their label; a list stands for equal names."""
    if isinstance(value, list):
        names: list[str] = vol.Schema([_TEXT])(value)
        return dict(zip(names, names, strict=True))
    if isinstance(value, Mapping):
        found: dict[str, str] = vol.Schema({_TEXT: _TEXT})(dict(value))
        return found
    raise vol.Invalid("expected a list or a dictionary of labels")


#: One element of ``joins``.
SCHEMA: Final = vol.Schema(
    {
        vol.Required("source"): vol.In(sorted(SOURCES)),
        vol.Optional("metric"): _TEXT,
        vol.Optional("entity"): vol.In(sorted(ENTITIES)),
        vol.Optional("resource_type"): _TEXT,
        vol.Required("on"): vol.All(_names, vol.Length(min=1)),
        vol.Required("groupby", default=dict): _names,
        vol.Required("metadata", default=dict): _names,
        vol.Required("missing", default=""): str,
    },
)


@dataclass(frozen=True, slots=True)
class Join:
    """One join; mappings go from our label to theirs."""

    source: str
    subject: str
    on: Mapping[str, str]
    groupby: Mapping[str, str]
    metadata: Mapping[str, str]
    missing: str

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Build the join of one validated element."""
        return cls(
            given["source"],
            given[SOURCES[given["source"]]],
            given["on"],
            given["groupby"],
            given["metadata"],
            given["missing"],
        )

    @property
    def theirs(self) -> tuple[str, ...]:
        """Every label of the source that is used, sorted."""
        used = (*self.on.values(), *self.groupby.values(), *self.metadata.values())
        return tuple(sorted(set(used)))

    def __str__(self) -> str:
        return f"join with {self.source} '{self.subject}'"


def joins_of(definition: Mapping[str, Any]) -> list[Join]:
    """Give the joins of a validated definition, in the order in which they are made."""
    return [Join.of(given) for given in definition.get("joins", ())]


def scope_label(definition: Mapping[str, Any], scope_key: str) -> str:
    """Give the label by which the source of the usage tells the scopes of a metric apart.

    It is the scope key, unless a join gives the scope: then it is the first label of its ``on``.
    """
    for given in definition.get("joins", ()):
        if scope_key in given["groupby"]:
            own: str = next(iter(given["on"]))
            return own
    return scope_key


def metadata_names(definition: Mapping[str, Any]) -> list[str]:
    """Give every name in the metadata of a metric's points, those of joins at the end."""
    joined = (name for given in definition.get("joins", ()) for name in given["metadata"])
    return list(dict.fromkeys([*definition["metadata"], *joined]))


def complete(definition: dict[str, Any], scope_key: str) -> Iterator[str]:
    """Complete a definition that has joins; yield what is wrong with them.

    Labels that joins need, and that neither the definition lists nor an earlier join gives, are
    appended to ``groupby``. The scope key is there already, unless a join gives it.
    """
    groupby: list[str] = definition["groupby"]
    metadata: list[str] = definition["metadata"]
    given_by_joins: set[str] = set()
    for index, join in enumerate(definition["joins"]):
        at = f"data['joins'][{index}]"
        if scope_key in join["groupby"] and index:
            yield f"the join that gives the scope must be the first one @ {at}"
        for name in join["on"]:
            if name in join["groupby"] or name in join["metadata"]:
                yield f"{name!r} is looked up and given at once @ {at}['on']"
            elif name not in (*groupby, *metadata, *given_by_joins):
                groupby.append(name)
        yield from _subject(join, at)
        yield from _given(join, at, scope_key, {*groupby, *metadata, *given_by_joins})
        given_by_joins |= {*join["groupby"], *join["metadata"]}


def _subject(join: dict[str, Any], at: str) -> Iterator[str]:
    """Yield what the source makes impossible."""
    source: str = join["source"]
    needed = SOURCES[source]
    if needed not in join:
        yield f"required key not provided @ {at}['{needed}']"
    for other in sorted({*SOURCES.values()} - {needed}):
        if other in join:
            yield f"extra keys not allowed for source {source} @ {at}['{other}']"
    for option in ("on", "groupby", "metadata"):
        for theirs in join[option].values():
            if source in _TIMED and not promql.is_label_name(theirs):
                yield f"not a label name of Prometheus: {theirs!r} @ {at}['{option}']"
    if source == "keystone" and "entity" in join:
        yield from _entity(join, at)


def _entity(join: dict[str, Any], at: str) -> Iterator[str]:
    if len(join["on"]) != 1:
        yield f"Keystone is asked by one id, expected one label @ {at}['on']"
    own, theirs = next(iter(join["on"].items()))
    if theirs not in {own, "id"}:
        yield f"Keystone is asked by id, not by {theirs!r} @ {at}['on']"
    join["on"] = {own: "id"}
    known = ENTITIES[join["entity"]]
    for option in ("groupby", "metadata"):
        for theirs in join[option].values():
            if theirs not in known:
                choice = ", ".join(sorted(known))
                yield f"a {join['entity']} has no {theirs!r}, but {choice} @ {at}['{option}']"


def _given(join: Mapping[str, Any], at: str, scope_key: str, taken: set[str]) -> Iterator[str]:
    """Yield what is wrong with the names that the join gives."""
    if not join["groupby"] and not join["metadata"]:
        yield f"gives no label, expected groupby or metadata @ {at}"
    if scope_key in join["metadata"]:
        yield f"{scope_key!r} is the scope: list it in groupby @ {at}['metadata']"
    if scope_key in join["groupby"] and join["source"] not in _TIMED:
        allowed = " or ".join(sorted(_TIMED))
        yield f"the scope can be taken from {allowed} only @ {at}['groupby']"
    for option in ("groupby", "metadata"):
        for name in join[option]:
            if name in timeutils.CALENDAR_NAMES:
                yield f"{name!r} is a date of every point @ {at}['{option}']"
            elif name in taken or (option == "metadata" and name in join["groupby"]):
                yield f"{name!r} is already a label of the metric @ {at}['{option}']"
