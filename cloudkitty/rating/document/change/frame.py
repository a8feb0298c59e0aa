# SPDX-License-Identifier: Apache-2.0
"""Which services, fields and groups to make and to remove.

They make no prices by themselves. One that the document does not have is removed when nothing
hangs on it, deleted mappings included: their history would go with it.
"""

from __future__ import annotations

from collections.abc import Iterable

from cloudkitty.rating.document.change.live import Live
from cloudkitty.rating.document.change.steps import Kind, Step, Verb
from cloudkitty.rating.document.change.windows import Part
from cloudkitty.rating.document.model import Document, Mapping, Threshold


def plan(document: Document, live: Live, thresholds: Iterable[Threshold], part: Part) -> None:
    """Add what is to be done to `part`; `thresholds` are those that there are afterwards."""
    _add(document, live, part)
    # A mapping that is removed or ended keeps its row.
    rules: list[Mapping | Threshold] = [stored.rule for stored in live.mappings]
    rules += thresholds
    fields = {(rule.service, rule.field) for rule in rules} | live.past_parents
    groups = {rule.group for rule in rules} | live.past_groups
    for name, id_ in live.groups.items():
        if name not in document.groups:
            step = Step(verb=Verb.REMOVE, kind=Kind.GROUP, name=name, id=id_)
            _leave(step, busy=name in groups, part=part)
    kept = set(document.services) | {service for service, _ in fields}
    for (service, name), id_ in live.fields.items():
        if (service, name) not in document.fields:
            step = Step(verb=Verb.REMOVE, kind=Kind.FIELD, name=name, service=service, id=id_)
            _leave(step, busy=(service, name) in fields, part=part)
    for name, id_ in live.services.items():
        if name not in document.services:
            step = Step(verb=Verb.REMOVE, kind=Kind.SERVICE, name=name, id=id_)
            _leave(step, busy=name in kept, part=part)


def _add(document: Document, live: Live, part: Part) -> None:
    part.steps += [
        Step(verb=Verb.ADD, kind=Kind.GROUP, name=name)
        for name in document.groups
        if name not in live.groups
    ]
    part.steps += [
        Step(verb=Verb.ADD, kind=Kind.SERVICE, name=name)
        for name in document.services
        if name not in live.services
    ]
    part.steps += [
        Step(verb=Verb.ADD, kind=Kind.FIELD, name=name, service=service)
        for service, name in document.fields
        if (service, name) not in live.fields
    ]


def _leave(step: Step, *, busy: bool, part: Part) -> None:
    if busy:
        part.kept.append(f"{step.text().removeprefix(step.verb).strip()}, which has a past")
    else:
        part.steps.append(step)
