# SPDX-License-Identifier: Apache-2.0
"""What has to be done so that the rules in use become those of a document."""
# ruff: noqa: E501 - a line of output is a line here

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from hypothesis import given, settings

from cloudkitty.rating import document
from cloudkitty.rating.document import DocumentError, model
from cloudkitty.rating.document.change.live import Live, Stored
from cloudkitty.rating.document.change.plan import Plan, plan
from cloudkitty.rating.document.change.windows import Clock
from cloudkitty.tests.rating.document.rules import documents

NOW = dt.datetime(2024, 6, 1)  # noqa: DTZ001 - dates of rules are naive
CLOCK = Clock(NOW, NOW.replace(second=10))
SINCE = "start: 2024-01-01"
LATER = "start: 2024-09-01"


def in_use(rules: model.Document, **past: frozenset) -> Live:
    """The rules of a document as if they had been stored."""

    def stored(kind: str, rules: tuple) -> tuple:
        return tuple(Stored(f"{kind}{number}", rule) for number, rule in enumerate(rules))

    def complete(rule):
        name = rule.name or f"{abs(hash(rule)):032x}"[:32]
        return dataclasses.replace(rule, name=name, description=rule.description or "")

    return Live(
        groups={name: f"g-{name}" for name in rules.groups},
        services={name: f"s-{name}" for name in rules.services},
        fields={(service, name): f"f-{service}-{name}" for service, name in rules.fields},
        mappings=stored("m", tuple(map(complete, rules.mappings))),
        thresholds=stored("t", rules.thresholds),
        scripts=stored("p", tuple(map(complete, rules.scripts))),
        modules={
            "hashmap": model.Module(enabled=False, priority=1),
            "pyscripts": model.Module(enabled=False, priority=1),
        },
        **past,
    )


def made(old: str, new: str, **past: frozenset) -> Plan:
    return plan(
        document.loads(new, "r.yaml", strict=False),
        in_use(document.loads(old, strict=False), **past),
        CLOCK,
    )


def lines(found: Plan) -> list[str]:
    """The steps; those that need ``--force`` have an exclamation mark."""
    return [f"{'! ' if step.past else ''}{step.text()}" for step in found.steps]


def of_service(*rules: str) -> str:
    return "hashmap: {groups: [g], services: {s: {mappings: [" + ", ".join(rules) + "]}}}"


def of_thresholds(*rules: str) -> str:
    return "hashmap: {groups: [g, h], services: {s: {thresholds: [" + ", ".join(rules) + "]}}}"


def scripts(*rules: str) -> str:
    return "pyscripts: [" + ", ".join(rules) + "]"


