# SPDX-License-Identifier: Apache-2.0
"""Data frames in bodies: what is read, and what is refused with a word on why."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal

import pytest
import voluptuous as vol

from cloudkitty.api.v2 import frames

POINT = {
    "vol": {"unit": "GiB", "qty": "10.1"},
    "rating": {"price": Decimal("0.337")},
    "groupby": {"id": "v", "n": 3, "yes": True, "none": None, "f": Decimal("1.50")},
    "metadata": {"type": "ssd", "n": 3, "yes": True, "none": None, "f": Decimal("1.50")},
}
FRAME = {
    "period": {"begin": "2026-11-01T00:00:00+00:00", "end": "2026-11-01T01:00:00+00:00"},
    "usage": {"volume.size": [POINT]},
}


def test_a_frame_is_read():
    (frame,) = frames.read({"dataframes": [FRAME]})["dataframes"]

    assert frame.start == dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    assert frame.end == dt.datetime(2026, 11, 1, 1, tzinfo=dt.UTC)
    ((metric, point),) = frame.iterpoints()
    assert metric == "volume.size"
    assert (point.unit, point.qty, point.price) == ("GiB", Decimal("10.1"), Decimal("0.337"))
    assert point.groupby == {"id": "v", "n": "3", "yes": "True", "none": None, "f": "1.5"}
    assert point.metadata == {"type": "ssd", "n": 3, "yes": True, "none": None, "f": 1.5}
    assert isinstance(point.metadata["f"], float)


def test_price_is_optional_and_labels_may_be_an_empty_list():
    given = copy.deepcopy(FRAME)
    point = given["usage"]["volume.size"][0]
    del point["rating"]
    point.update(groupby=[], metadata=[])
    point["vol"]["unit"] = ""

    (frame,) = frames.read({"dataframes": [given]})["dataframes"]

    ((_metric, read),) = frame.iterpoints()
    assert (read.price, read.groupby, read.metadata, read.unit) == (0, {}, {}, "undefined")


@pytest.mark.parametrize("usage", [{}, {"cpu": []}])
def test_frames_without_points(usage):
    (frame,) = frames.read({"dataframes": [{**FRAME, "usage": usage}]})["dataframes"]

    assert list(frame.iterpoints()) == []


def at(path, value):
    """Give the frame with `value` at a dotted path; ... takes the key away."""
    given = copy.deepcopy(FRAME)
    *above, last = path.split("/")
    place = given
    for key in above:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if value is ...:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return given


P = "usage/volume.size/0"
W = "usage 'volume.size', point 0"


@pytest.mark.parametrize(
    ("path", "value", "detail"),
    [
        ("period", ..., "frame: period is missing"),
        ("more", 1, "frame: unknown key 'more'"),
        ("period/begin", "yesterday", "period.begin: not a valid date"),
        ("period/begin", 5, "period.begin: not a valid date"),
        ("period/end", "2026-11-01T00:00:00Z", "period.end: must be after period.begin"),
        ("usage", [], "usage: expected an object"),
        ("usage/volume.size", {}, "usage 'volume.size': expected a list"),
        (P, 1, f"{W}: expected an object"),
        (f"{P}/vol", ..., f"{W}: vol is missing"),
        (f"{P}/desc", {}, f"{W}: unknown key 'desc'"),
        (f"{P}/vol/unit", None, f"{W}: vol.unit: expected a text"),
        (f"{P}/vol/qty", None, f"{W}: vol.qty: expected a number"),
        (f"{P}/vol/qty", True, f"{W}: vol.qty: expected a number"),
        (f"{P}/vol/qty", "abc", f"{W}: vol.qty: expected a number"),
        (f"{P}/vol/qty", "NaN", f"{W}: vol.qty: expected a number"),
        (f"{P}/vol/qty", "", f"{W}: vol.qty: expected a number"),
        (f"{P}/vol/qty", Decimal("NaN"), f"{W}: vol.qty: expected a finite number"),
        (f"{P}/rating", None, f"{W}: rating: expected an object"),
        (f"{P}/rating/price", "dear", f"{W}: rating.price: expected a number"),
        (f"{P}/rating/price", Decimal("Infinity"), f"{W}: rating.price: expected a finite number"),
        (f"{P}/groupby", "x", f"{W}: groupby: expected an object"),
        (f"{P}/groupby/id", [], f"{W}: groupby.id: expected a text, a number, a boolean or null"),
        (f"{P}/metadata/n", Decimal("1e999"), f"{W}: metadata.n: expected a finite number"),
        (f"{P}/metadata/n", "\0", f"{W}: metadata.n: not a valid text"),
        (f"{P}/metadata/n", "\ud800", f"{W}: metadata.n: not a valid text"),
    ],
)
def test_what_is_wrong_is_named(path, value, detail):
    with pytest.raises(frames.FrameInvalid) as caught:
        frames.read({"dataframes": [FRAME, at(path, value)]})

    assert caught.value.msg == "not a valid value"
    assert caught.value.path == ["dataframes", 1]
    assert caught.value.detail == detail


@pytest.mark.parametrize("body", [[], None, {}, {"dataframes": {}}, {"dataframes": [], "x": 1}])
def test_other_bodies_are_refused(body):
    with pytest.raises(vol.Invalid):
        frames.read(body)
