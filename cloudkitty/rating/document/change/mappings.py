# SPDX-License-Identifier: Apache-2.0
"""Which mappings to make, to change, to end and to remove.

What may change of a mapping depends on whether it runs (contract api.md 7.5, D16): one that has
begun can only be ended, so that a new price is another mapping that begins when the old one ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.errors import InvalidError
from cloudkitty.rating.document.change.live import Live, Stored
from cloudkitty.rating.document.change.steps import Kind, Step, Verb, describe
from cloudkitty.rating.document.change.windows import Clock, Part, began, only_ends, said_of
from cloudkitty.rating.document.model import ALWAYS, Document, Mapping
from cloudkitty.rating.hashmap.store.mapping_conflicts import overlap

_Place: TypeAlias = tuple[str | None, ...]


def plan(document: Document, live: Live, clock: Clock, part: Part) -> None:
    """Add what is to be done with mappings to `part`."""
    places: dict[_Place, tuple[list[Stored[Mapping]], list[Mapping]]] = {}
    for stored in live.mappings:
        places.setdefault(_place(stored.rule), ([], []))[0].append(stored)
    for rule in document.mappings:
        places.setdefault(_place(rule), ([], []))[1].append(rule)
    names: dict[str, Mapping] = {}
    created: list[Mapping] = []
    steps: list[Step] = []
    for stored_rules, rules in places.values():
        one = _OfPlace(clock, part, stored_rules)
        steps += one.plan(rules)
        created += one.created
        names |= {rule.name: rule for rule in (*one.same, *one.changed) if rule.name is not None}
    for rule in created:
        taken = names.setdefault(rule.name, rule) if rule.name is not None else rule
        if taken is not rule:
            text = f"Mapping {rule.name!r} already exists and stays: {describe(taken)}"
            part.problem(rule, f"{text}; give this one another name, or none")
    wanted = {rule.name for rule in created}

    def frees_a_name(step: Step) -> bool:
        return (
            step.verb is Verb.REMOVE and isinstance(step.old, Mapping) and step.old.name in wanted
        )

    part.steps += sorted(steps, key=lambda step: not frees_a_name(step))


def _place(rule: Mapping) -> _Place:
    return rule.service, rule.field, rule.value, rule.group, rule.tenant


class _OfPlace:
    """The mappings of one parent, value, group and tenant."""

    def __init__(self, clock: Clock, part: Part, stored: Sequence[Stored[Mapping]]) -> None:
        self._clock = clock
        self._part = part
        self._left = list(stored)
        #: What is in use and stays so, or does until its new end.
        self.same: list[Mapping] = []
        self.changed: list[Mapping] = []
        self.created: list[Mapping] = []

    def plan(self, rules: Iterable[Mapping]) -> list[Step]:
        """Give the steps, in an order in which none meets what another one takes away."""
        wanted = [rule for rule in rules if not self._is_there(rule)]
        changes, new = self._changes(wanted)
        self.changed = [step.new for step in changes if isinstance(step.new, Mapping)]
        self.created = [self._clock.dated(rule) for rule in new]
        steps = [step for stored in self._left if (step := self._leave(stored)) is not None]
        steps += [step for step in changes if step.verb is Verb.END]
        steps += [step for step in changes if step.verb is Verb.CHANGE]
        steps += [self._create(rule) for rule in self.created]
        self._check()
        return steps

    def _is_there(self, rule: Mapping) -> bool:
        found = next((one for one in self._left if said_of(rule, one.rule) == one.rule), None)
        if found is None:
            return False
        self._left.remove(found)
        self.same.append(found.rule)
        return True

    def _changes(self, wanted: Sequence[Mapping]) -> tuple[list[Step], list[Mapping]]:
        """Give the steps that make rules in use others, and what is left to be made."""
        found: list[tuple[Step, Mapping, Stored[Mapping]]] = []
        new = []
        for rule in wanted:
            candidates = [one for one in self._left if self._may_become(one.rule, rule)]
            # One that begins at the same time is more likely meant than another.
            candidates.sort(key=lambda one: one.rule.start != rule.start)
            if not candidates:
                new.append(rule)
                continue
            stored = candidates[0]
            self._left.remove(stored)
            verb = Verb.END if self._clock.begun(stored.rule) else Verb.CHANGE
            step = Step(
                verb=verb,
                kind=Kind.MAPPING,
                id=stored.id,
                old=stored.rule,
                new=said_of(rule, stored.rule),
            )
            found.append((step, rule, stored))
        moves = [one for one in found if _moves(one[0])]
        if len(moves) > 1:
            # They could meet one another on the way. None of them has begun: make them anew.
            found = [one for one in found if one not in moves]
            new += [rule for _, rule, _ in moves]
            self._left += [stored for _, _, stored in moves]
        return [step for step, _, _ in found], new

    def _may_become(self, stored: Mapping, rule: Mapping) -> bool:
        """Whether the API can make the rule in use what the document says."""
        new = said_of(rule, stored)
        if self._clock.begun(stored):
            return only_ends(stored, new, self._clock)
        early = new.start is not None and new.start < self._clock.effect
        return (new.type, new.name) == (stored.type, stored.name) and not early

    def _leave(self, stored: Stored[Mapping]) -> Step | None:
        """Give what is to be done with a rule that the document does not have."""
        rule, clock = stored.rule, self._clock
        step = Step(verb=Verb.REMOVE, kind=Kind.MAPPING, id=stored.id, old=rule)
        if not clock.begun(rule):
            return step
        until = clock.effect if rule.end is None else rule.end
        covered = any(
            overlap(rule.start or ALWAYS, until, new.start or ALWAYS, new.end)
            for new in (*self.created, *self.changed)
        )
        if covered:
            return replace(step, past=began(rule))
        if rule.end is not None:
            # It is over, or ends by itself: when it does cannot be changed.
            self.same.append(rule)
            self._part.kept.append(describe(rule))
            return None
        ended = replace(rule, end=clock.effect)
        self.same.append(ended)
        return replace(step, verb=Verb.END, new=ended)

    def _create(self, rule: Mapping) -> Step:
        try:
            shared.check_window(rule.start or ALWAYS, rule.end)
        except InvalidError as exc:
            self._part.problem(rule, str(exc))
        past = self._clock.past_start(rule)
        return Step(verb=Verb.ADD, kind=Kind.MAPPING, new=rule, past=past)

    def _check(self) -> None:
        """Find new windows that meet others (contract rating.md 4.7); old ones may meet."""
        staying = list(self.same)
        for rule in (*self.changed, *self.created):
            other = next((one for one in staying if _meet(rule, one)), None)
            if other is not None:
                self._part.problem(rule, f"it is in force together with {describe(other)}")
            staying.append(rule)


def _moves(step: Step) -> bool:
    old, new = step.old, step.new
    return (
        step.verb is Verb.CHANGE
        and isinstance(old, Mapping)
        and isinstance(new, Mapping)
        and (old.start, old.end) != (new.start, new.end)
    )


def _meet(rule: Mapping, other: Mapping) -> bool:
    return overlap(rule.start or ALWAYS, rule.end, other.start or ALWAYS, other.end)
