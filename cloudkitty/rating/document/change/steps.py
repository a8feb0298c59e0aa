# SPDX-License-Identifier: Apache-2.0
"""What has to be done so that the rules in use become those of a document, step by step."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from cloudkitty.rating.document import model
from cloudkitty.rating.hashmap.rules import trimmed

Rule: TypeAlias = model.Mapping | model.Threshold | model.Script


class Verb(enum.StrEnum):
    """What a step does."""

    ADD = "add"
    CHANGE = "change"
    END = "end"
    REMOVE = "remove"


class Kind(enum.StrEnum):
    """What a step does it to."""

    GROUP = "group"
    SERVICE = "service"
    FIELD = "field"
    MAPPING = "mapping"
    THRESHOLD = "threshold"
    SCRIPT = "script"
    MODULE = "module"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change.

    Groups, services and modules go by `name`, fields by `name` and `service`; `old` is what is
    there, with its `id`, `new` what shall be there. `past` says why it needs ``--force``, None
    when it does not.
    """

    verb: Verb
    kind: Kind
    name: str = ""
    service: str = ""
    id: str | None = None
    old: Rule | None = None
    new: Rule | None = None
    state: model.Module | None = None
    was: model.Module | None = None
    past: str | None = None

    @property
    def located(self) -> model.Located | None:
        """What of the document it is about, None when it is about something not in it."""
        return self.new if self.new is not None else self.state

    def text(self) -> str:
        """Give it as a line of the printed difference."""
        return f"{self.verb:<6} {self._what()}"

    def _what(self) -> str:
        if self.kind is Kind.FIELD:
            return f"field {self.service}/{self.name}"
        if self.kind is Kind.MODULE:
            changed = ", ".join(_module_changes(self.was, self.state))
            return f"module {self.name}: {changed}"
        rule = self.old or self.new
        if rule is None:
            return f"{self.kind} {self.name}"
        if self.verb is Verb.CHANGE and self.old is not None and self.new is not None:
            return f"{describe(self.old)}: {', '.join(changes(self.old, self.new))}"
        if self.verb is Verb.END and self.new is not None:
            return f"{describe(self.old or self.new)}: {_end(self.new)}"
        return describe(rule)


def describe(rule: Rule) -> str:
    """Give a rule in one line."""
    if isinstance(rule, model.Script):
        parts = [f"script {rule.name!r}"]
    else:
        parent = rule.service if rule.field is None else f"{rule.service}/{rule.field}"
        if isinstance(rule, model.Threshold):
            parts = [f"threshold {parent} >= {number(rule.level)}"]
        else:
            parts = [f"mapping {parent}" + ("" if rule.value is None else f" = {rule.value!r}")]
        parts.append(f"{rule.type} {number(rule.cost)}")
        if rule.group is not None:
            parts.append(f"group {rule.group!r}")
        if rule.tenant is not None:
            parts.append(f"tenant {rule.tenant!r}")
    if not isinstance(rule, model.Threshold):
        parts += [f"from {rule.start.isoformat()}"] if rule.start else []
        parts += [f"until {rule.end.isoformat()}"] if rule.end else []
    return ", ".join([" ".join(parts[:2]), *parts[2:]] if len(parts) > 1 else parts)


def changes(old: Rule, new: Rule) -> Iterator[str]:
    """Yield what is another in `new`; what it does not say stays."""
    names = ("type", "cost", "group", "level", "start", "end", "description", "data")
    for name in names:
        before, after = getattr(old, name, None), getattr(new, name, None)
        if name in {"start", "description"} and after is None:
            continue
        if before != after:
            yield (
                "another source" if name == "data" else f"{name} {_said(before)} -> {_said(after)}"
            )


def number(value: Decimal) -> str:
    """Give a decimal in plain notation without zeros at its end."""
    return format(trimmed(value), "f")


def _end(rule: Rule) -> str:
    end = None if isinstance(rule, model.Threshold) else rule.end
    return "never ends" if end is None else f"ends {end.isoformat()}"


def _said(value: object) -> str:
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return "none" if value in {None, ""} else str(value)


def _module_changes(was: model.Module | None, state: model.Module | None) -> Iterator[str]:
    was, state = was or model.Module(), state or model.Module()
    if state.enabled is not None and state.enabled != was.enabled:
        yield "on" if state.enabled else "off"
    if state.priority is not None and state.priority != was.priority:
        yield f"priority {was.priority} -> {state.priority}"
