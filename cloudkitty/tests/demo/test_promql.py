# SPDX-License-Identifier: Apache-2.0
"""What the demo source makes of queries, good and bad."""

from __future__ import annotations

import pytest

from cloudkitty.demo.promql import Aggregate, Call, QueryError, Selector, duration, parse


def test_a_collectors_query() -> None:
    node = parse('max(max_over_time(m{project_id=~"a|b\\\\.c"}[3600s])) by (id, project_id)')

    assert isinstance(node, Aggregate)
    assert node.by == ("id", "project_id")
    assert isinstance(node.argument, Call)
    selector = node.argument.argument
    assert isinstance(selector, Selector)
    assert selector.seconds == 3600
    assert [
        m.matches({"project_id": x}) for m in selector.matchers for x in ("a", "b.c", "bxc")
    ] == [
        True,
        True,
        False,
    ]


def test_by_may_stand_first() -> None:
    assert parse("sum by (a) (m)") == parse("sum(m) by (a)")


def test_escapes_in_strings() -> None:
    node = parse(r"""m{a="q\"\\\n", b='é'}""")

    assert isinstance(node, Selector)
    assert [matcher.value for matcher in node.matchers] == ['q"\\\n', "é"]


@pytest.mark.parametrize(
    ("label", "operator", "value", "matches"),
    [
        ("a", "=", "x", True),
        ("a", "!=", "x", False),
        ("b", "=", "", True),
        ("a", "=~", "x|y", True),
        ("a", "=~", "", False),
        ("a", "!~", "xx", True),
    ],
)
def test_matchers(label: str, operator: str, value: str, *, matches: bool) -> None:
    node = parse(f'm{{{label}{operator}"{value}"}}')

    assert isinstance(node, Selector)
    assert node.matchers[0].matches({"a": "x"}) is matches


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m{",
        'm{a="b}',
        "m[5m",
        "m[5m]",
        "max(m[5m])",
        "max_over_time(m)",
        "abs(m[5m])",
        "rate(m[5m])",
        "m + 1",
        "max(m) by id",
        'm{a=~"("}',
        "max(m) max(m)",
        r'm{a="\q"}',
        "max(m) without (a)",
    ],
)
def test_what_it_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse(text)


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("60", 60), ("500ms", 0.5)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds
