# SPDX-License-Identifier: Apache-2.0
"""Which thresholds to make, to change and to remove.

They have neither a window nor a past (contract rating.md 3): what changes counts for every period
that is rated afterwards. One that changes is changed in place, so that there is no moment without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cloudkitty.rating.document.change.live import Live, Stored
from cloudkitty.rating.document.change.steps import Kind, Step, Verb, describe
from cloudkitty.rating.document.change.windows import Part
from cloudkitty.rating.document.model import Document, Threshold


def plan(document: Document, live: Live, part: Part) -> list[Threshold]:
    """Add what is to be done with thresholds to `part`; gives those that there are afterwards."""
    left = list(live.thresholds)
    # What is equal stays; then what has most in common is changed.
    alike = (_everything, _with_group, _level, _without_level)
    pairs = list(_pairs(left, document.thresholds, alike))
    steps = []
    for rule, stored in pairs:
        if stored is None:
            steps.append(Step(verb=Verb.ADD, kind=Kind.THRESHOLD, new=rule))
        elif _everything(stored.rule) != _everything(rule):
            steps.append(
                Step(verb=Verb.CHANGE, kind=Kind.THRESHOLD, id=stored.id, old=stored.rule, new=rule)
            )
    part.steps += [
        Step(verb=Verb.REMOVE, kind=Kind.THRESHOLD, id=stored.id, old=stored.rule)
        for stored in left
    ]
    part.steps += sorted(steps, key=lambda step: step.verb is Verb.ADD)
    _check([rule for rule, _ in pairs], [stored for _, stored in pairs], part)
    return [rule for rule, _ in pairs]


def _pairs(
    left: list[Stored[Threshold]],
    rules: tuple[Threshold, ...],
    alike: tuple[Callable[[Threshold], Any], ...],
) -> Iterator[tuple[Threshold, Stored[Threshold] | None]]:
    """Yield each rule with the one in use that it is; those are taken from `left`."""
    found: dict[int, Stored[Threshold]] = {}
    for key in alike:
        known: dict[Any, list[Stored[Threshold]]] = {}
        for stored in left:
            known.setdefault(key(stored.rule), []).append(stored)
        for index, rule in enumerate(rules):
            same = known.get(key(rule)) if index not in found else None
            if same:
                found[index] = same.pop(0)
                left.remove(found[index])
    for index, rule in enumerate(rules):
        yield rule, found.get(index)


def _level(rule: Threshold) -> tuple[Any, ...]:
    return rule.service, rule.field, rule.level, rule.tenant


def _without_level(rule: Threshold) -> tuple[Any, ...]:
    return rule.service, rule.field, rule.tenant, rule.group


def _with_group(rule: Threshold) -> tuple[Any, ...]:
    return (*_level(rule), rule.group)


def _everything(rule: Threshold) -> tuple[Any, ...]:
    return (*_with_group(rule), rule.type, rule.cost)


def _check(rules: list[Threshold], stored: list[Stored[Threshold] | None], part: Part) -> None:
    """Find new ones that others are in the way of (contract rating.md 4.7)."""
    known: dict[tuple[Any, ...], Threshold] = {}
    unchanged = [
        one is not None and _everything(one.rule) == _everything(rule)
        for rule, one in zip(rules, stored, strict=True)
    ]
    order = sorted(range(len(rules)), key=lambda index: not unchanged[index])
    for index in order:
        rule = rules[index]
        place = _level(rule) if rule.tenant is not None else _with_group(rule)
        first = known.setdefault(place, rule)
        if first is not rule and not unchanged[index]:
            part.problem(rule, f"Threshold already exists: {describe(first)}")
