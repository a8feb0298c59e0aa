# SPDX-License-Identifier: Apache-2.0
"""Carries a plan out, step by step, on whatever holds the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from cloudkitty.rating.document import model
from cloudkitty.rating.document.change.live import Live
from cloudkitty.rating.document.change.steps import Kind, Step, Verb


class Target(Protocol):
    """Where rules are kept. Attributes have the names of the API; dates are host-local, naive.

    Each method raises an exception whose text is for people when it is refused.
    """

    def create(self, kind: Kind, attributes: dict[str, Any]) -> str:
        """Make an object, also one that starts in the past; gives its id."""

    def update(self, kind: Kind, id_: str, attributes: dict[str, Any]) -> None:
        """Change an object."""

    def delete(self, kind: Kind, id_: str) -> None:
        """Delete an object; rules of a group are left."""

    def set_module(self, name: str, state: model.Module) -> None:
        """Turn a module on or off, or move it."""


def run(
    steps: Iterable[Step],
    live: Live,
    target: Target,
    done: Callable[[Step], None] = lambda _step: None,
) -> None:
    """Carry steps out in their order; `done` is called after each. Raises what `target` raises."""
    runner = _Runner(live, target)
    for step in steps:
        runner.run(step)
        done(step)


class _Runner:
    def __init__(self, live: Live, target: Target) -> None:
        self._target = target
        self._groups = dict(live.groups)
        self._services = dict(live.services)
        self._fields = dict(live.fields)

    def run(self, step: Step) -> None:
        target = self._target
        if step.kind is Kind.MODULE:
            target.set_module(step.name, step.state or model.Module())
        elif step.verb is Verb.REMOVE:
            target.delete(step.kind, _id(step))
        elif step.verb is Verb.ADD:
            self._create(step)
        else:
            target.update(step.kind, _id(step), self._attributes(step))

    def _create(self, step: Step) -> None:
        id_ = self._target.create(step.kind, self._attributes(step))
        if step.kind is Kind.GROUP:
            self._groups[step.name] = id_
        elif step.kind is Kind.SERVICE:
            self._services[step.name] = id_
        elif step.kind is Kind.FIELD:
            self._fields[step.service, step.name] = id_

    def _attributes(self, step: Step) -> dict[str, Any]:
        rule = step.new
        if rule is None:
            found: dict[str, Any] = {"name": step.name}
            if step.kind is Kind.FIELD:
                found["service_id"] = self._services[step.service]
            return found
        if isinstance(rule, model.Script):
            return {"name": rule.name, "data": rule.data, **_window(rule)}
        found = {
            "type": rule.type,
            "cost": rule.cost,
            "group_id": None if rule.group is None else self._groups[rule.group],
            "tenant_id": rule.tenant,
        }
        if step.verb is Verb.ADD:
            found |= self._parent(rule)
        if isinstance(rule, model.Threshold):
            return {**found, "level": rule.level}
        return {**found, "value": rule.value, "name": rule.name, **_window(rule)}

    def _parent(self, rule: model.Mapping | model.Threshold) -> dict[str, str]:
        if rule.field is None:
            return {"service_id": self._services[rule.service]}
        return {"field_id": self._fields[rule.service, rule.field]}


def _window(rule: model.Mapping | model.Script) -> dict[str, Any]:
    description = rule.description or None
    return {"start": rule.start, "end": rule.end, "description": description}


def _id(step: Step) -> str:
    if step.id is None:
        raise RuntimeError(f"a step without id: {step}")
    return step.id
