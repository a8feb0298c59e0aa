# SPDX-License-Identifier: Apache-2.0
"""Points that are not worth storing are left out; nothing else can be done with the text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty.dataframe import ImmutableDict
from cloudkitty.processor import skip
from cloudkitty.usage import Series

POINT: dict[str, Any] = {
    "vol": {"unit": "GiB", "qty": Decimal("1.5")},
    "rating": {"price": Decimal("0.2")},
    "groupby": {"id": "i1", "project_id": "p1", "month": "3"},
    "metadata": {"flavor": "m1.small", "empty": ""},
}


@pytest.mark.parametrize(
    "text",
    [
        'datapoint.get("vol", {}).get("qty", 0) == 0',
        "datapoint['vol']['qty'] > 1 and datapoint['rating']['price'] < 1",
        "not datapoint['metadata'].get('empty')",
        "datapoint['groupby']['id'] in ('i1', 'i2') or nothing",
        "datapoint['metadata']['flavor'].startswith('m1') if True else False",
        "any(v == 'p1' for v in datapoint['groupby'].values())",
        "[k for k, v in datapoint['groupby'].items() if v != '3'] == ['id', 'project_id']",
        "{k: len(v) for k, v in datapoint['groupby'].items()}['id'] == 2",
        "sum([float(datapoint['vol']['qty']), 1.5]) == 3",
        "1 < datapoint['vol']['qty'] < 2 != 3",
        "max(1, 2) == 2 and min([3, 4], default=0) == 3",
        "round(Decimal('1.25'), 1) == Decimal('1.2')",
        "2 ** 3 % 5 // 2 + -1 * +1 - 4 / 2 == -2",
        "datapoint['metadata']['flavor'].split('.')[-1][0:2].upper().strip() == 'SM'",
        "datapoint.get('nothing') is None",
        "{1, 2} == {i for i in [1, 2, 1]}",
        "abs(int('-3')) == 3 and bool(str(1)) and all([])",
        "False",
    ],
)
def test_gives_what_python_gives(text: str) -> None:
    if text.endswith("nothing"):
        with pytest.raises(skip.InvalidExpression, match="unknown name 'nothing'"):
            skip.compile_expression(text)
        return
    expected = bool(eval(text, {"Decimal": Decimal}, {"datapoint": POINT}))
    assert skip.compile_expression(text)(POINT) is expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid syntax"),
        ("datapoint.", "invalid syntax"),
        ("x = 1", "invalid syntax"),
        ("datapoints == 1", "unknown name 'datapoints'"),
        ("self", "unknown name 'self'"),
        ("__import__('os').system('id')", r"a call of '__import__\('os'\).system' is not allowed"),
        ("open('/etc/passwd')", "unknown function 'open'"),
        ("datapoint.__class__", "Attribute is not allowed"),
        ("datapoint.pop('vol')", "a call of 'datapoint.pop' is not allowed"),
        ("datapoint.clear()", "is not allowed"),
        ("'{0.__class__}'.format(datapoint)", "is not allowed"),
        ("f'{datapoint}'", "JoinedStr is not allowed"),
        ("lambda: 1", "Lambda is not allowed"),
        ("(x := 1)", "NamedExpr is not allowed"),
        ("float", "unknown name 'float'"),
        ("max(*datapoint)", r"\* and \*\* are not allowed in calls"),
        ("dict(**datapoint)", r"\* and \*\* are not allowed in calls"),
        ("{**datapoint}", r"\*\* is not allowed"),
        ("[*datapoint]", "Starred is not allowed"),
        ("[i for i in datapoint] and i", "unknown name 'i'"),
        ("[x for x.y in datapoint]", "cannot be assigned to"),
        ("~1", "Invert is not allowed"),
        ("1 << 9", "LShift is not allowed"),
        ("b'x'", "a literal b'x' is not allowed"),
        ("1j", "a literal 1j is not allowed"),
        ("(" * 500 + ")" * 500, "."),
        ("-" * 9000 + "1", "."),
        ("1" * 20_000, "longer than"),
        ("\0", "."),
    ],
)
def test_anything_else_is_refused_naming_metric_and_text(text: str, reason: str) -> None:
    with pytest.raises(skip.InvalidExpression, match=reason) as caught:
        skip.compile_expression(text, "cpu@#instance")
    assert str(caught.value).startswith("metric 'cpu@#instance': skip_datapoints_expression ")


@pytest.mark.parametrize(
    "text",
    [
        "'x' * 1000000000 != ''",
        "[1] * 1000000000 != []",
        "9 ** 9 ** 9 ** 9 > 1",
        "(((9 ** 999) ** 999) ** 999) ** 999 > 1",
        "'%999999999d' % 1 != ''",
        "datapoint['no'] == 1",
        "datapoint['vol']['qty'] + 1.5 > 0",
        "datapoint['vol']['qty'].get('x')",
        "[].get(1)",
        "Decimal('x') == 1",
        "1 / 0 == 1",
    ],
)
def test_a_point_for_which_it_fails_is_kept_and_that_is_told_once(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    expression = skip.compile_expression(text, "cpu")
    assert expression(POINT) is False
    assert expression(POINT) is False
    assert caplog.text.count("metric 'cpu': skip_datapoints_expression") == 1


def test_each_metric_has_its_own_or_the_common_one() -> None:
    found = skip.expressions(
        {"a": {}, "b": {"skip_datapoints_expression": "datapoint['vol']['qty'] == 1.5"}}, "False"
    )
    assert found["a"].never
    assert not found["b"].never
    assert found["b"](POINT)


def series(**changes: Any) -> Series:
    return Series(
        "cpu",
        "GiB",
        ImmutableDict(changes.pop("groupby", {"project_id": "p"})),
        ImmutableDict(changes.pop("metadata", {})),
        begins=[0, 3600, 7200],
        qtys=[Decimal(0), Decimal(1), Decimal("0.0")],
        prices=[Decimal(0), Decimal(2), Decimal(4)],
        **changes,
    )


def test_points_are_dropped_from_a_series_in_place() -> None:
    usage = series()
    assert skip.drop(usage, skip.compile_expression("datapoint['vol']['qty'] == 0")) == 2
    assert (usage.begins, usage.qtys, usage.prices) == ([3600], [Decimal(1)], [Decimal(2)])
    assert skip.drop(usage, skip.compile_expression("datapoint['rating']['price'] > 1")) == 1
    assert usage.begins == []


def test_date_keys_of_the_period_can_be_asked_for() -> None:
    usage = series()
    text = "datapoint['groupby'].get('day_of_the_year') == '1'"
    assert skip.drop(usage, skip.compile_expression(text)) == 3
    usage = series(calendar=False)
    assert skip.drop(usage, skip.compile_expression(text)) == 0


@given(
    st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=3), max_size=8),
    st.sampled_from(["datapoint['vol']['qty'] > 1", "datapoint['vol']['qty'] == 0", "False", "1"]),
)
def test_a_series_loses_what_its_points_would(qtys: list[Decimal], text: str) -> None:
    usage = Series(
        "cpu",
        "u",
        ImmutableDict(project_id="p"),
        ImmutableDict(),
        begins=[3600 * i for i in range(len(qtys))],
        qtys=list(qtys),
        prices=[Decimal(1)] * len(qtys),
    )
    expression = skip.compile_expression(text)
    points = [usage.point(i) for i in range(len(qtys))]
    kept = [p.qty for p in points if not expression(p.as_dict(mutable=True))]
    skip.drop(usage, expression)
    assert usage.qtys == kept
