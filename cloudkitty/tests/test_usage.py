# SPDX-License-Identifier: Apache-2.0
"""The columnar form of usage says the same as frames."""

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.usage import ScopeUsage, Series, series_of_frames

PERIOD = 3600
BEGIN = timeutils.to_epoch(dt.datetime(2024, 2, 28, 22, tzinfo=dt.UTC))

labels = st.dictionaries(st.sampled_from(["id", "flavor", "month"]), st.sampled_from("abc"))
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=3)


@st.composite
def scope_usages(draw):
    begins = [BEGIN + i * PERIOD for i in range(draw(st.integers(1, 4)))]
    series = []
    for _ in range(draw(st.integers(0, 5))):
        own = sorted(draw(st.sets(st.sampled_from(begins), min_size=1)))
        calendar = draw(st.booleans())
        groupby = draw(labels)
        if calendar:
            groupby.pop("month", None)
        series.append(
            Series(
                draw(st.sampled_from(["cpu", "vol"])),
                "u",
                ImmutableDict(groupby),
                ImmutableDict(draw(labels)),
                None,
                calendar,
                own,
                [draw(numbers) for _ in own],
                [draw(numbers) for _ in own],
            ),
        )
    series.sort(key=lambda s: s.metric)
    return ScopeUsage("p", PERIOD, begins, series)


def frames_text(usage):
    return [
        sorted(map(repr, [(f.start, f.end, t, p) for t, p in f.iterpoints()]))
        for f in usage.frames()
    ]


@given(scope_usages())
def test_frames_and_back(usage):
    again = ScopeUsage(usage.scope_id, usage.period, usage.begins)
    again.replace_from_frames(usage.frames())
    assert frames_text(again) == frames_text(usage)
    assert again.points == usage.points


def test_date_keys_are_implied_and_restored():
    keys = timeutils.calendar_keys(BEGIN)
    start = timeutils.from_epoch(BEGIN)
    carried = DataPoint("u", 1, 0, {"id": "a", **keys}, {})
    foreign = DataPoint("u", 1, 0, {"id": "b", **keys, "month": "7"}, {})
    frame = DataFrame(start, start + dt.timedelta(hours=1), {"cpu": [carried, foreign]})
    first, second = series_of_frames([frame])
    assert first.calendar
    assert first.groupby == {"id": "a"}
    assert not second.calendar
    assert second.groupby["month"] == "7"
    assert first.point(0) == carried
    assert second.point(0) == foreign


def test_equal_points_of_one_frame_all_survive():
    start = timeutils.from_epoch(BEGIN)
    same = [DataPoint("u", q, 0, {"id": "a"}, {}) for q in (1, 2)]
    frame = DataFrame(start, start + dt.timedelta(hours=1), {"cpu": same})
    assert sorted(s.qtys[0] for s in series_of_frames([frame])) == [Decimal(1), Decimal(2)]


def test_labels_that_only_python_calls_equal_stay_apart():
    values = [1, True, 1.0, "1", Decimal(1)]
    frames = [
        DataFrame(
            timeutils.from_epoch(BEGIN + i * PERIOD),
            timeutils.from_epoch(BEGIN + (i + 1) * PERIOD),
            {"cpu": [DataPoint("u", 1, 0, {"id": "a"}, {"n": value})]},
        )
        for i, value in enumerate(values)
    ]
    assert [repr(s.metadata["n"]) for s in series_of_frames(frames)] == list(map(repr, values))