BEGUN = "{cost: 1, " + SINCE + "}"
M = "mapping s flat"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # Nothing that is not said has to be so.
        ([BEGUN], ["{cost: 1.00}"], []),
        ([BEGUN], ["{cost: 1, start: 2024-01-01T00:00:00}"], []),
        # A new price from now on, and from a date on.
        (
            [BEGUN],
            ["{cost: 2}"],
            [
                f"end    {M} 1, from 2024-01-01T00:00:00: ends 2024-06-01T00:00:10",
                f"add    {M} 2, from 2024-06-01T00:00:10",
            ],
        ),
        (
            [BEGUN],
            ["{cost: 1, " + SINCE + ", end: 2024-07-01T00:00:00}", "{cost: 2, start: 2024-07-01}"],
            [
                f"end    {M} 1, from 2024-01-01T00:00:00: ends 2024-07-01T00:00:00",
                f"add    {M} 2, from 2024-07-01T00:00:00",
            ],
        ),
        # Another type, group or tenant is another rule.
        (
            [BEGUN],
            ["{cost: 1, type: rate}"],
            [
                f"end    {M} 1, from 2024-01-01T00:00:00: ends 2024-06-01T00:00:10",
                "add    mapping s rate 1, from 2024-06-01T00:00:10",
            ],
        ),
        (
            [BEGUN],
            ["{cost: 1, group: g}", "{cost: 1, tenant: t}"],
            [
                f"end    {M} 1, from 2024-01-01T00:00:00: ends 2024-06-01T00:00:10",
                f"add    {M} 1, group 'g', from 2024-06-01T00:00:10",
                f"add    {M} 1, tenant 't', from 2024-06-01T00:00:10",
            ],
        ),
        # A price of the past is another one: only by force.
        (
            [BEGUN],
            ["{cost: 2, " + SINCE + "}"],
            [
                f"! remove {M} 1, from 2024-01-01T00:00:00",
                f"! add    {M} 2, from 2024-01-01T00:00:00",
            ],
        ),
        # Not any more.
        ([BEGUN], [], [f"end    {M} 1, from 2024-01-01T00:00:00: ends 2024-06-01T00:00:10"]),
        ([f"{{cost: 1, {LATER}}}"], [], [f"remove {M} 1, from 2024-09-01T00:00:00"]),
        # What is over is left alone, unless a new rule would be in force then.
        (["{cost: 1, " + SINCE + ", end: 2024-03-01}"], [], []),
        (
            ["{cost: 1, " + SINCE + ", end: 2024-03-01}"],
            ["{cost: 2, start: 2024-02-01}"],
            [
                f"! remove {M} 1, from 2024-01-01T00:00:00, until 2024-03-01T23:59:59",
                f"! add    {M} 2, from 2024-02-01T00:00:00",
            ],
        ),
        # The end of a rule that runs cannot be moved.
        (
            ["{cost: 1, " + SINCE + ", end: 2024-08-01}"],
            ["{cost: 1, " + SINCE + ", end: 2024-09-01}"],
            [
                f"! remove {M} 1, from 2024-01-01T00:00:00, until 2024-08-01T23:59:59",
                f"! add    {M} 1, from 2024-01-01T00:00:00, until 2024-09-01T23:59:59",
            ],
        ),
        # What has not begun may become anything but of another type.
        (
            [f"{{cost: 1, {LATER}}}"],
            [f"{{cost: 2, {LATER}, end: 2024-10-01, description: d}}"],
            [
                f"change {M} 1, from 2024-09-01T00:00:00: cost 1 -> 2, end none -> 2024-10-01T23:59:59, description none -> d"
            ],
        ),
        (
            [f"{{cost: 1, {LATER}}}"],
            ["{cost: 1, start: 2024-05-01}"],
            [
                f"remove {M} 1, from 2024-09-01T00:00:00",
                f"! add    {M} 1, from 2024-05-01T00:00:00",
            ],
        ),
        (
            [f"{{cost: 1, type: rate, {LATER}}}"],
            [f"{{cost: 1, {LATER}}}"],
            [
                "remove mapping s rate 1, from 2024-09-01T00:00:00",
                f"add    {M} 1, from 2024-09-01T00:00:00",
            ],
        ),
        # Two whose windows move are made anew: one after the other they would meet.
        (
            [
                "{cost: 1, start: 2024-07-01, end: 2024-08-01T00:00:00}",
                "{cost: 2, start: 2024-08-01}",
            ],
            [
                "{cost: 1, start: 2024-07-01, end: 2024-09-01T00:00:00}",
                "{cost: 2, start: 2024-09-01}",
            ],
            [
                f"remove {M} 1, from 2024-07-01T00:00:00, until 2024-08-01T00:00:00",
                f"remove {M} 2, from 2024-08-01T00:00:00",
                f"add    {M} 1, from 2024-07-01T00:00:00, until 2024-09-01T00:00:00",
                f"add    {M} 2, from 2024-09-01T00:00:00",
            ],
        ),
        # One that is not in the document and has an end keeps it.
        (["{cost: 1, " + SINCE + ", end: 2024-08-01}"], [], []),
        (
            ["{cost: 1, " + SINCE + ", end: 2024-08-01T00:00:00}", "{cost: 2, start: 2024-08-01}"],
            ["{cost: 2}"],
            [],
        ),
        (
            ["{cost: 1, " + SINCE + ", end: 2024-08-01}"],
            ["{cost: 2}"],
            [
                f"! remove {M} 1, from 2024-01-01T00:00:00, until 2024-08-01T23:59:59",
                f"add    {M} 2, from 2024-06-01T00:00:10",
            ],
        ),
        # About to begin is begun.
        (
            ["{cost: 1, start: 2024-06-01T00:00:05}"],
            [],
            [f"end    {M} 1, from 2024-06-01T00:00:05: ends 2024-06-01T00:00:10"],
        ),
        # Names go with rules; one that is given away must be free.
        (
            ["{cost: 1, name: n, " + LATER + "}"],
            ["{cost: 1, name: n, group: g}"],
            [
                f"remove {M} 1, from 2024-09-01T00:00:00",
                f"add    {M} 1, group 'g', from 2024-06-01T00:00:10",
            ],
        ),
    ],
)
def test_mappings(old: list[str], new: list[str], expected: list[str]) -> None:
    assert lines(made(of_service(*old), of_service(*new))) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            [BEGUN.replace("}", ", name: n}")],
            ["{cost: 2, name: n}"],
            "Mapping 'n' already exists and stays: mapping s flat 1, from 2024-01-01T00:00:00, until 2024-06-01T00:00:10; give this one another name, or none",
        ),
        (
            [BEGUN],
            ["{cost: 1}", "{cost: 2, start: 2024-08-01}"],
            "it is in force together with mapping s flat 1, from 2024-01-01T00:00:00",
        ),
        (
            [],
            ["{cost: 1}", "{cost: 2}"],
            "it is in force together with mapping s flat 1, from 2024-06-01T00:00:10",
        ),
        (
            [],
            ["{cost: 1, end: 2024-05-01}"],
            "Cannot create a rule with start after end. start=[2024-06-01 00:00:10] end=[2024-05-01 23:59:59].",
        ),
    ],
)
def test_mappings_that_cannot_be(old: list[str], new: list[str], expected: str) -> None:
    with pytest.raises(DocumentError) as raised:
        made(of_service(*old), of_service(*new))
    (problem,) = raised.value.problems
    assert problem.reason == expected
    assert problem.line == 1


