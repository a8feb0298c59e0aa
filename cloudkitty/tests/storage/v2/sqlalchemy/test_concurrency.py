# SPDX-License-Identifier: Apache-2.0
"""Several writers at once, of new series and of the same points, on every engine."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage, models
from cloudkitty.usage import ScopeUsage, Series

DAY = 86400
START = 19800 * DAY
EVER = {"begin": timeutils.from_epoch(0), "end": timeutils.from_epoch(4_000_000_000)}
WRITERS = 4


def together(function: object) -> None:
    barrier = threading.Barrier(WRITERS)

    def one(number: int) -> None:
        barrier.wait()
        function(number)  # type: ignore[operator]

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(one, range(WRITERS)))


def push_all(number: int) -> None:
    # A storage of its own has a memory of its own, like another process.
    storage = SQLAlchemyStorage()
    for day in range(3):
        begin = timeutils.from_epoch(START + day * DAY)
        end = timeutils.from_epoch(START + day * DAY + 3600)
        points = [
            DataPoint("u", 1, Decimal("0.1"), {"id": str(i), "project_id": f"p{i % 3}"}, {})
            for i in range(20)
        ]
        order = points if number % 2 else points[::-1]
        storage.push([DataFrame(begin, end, {"cpu": order})])


def test_equal_pushes_at_once_store_each_point_once(database: str) -> None:
    together(push_all)
    storage = SQLAlchemyStorage()
    found = storage.total(custom_fields="COUNT(qty) AS n, SUM(price) AS p", **EVER)["results"]
    assert [(row["n"], row["p"]) for row in found] == [(60, Decimal("6.0"))]


def test_pushes_into_rolled_days_while_they_are_rolled(database: str) -> None:
    push_all(1)

    def work(number: int) -> None:
        if number % 2:
            push_all(number)
        else:
            SQLAlchemyStorage().roll_up_closed_days(timeutils.from_epoch(START + 10 * DAY))

    together(work)
    SQLAlchemyStorage().roll_up_closed_days(timeutils.from_epoch(START + 10 * DAY))
    with db.session_for_read() as session:
        assert session.scalar(sa.select(sa.func.sum(models.Daily.points))) == 60
        assert session.scalar(sa.select(sa.func.count()).select_from(models.Point)) == 60


def test_commits_of_different_scopes_at_once(database: str) -> None:
    begins = [START + hour * 3600 for hour in range(24)]

    def work(number: int) -> None:
        storage = SQLAlchemyStorage()
        for scope in range(5):
            name = f"{number}-{scope}"
            series = Series(
                "cpu",
                "u",
                ImmutableDict(id="a", project_id=name),
                ImmutableDict(),
                None,
                True,  # noqa: FBT003
                begins,
                [Decimal(1)] * 24,
                [Decimal("0.5")] * 24,
            )
            usage = ScopeUsage(name, 3600, begins, [series])
            storage.commit([usage], lambda _session, name=name: [name])

    together(work)
    found = SQLAlchemyStorage().total(groupby=["project_id"], **EVER)["results"]
    assert {row["rate"] for row in found} == {Decimal("12.0")}
    assert len(found) == 5 * WRITERS
