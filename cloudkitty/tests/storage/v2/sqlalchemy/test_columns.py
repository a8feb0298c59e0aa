# SPDX-License-Identifier: Apache-2.0
"""Points by series: everything once, in slices; and what nobody rated, told apart."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.storage.v2.base import Column
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage, columns
from cloudkitty.tests.simulation.cloud import DAY, HOUR, START, post, store, usages

HASHMAP = "hashmap: {services: {instance: {mappings: [{cost: 2}]}}}\n"
LIMITS = timeutils.from_epoch(START), timeutils.from_epoch(START + 3 * DAY)


@pytest.fixture
def cloud(database: str) -> SQLAlchemyStorage:
    storage = SQLAlchemyStorage()
    store(storage, usages(), HASHMAP)
    post(storage, "c", 47, "5")
    post(storage, "a", 65, "5")
    # Two points alike, which name two scopes.
    start, end = (timeutils.from_epoch(START + at * HOUR) for at in (3, 4))
    twice = [DataPoint("u", n, 1, {"project_id": "a"}, {"project_id": "b"}) for n in (7, 8)]
    storage.push([DataFrame(start, end, {"instance": twice})])
    return storage


def points(slices: list[list[Column]]) -> list[tuple[object, ...]]:
    return sorted(
        (str(one.scope), one.metric, one.groupby.get("id", ""), begin, qty, price, one.posted)
        for some in slices
        for one in some
        for begin, qty, price in zip(one.begins, one.qtys, one.prices, strict=True)
    )


def read(at_once: int, **wanted: object) -> list[list[Column]]:
    limits = (START, START + 3 * DAY)
    with db.session_for_read() as session:
        asked = columns.Wanted(limits, "project_id", **wanted)  # type: ignore[arg-type]
        return list(columns.read(session, asked, HOUR, at_once))


def test_every_point_once(cloud: SQLAlchemyStorage) -> None:
    progress: list[float] = []
    with cloud.columns(*LIMITS, progress=progress.append) as slices:
        whole = list(slices)
    total = cloud.retrieve(*LIMITS, paginate=False)
    expected = sorted(
        (
            "None" if "project_id" in point.metadata else point.groupby["project_id"],
            metric,
            point.groupby.get("id", ""),
            timeutils.to_epoch(frame.start),
            point.qty,
            point.price,
        )
        for frame in total["dataframes"]
        for metric, point in frame.iterpoints()
    )
    assert [point[:-1] for point in points(whole)] == expected
    assert {point[2] or point[0] for point in points(whole) if point[-1]} == {"p", "None"}
    assert progress[-1] == 1
    assert progress == sorted(progress)
    # Begins ascend; what is alike in one period is in columns of its own.
    for one in (column for some in whole for column in some):
        assert one.begins == sorted(set(one.begins))
    for at_once in (1, 100, 1500):
        slices_ = read(at_once)
        assert points(slices_) == points(whole)
        for scope in ("a", "b"):
            # Everything of a scope in a period is in one slice.
            periods = [
                {begin for one in some if one.scope == scope for begin in one.begins}
                for some in slices_
            ]
            assert sum(map(len, periods)) == len(set().union(*periods))


def test_only_some(cloud: SQLAlchemyStorage) -> None:
    whole = points(read(10_000))
    of_a = points(read(10_000, scopes=["a"]))
    assert of_a == [point for point in whole if point[0] in {"a", "None"}]
    ids = {one.id for some in read(10_000) for one in some if one.metric == "volume"}
    for at_once in (50, 10_000):
        found = points(read(at_once, ids=ids))
        assert found == [point for point in whole if point[1] == "volume"]


def test_sums_tell_what_nobody_rated(cloud: SQLAlchemyStorage) -> None:
    cuts = [timeutils.from_epoch(START + DAY)]
    with cloud.series_sums(*LIMITS, cuts, posted_apart=True) as series:
        found = list(series)
    sums: dict[tuple[str, bool], Decimal] = {}
    for one in found:
        for portion in one.portions:
            key = str(one.scope), portion.posted
            sums[key] = sums.get(key, Decimal(0)) + portion.price
    # Two instances, one of them for 35 hours.
    rated = 2 * (60 + 35)
    assert sums == {
        ("a", False): rated,
        ("b", False): rated,
        ("Ä", False): rated,
        ("a", True): 5,
        ("c", True): 5,
        ("None", True): 2,
    }
    with cloud.series_sums(*LIMITS, cuts, scopes=["c"], posted_apart=True) as series:
        assert {str(one.scope) for one in series} == {"c", "None"}
    with cloud.series_sums(*LIMITS) as series:
        together = [portion for one in series for portion in one.portions]
    assert sum(portion.points for portion in together) == sum(
        portion.points for one in found for portion in one.portions
    )
    assert not any(portion.posted for portion in together)


def test_digits(cloud: SQLAlchemyStorage, engine_name: str) -> None:
    start, end = (timeutils.from_epoch(START + at * HOUR) for at in (70, 71))
    given = {"whole": "20", "cut": "1.50", "small": "0.001", "none": "0", "all": f"1E-{28}"}
    frame = [
        DataPoint("u", Decimal(n), 1, {"project_id": "a", "id": i}, {}) for i, n in given.items()
    ]
    cloud.push([DataFrame(start, end, {"size": frame})])
    with cloud.columns(*LIMITS) as slices:
        found = [one for some in slices for one in some if one.metric == "size"]
    names = {one.id: one.groupby["id"] for one in found}

    digits = cloud.digits(*LIMITS, [*names, 999_999])
    if engine_name != "mysql":
        # Numbers come back with the digits that they had, or fewer: sums say it all.
        assert digits == {}
        return
    assert {names[id_]: count for id_, count in digits.items()} == {
        "whole": 0,
        "cut": 1,
        "small": 3,
        "none": 0,
        "all": 28,
    }
    assert cloud.digits(start - (end - start), start, names) == {}
