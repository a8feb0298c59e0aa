# SPDX-License-Identifier: Apache-2.0
"""Nothing that comes from outside may change the meaning of a query."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty.prometheus import promql


@given(st.text())
def test_a_quoted_value_is_one_string_that_reads_back(value: str) -> None:
    quoted = promql.quote(value)
    assert re.fullmatch(r'"([^"\\\n]|\\[\\"nu])*"', quoted)
    inner = quoted[1:-1].replace("\\ufffd", "\ufffd")
    assert re.sub(r'\\(["\\n])', lambda m: {"n": "\n"}.get(m[1], m[1]), inner) == value


@given(st.text(), st.text())
def test_a_quoted_expression_matches_its_value_only(value: str, other: str) -> None:
    pattern = re.compile(promql.quote_regex(value), re.DOTALL)
    assert pattern.fullmatch(value)
    assert (pattern.fullmatch(other) is not None) == (other == value)


@pytest.mark.parametrize(
    ("values", "matcher"),
    [
        (["a"], 'p="a"'),
        (["a.b"], 'p="a.b"'),
        (["a", "b"], 'p=~"a|b"'),
        (["a.b", "c|d"], r'p=~"a\\.b|c\\|d"'),
        (["", "b"], 'p=~"|b"'),
    ],
)
def test_matchers(values: list[str], matcher: str) -> None:
    assert promql.one_of("p", values) == matcher


@pytest.mark.parametrize("name", ["a", "_a1", "project_id"])
def test_label_names(name: str) -> None:
    assert promql.is_label_name(name)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a.b", "a:b", "a\n", "ä"])
def test_no_label_names(name: str) -> None:
    assert not promql.is_label_name(name)


def test_any_name_of_a_metric_can_be_asked_for() -> None:
    assert promql.select("node:cpu:rate5m", 'a="b"') == 'node:cpu:rate5m{a="b"}'
    assert promql.select("volume.size", 'a="b"') == '{__name__="volume.size",a="b"}'
    assert promql.select('up{a="b"} or x', "c") == '{__name__="up{a=\\"b\\"} or x",c}'


def test_shares_of_a_period() -> None:
    """With a look at every whole minute the range holds as many looks as the period has minutes."""
    extra = {"aggregation_method": "sum", "query_prefix": "", "query_suffix": "", "resolution": 60}
    definition = {"groupby": ["p"], "metadata": [], "extra_args": extra}
    assert promql.MetricQuery.of("vol", definition).render('p="a"', 3600) == (
        'sum((sum_over_time(vol{p="a"}[3599s:60s]) * 60 / 3600)) by (p)'
    )
