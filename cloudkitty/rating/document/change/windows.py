# SPDX-License-Identifier: Apache-2.0
"""What the parts of a plan have in common: windows, the past, and what is found to be wrong."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cloudkitty.rating.document import model
from cloudkitty.rating.document.change.steps import Step
from cloudkitty.rating.document.problems import Problem

Dated = TypeVar("Dated", model.Mapping, model.Script)


@dataclass(slots=True)
class Part:
    """What one part of a document needs."""

    steps: list[Step] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, rule: model.Located, reason: str) -> None:
        """Note what is wrong with a rule of the document."""
        self.problems.append(Problem(rule.line, rule.path, reason))


@dataclass(frozen=True, slots=True)
class Clock:
    """Host-local and naive: the present, and when what has no date takes effect."""

    now: dt.datetime
    effect: dt.datetime

    def begun(self, rule: model.Mapping | model.Script) -> bool:
        """Whether a rule in use has begun, or will have before anything takes effect."""
        return rule.start is None or rule.start < self.effect

    def dated(self, rule: Dated) -> Dated:
        """Give a rule of the document with a start: that of what takes effect, if it has none."""
        return rule if rule.start is not None else replace(rule, start=self.effect)

    def past_start(self, rule: model.Mapping | model.Script) -> str | None:
        """Say that a new rule begins in the past; None when it does not."""
        if rule.start is None or rule.start >= self.now:
            return None
        return f"it begins in the past, {rule.start.isoformat()}"


def began(rule: model.Mapping | model.Script) -> str:
    """Say that a rule in use has begun."""
    start = "" if rule.start is None else f" on {rule.start.isoformat()}"
    return f"it began{start}: periods since then cost what it says"


def said_of(rule: Dated, stored: Dated) -> Dated:
    """Give a rule of the document with what it does not say as it is stored."""
    said = replace(
        rule,
        start=stored.start if rule.start is None else _kept(rule.start, stored.start),
        end=_kept(rule.end, stored.end),
        description=stored.description if rule.description is None else rule.description,
    )
    if isinstance(said, model.Mapping) and said.name is None:
        return replace(said, name=stored.name)
    return said


def only_ends(stored: Dated, new: Dated, clock: Clock) -> bool:
    """Whether a rule that runs gets an end and nothing else, the only change that it admits."""
    return (
        replace(stored, end=new.end) == new
        and stored.end is None
        and new.end is not None
        and new.end >= clock.effect
    )


def _kept(said: dt.datetime | None, stored: dt.datetime | None) -> dt.datetime | None:
    """Give the date as it is stored if it is that one: MySQL and MariaDB keep no fraction."""
    if said is not None and stored == said.replace(microsecond=0):
        return stored
    return said