def test_old_rules_in_each_others_way_may_stay() -> None:
    both = of_service(BEGUN, "{cost: 2, " + SINCE + "}")
    assert lines(made(both, both)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (["{level: 1, cost: 2}"], ["{level: 1.0, cost: 2.0}"], []),
        (
            ["{level: 1, cost: 2}"],
            ["{level: 1, cost: 3, type: rate}"],
            ["change threshold s >= 1 flat 2: type flat -> rate, cost 2 -> 3"],
        ),
        (
            ["{level: 1, cost: 2}"],
            ["{level: 5, cost: 2}"],
            ["change threshold s >= 1 flat 2: level 1 -> 5"],
        ),
        (
            ["{level: 1, cost: 2, group: g}", "{level: 1, cost: 3, group: h}"],
            ["{level: 1, cost: 3, group: g}", "{level: 1, cost: 2, group: h}"],
            [
                "change threshold s >= 1 flat 2, group 'g': cost 2 -> 3",
                "change threshold s >= 1 flat 3, group 'h': cost 3 -> 2",
            ],
        ),
        (
            ["{level: 1, cost: 2}", "{level: 2, cost: 2}"],
            ["{level: 2, cost: 2}", "{level: 9, cost: 1, tenant: t}"],
            ["remove threshold s >= 1 flat 2", "add    threshold s >= 9 flat 1, tenant 't'"],
        ),
        (
            ["{level: 1, cost: 2}", "{level: 1, cost: 3}"],
            ["{level: 1, cost: 2}", "{level: 1, cost: 3}"],
            [],
        ),
    ],
)
def test_thresholds(old: list[str], new: list[str], expected: list[str]) -> None:
    assert lines(made(of_thresholds(*old), of_thresholds(*new))) == expected


def test_thresholds_that_cannot_be() -> None:
    with pytest.raises(DocumentError, match="Threshold already exists: threshold s >= 1 flat 2"):
        made(of_thresholds(), of_thresholds("{level: 1, cost: 2}", "{level: 1, cost: 3}"))


