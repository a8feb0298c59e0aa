# SPDX-License-Identifier: Apache-2.0
"""Reading back follows the rules of DataFrame.from_dict, whatever a script has left."""

from __future__ import annotations

import copy
import datetime as dt
from collections import OrderedDict, UserDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty.dataframe import DataFrame
from cloudkitty.sandbox import frames

BEGIN = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


def data() -> dict[str, Any]:
    def point(**more):
        return {
            "vol": {"unit": "GiB", "qty": Decimal("1.5")},
            "rating": {"price": Decimal("0.1")},
            "groupby": {"project_id": "p"},
            "metadata": {"flavor": "m1", "n": 1},
            **more,
        }

    return {
        "period": {"begin": BEGIN, "end": BEGIN + dt.timedelta(hours=1)},
        "usage": {"volume": [point(), point()], "instance": [point()]},
    }


class Text(str):
    __slots__ = ()


VALUES = st.sampled_from(
    [
        None, True, 0, 1, -3, 0.1, 0.1 + 0.2, 1e22, "7", " 7 ", "1e3", "1_000", "free", "", "GiB",
        Decimal("0.10"), b"x", [], {}, (), [1], {"a": 1}, {"unit": "x", "qty": 1},
        [("a", 1)], "ab", ["ab"], OrderedDict(price=3), UserDict(a=1), MappingProxyType({"a": 1}),
        Text("t"), object, BEGIN, "2024-05-01", "2024-05-01T10:00:00+02:00", "yesterday",
        {"price": 5}, {"price": "x"}, {"price": 1, "other": 2}, 10**30, {1: 2}, {"k"},
    ]
)  # fmt: skip
PATHS = st.sampled_from(
    [
        (), ("period",), ("period", "begin"), ("period", "end"), ("period", "new"), ("usage",),
        ("new",), ("usage", "instance"), ("usage", "other"), ("usage", 5), ("usage", "volume", 1),
        ("usage", "volume", 0, "vol"), ("usage", "volume", 0, "vol", "qty"),
        ("usage", "volume", 0, "vol", "unit"), ("usage", "volume", 0, "vol", "new"),
        ("usage", "volume", 1, "rating"), ("usage", "volume", 1, "rating", "price"),
        ("usage", "volume", 1, "rating", "new"), ("usage", "volume", 1, "groupby"),
        ("usage", "volume", 1, "metadata"), ("usage", "volume", 1, "metadata", "flavor"),
        ("usage", "volume", 1, "new"),
    ]
)  # fmt: skip
GONE = object()


def changed(path, value):
    found: Any = data()
    if not path:
        return value
    at = found
    for name in path[:-1]:
        at = at[name]
    if value is GONE:
        if isinstance(at, list):
            at.pop()
        else:
            at.pop(path[-1], None)
    else:
        at[path[-1]] = value
    return found


def plain(frame):
    return frame.as_dict(mutable=True) if isinstance(frame, DataFrame) else frame.as_dict()


@given(PATHS, VALUES | st.just(GONE))
def test_reading_back(path, value):
    left = changed(path, value)
    if left is GONE:
        return
    try:
        expected = plain(DataFrame.from_dict(copy.copy(left)))
    except (ValueError, TypeError, ArithmeticError):
        with pytest.raises(frames.RefusedError):
            frames.read({"data": left}, dt.UTC)
        return
    got = plain(frames.read({"data": left}, dt.UTC))
    assert got == expected
    assert list(got["usage"]) == list(expected["usage"])
    for metric, points in expected["usage"].items():
        for one, other in zip(got["usage"][metric], points, strict=True):
            assert str(one["rating"]["price"]) == str(other["rating"]["price"])
            assert repr(one["metadata"]) == repr(other["metadata"])


def test_what_is_gone():
    with pytest.raises(frames.RefusedError, match="there is no 'data' any more"):
        frames.read({}, dt.UTC)
