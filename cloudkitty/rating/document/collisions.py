# SPDX-License-Identifier: Apache-2.0
"""Rules of a document that are in each other's way (contract rating.md 4.7).

The API refuses the second of two such rules when it is made; the older one has its words here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cloudkitty.rating.document import model
from cloudkitty.rating.document.problems import Problem
from cloudkitty.rating.hashmap.store.mapping_conflicts import overlap


def collisions(document: model.Document) -> Iterator[Problem]:
    """Yield a problem for each rule that the API would refuse after those before it."""
    yield from _names(document.mappings, "Mapping")
    yield from _mappings(document.mappings)
    yield from _thresholds(document.thresholds)
    yield from _names(document.scripts, "Script")


def _names(rules: Iterable[model.Mapping | model.Script], kind: str) -> Iterator[Problem]:
    known: dict[str, model.Mapping | model.Script] = {}
    for rule in rules:
        if rule.name is None:
            continue
        first = known.setdefault(rule.name, rule)
        if first is not rule:
            yield _problem(rule, f"{kind} {rule.name!r} already exists", first)


def _mappings(rules: Sequence[model.Mapping]) -> Iterator[Problem]:
    places: dict[tuple[str | None, ...], list[model.Mapping]] = {}
    for rule in rules:
        place = (rule.service, rule.field, rule.value, rule.group, rule.tenant)
        others = places.setdefault(place, [])
        for other in others:
            start, other_start = (one.start or model.ALWAYS for one in (rule, other))
            if overlap(start, rule.end, other_start, other.end):
                text = f"Mapping '{rule.value}' already exists for {_parent(rule)}"
                yield _problem(rule, f"{text}, tenant: '{rule.tenant}'", other)
                break
        others.append(rule)


def _thresholds(rules: Sequence[model.Threshold]) -> Iterator[Problem]:
    places: dict[tuple[object, ...], model.Threshold] = {}
    for rule in rules:
        # With a tenant the group plays no part: the table's unique keys do not know it.
        group = None if rule.tenant is not None else rule.group
        place = (rule.service, rule.field, rule.level, rule.tenant, group)
        first = places.setdefault(place, rule)
        if first is not rule:
            text = f"Threshold '{rule.level.normalize():f}' already exists for {_parent(rule)}"
            yield _problem(rule, f"{text}, tenant: '{rule.tenant}'", first)


def _parent(rule: model.Mapping | model.Threshold) -> str:
    if rule.field is None:
        return f"service '{rule.service}'"
    return f"field '{rule.service}/{rule.field}'"


def _problem(
    rule: model.Mapping | model.Threshold | model.Script,
    text: str,
    first: model.Mapping | model.Threshold | model.Script,
) -> Problem:
    where = first.path if first.line is None else f"{first.path} in line {first.line}"
    return Problem(rule.line, rule.path, f"{text} ({where})")
