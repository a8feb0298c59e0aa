# SPDX-License-Identifier: Apache-2.0
"""Replacing periods and setting scopes back: what readers see, and what stays."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage, models
from cloudkitty.usage import ScopeUsage, Series

P = 3600
DAY = 86400
START = 19800 * DAY
EVER: dict[str, Any] = {
    "begin": timeutils.from_epoch(0),
    "end": timeutils.from_epoch(4_000_000_000),
}


def usage(hours: range, price: str, *, scope: str = "p", ids: str = "ab") -> ScopeUsage:
    begins = [START + hour * P for hour in hours]
    series = [
        Series(
            "cpu",
            "u",
            ImmutableDict(id=id_, project_id=scope),
            ImmutableDict(),
            begins=list(begins),
            qtys=[Decimal(1)] * len(begins),
            prices=[Decimal(price)] * len(begins),
        )
        for id_ in ids
    ]
    return ScopeUsage(scope, P, begins, series)


def move(storage: SQLAlchemyStorage, what: ScopeUsage, how: str) -> None:
    assert getattr(storage, how)([what], lambda _session: [what.scope_id])


def rate(storage: SQLAlchemyStorage, **arguments: Any) -> Decimal:
    [row] = storage.total(**EVER, **arguments)["results"]
    found: Decimal = row["rate"]
    return found


def push(storage: SQLAlchemyStorage, hour: float, **labels: str) -> None:
    begin = timeutils.from_epoch(int(START + hour * P))
    point = DataPoint("u", 1, 1000, {"id": "x", "project_id": "p", **labels}, {})
    storage.push([DataFrame(begin, begin + dt.timedelta(hours=1), {"cpu": [point]})])


def test_readers_see_the_old_or_the_new(database: str) -> None:
    storage = SQLAlchemyStorage(period=P)
    move(storage, usage(range(60), "1"), "commit")
    stop = threading.Event()
    seen: set[Decimal] = set()

    def read() -> None:
        reader = SQLAlchemyStorage(period=P)
        while not stop.is_set():
            seen.add(rate(reader))
            frames = reader.retrieve(paginate=False, **EVER)["dataframes"]
            seen.add(sum(p.price for f in frames for _metric, p in f.iterpoints()))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for price in ("3", "1", "3", "1") * 3:
            # Half a day, a whole one, and half of one that is not rolled up.
            move(storage, usage(range(12, 54), price), "replace")
    finally:
        stop.set()
        thread.join(30)
    assert seen <= {Decimal(120), Decimal(120 + 42 * 2 * 2)}
    assert len(seen) == 2


def test_what_was_rolled_up_is_again(database: str) -> None:
    storage = SQLAlchemyStorage(period=P)
    move(storage, usage(range(48), "1"), "commit")
    move(storage, usage(range(5, 8), "2", ids="abc"), "replace")
    with db.session_for_read() as session:
        assert not session.scalar(
            sa.select(sa.func.count()).where(models.Period.rolled == sa.false()),
        )
        days = dict(
            session.execute(
                sa.select(models.Daily.day, sa.func.sum(models.Daily.points)).group_by(
                    models.Daily.day,
                ),
            ).all(),
        )
    assert days == {19800: 48 + 3, 19801: 48}
    assert rate(storage) == 96 - 6 + 18


def test_points_that_name_two_scopes_are_those_of_their_groupby(database: str) -> None:
    storage = SQLAlchemyStorage(period=P)
    move(storage, usage(range(4), "1"), "commit")
    begin = timeutils.from_epoch(START + 2 * P)
    for id_, mine, other in (("y", "p", "q"), ("z", "q", "p")):
        point = DataPoint("u", 1, 1000, {"id": id_, "project_id": mine}, {"project_id": other})
        storage.push([DataFrame(begin, begin + dt.timedelta(hours=1), {"cpu": [point]})])
    move(storage, usage(range(1, 3), "2"), "replace")
    assert rate(storage) == 4 + 8 + 1000


def test_another_scope_is_left_alone(database: str) -> None:
    storage = SQLAlchemyStorage(period=P)
    for scope in ("p", "P", "p2"):
        move(storage, usage(range(30), "1", scope=scope), "commit")
    move(storage, usage(range(30), "5"), "replace")
    rows = storage.total(["project_id"], **EVER)["results"]
    assert {row["project_id"]: row["rate"] for row in rows} == {"p": 300, "P": 60, "p2": 60}


def test_nothing_is_replaced_unless_the_scope_moves(database: str) -> None:
    storage = SQLAlchemyStorage(period=P)
    move(storage, usage(range(3), "1"), "commit")
    assert not storage.replace([usage(range(3), "5")], lambda _session: [])
    assert rate(storage) == 6


@pytest.mark.parametrize("period", [P, DAY])
def test_setting_back_keeps_the_period_it_is_set_to(database: str, period: int) -> None:
    storage = SQLAlchemyStorage(period=period)
    for scope in ("p", "q"):
        move(storage, usage(range(48), "1", scope=scope), "commit")
    last = timeutils.from_epoch(START)
    assert storage.rewind({"project_id": "p"}, lambda _session: last)
    assert rate(storage, filters={"project_id": "p"}) == 2 * (period // P)
    assert rate(storage, filters={"project_id": "q"}) == 96


def test_what_was_posted_goes_from_that_time_on(database: str) -> None:
    storage = SQLAlchemyStorage(period=P)
    move(storage, usage(range(3), "1"), "commit")
    for hour in (2, 4, 5, 5.5, 6, 7):
        push(storage, hour)
    storage.roll_up_closed_days(timeutils.from_epoch(START + DAY))
    last = timeutils.from_epoch(START + 5 * P)
    assert storage.rewind({"project_id": "p"}, lambda _session: last)
    # Of hour 2 and 4; that of a rated period stays with it.
    assert rate(storage) == 6 + 2000
    last = timeutils.from_epoch(START + 2 * P)
    assert storage.rewind({"project_id": "p"}, lambda _session: last)
    assert rate(storage) == 6 + 1000


def test_nothing_goes_unless_the_scope_is_set_back(database: str) -> None:
    storage = SQLAlchemyStorage(period=P)
    move(storage, usage(range(3), "1"), "commit")
    assert not storage.rewind({"project_id": "p"}, lambda _session: None)

    def fails(_session: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        storage.rewind({"project_id": "p"}, fails)
    assert rate(storage) == 6
