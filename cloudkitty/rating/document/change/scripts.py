# SPDX-License-Identifier: Apache-2.0
"""Which scripts to make, to change, to end and to remove.

They go by their names, which are unique among those that are not deleted, and run in order of
creation (contract rating.md 5): a script that has begun can only be replaced by one of another
name, or, with ``force``, by one that counts for its past too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.errors import InvalidError
from cloudkitty.rating.document.change.live import Live, Stored
from cloudkitty.rating.document.change.steps import Kind, Step, Verb, describe
from cloudkitty.rating.document.change.windows import Clock, Part, began, only_ends, said_of
from cloudkitty.rating.document.model import ALWAYS, Document, Script

_ORDER: Final = "it has to be made anew: scripts run in order of creation"


def plan(document: Document, live: Live, clock: Clock, part: Part) -> None:
    """Add what is to be done with scripts to `part`."""
    stored = {one.rule.name: one for one in live.scripts}
    names: dict[str, Script] = {}
    for script in document.scripts:
        first = names.setdefault(script.name, script)
        if first is not script:
            part.problem(script, f"Script {script.name!r} already exists ({first.path})")
    for one in live.scripts:
        if one.rule.name not in names:
            _leave(one, clock, part)
    steps, again = _wanted(document.scripts, stored, clock)
    _keep_order(document.scripts, [one.rule.name for one in live.scripts], again)
    for script in document.scripts:
        if script.name in again:
            part.steps += _anew(script, stored[script.name], again[script.name], clock)
        elif script.name in steps:
            part.steps.append(steps[script.name])
        elif script.name not in stored:
            part.steps.append(_made(script, clock, part))


def _keep_order(scripts: tuple[Script, ...], rows: list[str], again: dict[str, str]) -> None:
    """Add to `again` what would run before a script that the document has before it."""
    last = -1
    for script in scripts:
        if script.name not in rows or script.name in again:
            last = len(rows)
        elif (row := rows.index(script.name)) < last:
            again[script.name] = _ORDER
        else:
            last = row


def _wanted(
    scripts: tuple[Script, ...], stored: dict[str, Stored[Script]], clock: Clock
) -> tuple[dict[str, Step], dict[str, str]]:
    """Give the steps that change scripts in use, and why others have to be made anew, by name."""
    steps: dict[str, Step] = {}
    again: dict[str, str] = {}
    for script in scripts:
        one = stored.get(script.name)
        if one is None:
            continue
        new = said_of(script, one.rule)
        if new == one.rule:
            continue
        step = Step(verb=Verb.CHANGE, kind=Kind.SCRIPT, id=one.id, old=one.rule, new=new)
        if not clock.begun(one.rule):
            if new.start is not None and new.start >= clock.effect:
                steps[script.name] = step
            else:
                again[script.name] = ""
        elif only_ends(one.rule, new, clock):
            steps[script.name] = replace(step, verb=Verb.END)
        else:
            again[script.name] = (
                f"{began(one.rule)}; end it and add one of another name to change prices from now "
                "on"
            )
    return steps, again


def _anew(script: Script, stored: Stored[Script], why: str, clock: Clock) -> list[Step]:
    new = said_of(script, stored.rule)
    past = (why or began(stored.rule)) if clock.begun(stored.rule) else None
    return [
        Step(verb=Verb.REMOVE, kind=Kind.SCRIPT, id=stored.id, old=stored.rule, past=past),
        Step(verb=Verb.ADD, kind=Kind.SCRIPT, new=new, past=clock.past_start(new)),
    ]


def _made(script: Script, clock: Clock, part: Part) -> Step:
    new = clock.dated(script)
    try:
        shared.check_window(new.start or ALWAYS, new.end)
    except InvalidError as exc:
        part.problem(script, str(exc))
    return Step(verb=Verb.ADD, kind=Kind.SCRIPT, new=new, past=clock.past_start(new))


def _leave(stored: Stored[Script], clock: Clock, part: Part) -> None:
    """Add what is to be done with a script that the document does not have."""
    rule = stored.rule
    step = Step(verb=Verb.REMOVE, kind=Kind.SCRIPT, id=stored.id, old=rule)
    if not clock.begun(rule):
        part.steps.append(step)
    elif rule.end is not None:
        # It is over, or ends by itself: when it does cannot be changed.
        part.kept.append(describe(rule))
    else:
        ended = replace(rule, end=clock.effect)
        part.steps.append(replace(step, verb=Verb.END, new=ended))
