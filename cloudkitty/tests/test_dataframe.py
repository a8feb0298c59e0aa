# SPDX-License-Identifier: Apache-2.0
"""DataPoint and DataFrame behave as plugins expect (contract storage.md 1, rating.md 2.5)."""

import copy
import datetime as dt
import decimal
import json
import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict

START = dt.datetime(2024, 1, 15, 10, tzinfo=dt.UTC)
END = START + dt.timedelta(hours=1)


def point(**changes):
    values = {
        "unit": "GiB",
        "qty": Decimal("1.5"),
        "price": Decimal("0.25"),
        "groupby": {"id": "a", "project_id": "p"},
        "metadata": {"flavor": "m1", "id": "shadowed"},
    }
    return DataPoint(**{**values, **changes})


def as_wire(**changes):
    wire = {
        "vol": {"unit": "GiB", "qty": "1.5"},
        "rating": {"price": 0.25},
        "groupby": {"id": "a"},
        "metadata": {},
    }
    wire.update(changes)
    return wire


@pytest.mark.parametrize(
    ("given_value", "stored"),
    [(1.1, "1.1"), (1, "1"), ("2.50", "2.50"), (True, "1"), (Decimal("3e2"), "3E+2")],
)
def test_numbers_become_decimals_through_their_text(given_value, stored):
    assert str(point(qty=given_value).qty) == stored
    assert str(point(price=given_value).price) == stored


@pytest.mark.parametrize("unit", ["", None])
def test_empty_unit_is_undefined(unit):
    assert point(unit=unit).unit == "undefined"


def test_numbers_that_are_none():
    with pytest.raises(decimal.InvalidOperation):
        point(qty="abc")
    with pytest.raises(TypeError):
        point(price=None)


def test_point_is_an_immutable_tuple():
    one = point()
    unit, qty, _price, groupby, _metadata, description = one
    assert (unit, qty, groupby, description) == (
        "GiB",
        Decimal("1.5"),
        {"id": "a", "project_id": "p"},
        None,
    )
    assert one[0] == "GiB"
    assert one == point()
    assert hash(one) == hash(point())
    with pytest.raises(AttributeError):
        one.qty = 3
    with pytest.raises(TypeError, match="immutable"):
        one.groupby["id"] = "b"
    for change in ("update", "pop", "clear", "setdefault", "popitem"):
        with pytest.raises(TypeError, match="immutable"):
            getattr(one.metadata, change)()


def test_set_price_converts_nothing_and_leaves_the_original():
    one = point()
    assert one.set_price("7").price == "7"
    assert one.price == Decimal("0.25")


def test_groupby_wins_in_desc():
    assert point().desc == {"flavor": "m1", "id": "a", "project_id": "p"}


def test_as_dict_forms():
    one = point(description="text")
    plain = one.as_dict()
    assert plain == {
        "vol": {"unit": "GiB", "qty": Decimal("1.5")},
        "rating": {"price": Decimal("0.25")},
        "groupby": {"id": "a", "project_id": "p"},
        "metadata": {"flavor": "m1", "id": "shadowed"},
    }
    assert isinstance(plain, ImmutableDict)
    changed = one.as_dict(mutable=True)
    changed["groupby"]["id"] = "z"
    assert one.groupby["id"] == "a"
    legacy = one.as_dict(legacy=True)
    assert set(legacy) == {"vol", "rating", "desc"}
    assert json.loads(one.json())["vol"]["qty"] == 1.5


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (as_wire(vol={"qty": 1}), r"required key not provided @ data\['vol'\]\['unit'\]"),
        (as_wire(vol={"unit": 3, "qty": 1}), r"expected str for dictionary value @ data\['vol'\]"),
        (as_wire(more=1), r"extra keys not allowed @ data\['more'\]"),
        (as_wire(vol={"unit": "u", "qty": "abc"}), "not a valid decimal"),
        (as_wire(vol={"unit": "u", "qty": True}), "not a valid decimal"),
        (as_wire(rating={"price": None}), "not a valid decimal"),
        ({"vol": {"unit": "u", "qty": 1}, "groupby": {}}, "required key not provided"),
    ],
)
def test_from_dict_refuses(wire, reason):
    with pytest.raises(ValueError, match=reason):
        DataPoint.from_dict(wire)


def test_from_dict_defaults_and_legacy():
    assert DataPoint.from_dict({k: v for k, v in as_wire().items() if k != "rating"}).price == 0
    old = {"vol": {"unit": "u", "qty": 1}, "desc": {"id": "x"}}
    assert DataPoint.from_dict(old, legacy=True).groupby == {"id": "x"}
    assert old["groupby"] == {"id": "x"}, "the contract: the dict passed in is changed"


@given(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dictionaries(st.text(), st.text()),
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans())),
)
def test_round_trip(qty, price, groupby, metadata):
    one = DataPoint("u", qty, price, groupby, metadata)
    assert DataPoint.from_dict(one.as_dict()) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert copy.deepcopy(one) == one


def test_frame_sorts_types_and_keeps_lists():
    points = [point()]
    frame = DataFrame(START, END, {"b": points, "a": [point(unit="x")]})
    assert [type_ for type_, _ in frame.itertypes()] == ["a", "b"]
    assert dict(frame.itertypes())["b"] is points
    frame.add_points([point(unit="y")], "b")
    frame.add_point(point(unit="z"), "c")
    assert [(t, p.unit) for t, p in frame.iterpoints()] == [
        ("a", "x"),
        ("b", "GiB"),
        ("b", "y"),
        ("c", "z"),
    ]
    assert repr(frame) == "DataFrame(metrics=[a,b,c])"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("x", END), '"start" must be of type datetime.datetime, not'),
        ((START, 3), '"end" must be of type datetime.datetime, not'),
        ((START, END, []), '"usage" must be a dict, not'),
    ],
)
def test_frame_arguments(arguments, text):
    with pytest.raises(TypeError, match=text):
        DataFrame(*arguments)


def test_frame_from_dict():
    wire = {
        "period": {"begin": "2024-01-15T10:00:00.5", "end": "2024-01-15T13:00:00+02:00"},
        "usage": {"volume": (as_wire(),)},
    }
    frame = DataFrame.from_dict(wire)
    assert (frame.start, frame.end) == (START, END)
    assert frame.start.microsecond == 0
    assert DataFrame.from_dict(frame.as_dict()).as_dict() == frame.as_dict()


def test_frame_times_are_local():
    paris = dt.timezone(dt.timedelta(hours=1))
    timeutils.set_local_timezone(paris)
    wire = {"period": {"begin": "2024-01-15T10:00:00", "end": "2024-01-15T11:00:00"}, "usage": {}}
    assert DataFrame.from_dict(wire).start.isoformat() == "2024-01-15T11:00:00+01:00"


@pytest.mark.parametrize(
    "wire",
    [
        {"usage": {}},
        {"period": {"begin": 5, "end": 6}, "usage": {}},
        {"period": {"begin": "junk", "end": "2024-01-15"}, "usage": {}},
        {"period": {"begin": "2024-01-15", "end": "2024-01-16"}, "usage": []},
        {"period": {"begin": "2024-01-15", "end": "2024-01-16"}, "usage": {"a": {"x": 1}}},
        {"period": {"begin": "2024-01-15", "end": "2024-01-16"}, "usage": {"a": ["x"]}},
        {"period": {"begin": "2024-01-15", "end": "2024-01-16"}, "usage": {}, "more": 1},
    ],
)
def test_frame_from_dict_refuses(wire):
    with pytest.raises(ValueError, match="isn't a valid DataFrame"):
        DataFrame.from_dict(wire)