A, B = "{name: a, data: x, start: 2024-01-01}", "{name: b, data: x, start: 2024-09-01}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([A], ["{name: a, data: x}"], []),
        ([], ["{name: a, data: x}"], ["add    script 'a' from 2024-06-01T00:00:10"]),
        (
            [A, B],
            ["{name: a, data: x, end: 2024-08-01}", "{name: b, data: y}"],
            [
                "end    script 'a' from 2024-01-01T00:00:00: ends 2024-08-01T23:59:59",
                "change script 'b' from 2024-09-01T00:00:00: another source",
            ],
        ),
        (
            [A, B],
            [],
            [
                "end    script 'a' from 2024-01-01T00:00:00: ends 2024-06-01T00:00:10",
                "remove script 'b' from 2024-09-01T00:00:00",
            ],
        ),
        (
            [A],
            ["{name: a, data: y}"],
            [
                "! remove script 'a' from 2024-01-01T00:00:00",
                "! add    script 'a' from 2024-01-01T00:00:00",
            ],
        ),
        # Scripts run in order of creation.
        (
            [B],
            ["{name: a, data: x}", "{name: b, data: x}"],
            [
                "add    script 'a' from 2024-06-01T00:00:10",
                "remove script 'b' from 2024-09-01T00:00:00",
                "add    script 'b' from 2024-09-01T00:00:00",
            ],
        ),
        (
            [A, B],
            [B, A],
            [
                "! remove script 'a' from 2024-01-01T00:00:00",
                "! add    script 'a' from 2024-01-01T00:00:00",
            ],
        ),
        (["{name: a, data: x, start: 2024-01-01, end: 2024-02-01}"], [], []),
    ],
)
def test_scripts(old: list[str], new: list[str], expected: list[str]) -> None:
    assert lines(made(scripts(*old), scripts(*new))) == expected


def test_scripts_with_one_name() -> None:
    with pytest.raises(DocumentError, match="Script 'a' already exists"):
        made("{}", scripts(A, A))


def test_what_a_document_does_not_have_stays_as_it_is() -> None:
    old = f"hashmap: {{services: {{s: {{mappings: [{BEGUN}]}}}}}}\n{scripts(A)}"
    assert lines(made(old, "{}")) == []
    assert lines(made(old, scripts())) == [
        "end    script 'a' from 2024-01-01T00:00:00: ends 2024-06-01T00:00:10"
    ]


def test_modules() -> None:
    found = made("{}", "modules: {hashmap: {enabled: true, priority: 1}, pyscripts: {priority: 7}}")
    assert lines(found) == ["change module hashmap: on", "change module pyscripts: priority 1 -> 7"]
    with pytest.raises(DocumentError) as raised:
        made("{}", "modules:\n  x: {enabled: true}")
    assert str(raised.value) == (
        "r.yaml:2: modules.x: no such rating module; installed: hashmap, pyscripts"
    )


def test_groups_services_and_fields() -> None:
    old = """
hashmap:
  groups: [empty, used, past]
  services:
    gone: {fields: {a: , b: }}
    busy: {fields: {c: {mappings: [{value: x, cost: 1, start: 2024-01-01}]}, d: }}
    deleted: {fields: {e: }}
"""
    new = "hashmap: {groups: [new], services: {more: {fields: {f: }}}}"
    found = made(
        old,
        new,
        past_parents=frozenset({("deleted", None)}),
        past_groups=frozenset({"past", "used"}),
    )

    assert lines(found) == [
        "add    group new",
        "add    service more",
        "add    field more/f",
        "end    mapping busy/c = 'x' flat 1, from 2024-01-01T00:00:00: ends 2024-06-01T00:00:10",
        "remove field gone/a",
        "remove field gone/b",
        "remove field busy/d",
        "remove field deleted/e",
        "remove service gone",
        "remove group empty",
    ]
    assert found.kept == (
        "group used, which has a past",
        "group past, which has a past",
        "field busy/c, which has a past",
        "service busy, which has a past",
        "service deleted, which has a past",
    )
    assert found.summary() == "3 to add, 1 to end, 6 to remove"


@settings(max_examples=40, deadline=None)
@given(documents())
def test_rules_in_use_need_nothing(rules: model.Document) -> None:
    live = in_use(rules)
    rules = dataclasses.replace(rules, modules={})
    assert plan(rules, live, CLOCK).steps == ()
    assert plan(live.document(), live, CLOCK).steps == ()
