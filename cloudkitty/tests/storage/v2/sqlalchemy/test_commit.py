# SPDX-License-Identifier: Apache-2.0
"""commit(): series recognised, days rolled up at once, exactly once with writers competing."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.state import models as state_models
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage, identity, models
from cloudkitty.usage import ScopeUsage, Series

DAY = 86400
START = 19800 * DAY
EVER = {"begin": timeutils.from_epoch(0), "end": timeutils.from_epoch(4_000_000_000)}
STATES = state_models.IdentifierState.__table__


def usage(
    scope: str,
    begins: list[int],
    *,
    groupby: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    resources: int = 1,
) -> ScopeUsage:
    found = ScopeUsage(scope, 3600, begins)
    for number in range(resources):
        labels = {"id": str(number), "project_id": scope, **(groupby or {})}
        prices = [Decimal(number + 1) / 8 for _begin in begins]
        found.series.append(
            Series(
                "cpu",
                "u",
                ImmutableDict(labels),
                ImmutableDict(metadata or {}),
                None,
                True,  # noqa: FBT003
                begins,
                [Decimal(number)] * len(begins),
                prices,
            ),
        )
    return found


def commit(storage: SQLAlchemyStorage, *batch: ScopeUsage) -> None:
    storage.commit(batch, lambda _session: {one.scope_id for one in batch})


def count(table: Any) -> int:
    with db.session_for_read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def compare_and_set(scope: str, old: dt.datetime, new: dt.datetime) -> Callable[[Session], Any]:
    def advance(session: Session) -> Collection[str]:
        moved = session.execute(
            sa.update(STATES)
            .where(STATES.c.identifier == scope, STATES.c.last_processed_timestamp == old)
            .values(last_processed_timestamp=new),
        )
        return [scope] if moved.rowcount == 1 else []  # type: ignore[attr-defined]

    return advance


def test_two_writers_of_one_scope_store_it_once(database: str) -> None:
    days = [timeutils.naive_utc(timeutils.from_epoch(START + n * DAY)) for n in range(5)]
    with db.session_for_write() as session:
        session.execute(
            sa.insert(STATES).values(identifier="p1", last_processed_timestamp=days[0]),
        )
    barrier = threading.Barrier(2)

    def work(_number: int) -> int:
        storage = SQLAlchemyStorage()
        won = 0
        for day in range(4):
            begins = [START + day * DAY + hour * 3600 for hour in range(24)]
            # New series each day: both writers also make the same rows at the same time.
            batch = [usage("p1", begins, groupby={"day": str(day)}, resources=30)]
            barrier.wait()
            won += len(storage.commit(batch, compare_and_set("p1", days[day], days[day + 1])))
            # Whoever lost goes on when the other is done.
            barrier.wait()
        return won

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, range(2))) == 4
    assert count(models.Point) == 4 * 24 * 30
    assert count(models.Series) == 4 * 30
    assert count(models.Daily) == 4 * 30
    expected = 4 * 24 * sum(Decimal(n + 1) / 8 for n in range(30))
    (row,) = SQLAlchemyStorage().total(**EVER)["results"]
    assert row["rate"] == expected


def test_a_day_that_begins_late_is_rolled_up_by_the_commit_that_ends_it(database: str) -> None:
    storage = SQLAlchemyStorage()
    commit(storage, usage("p1", [START + hour * 3600 for hour in range(10, 24)], resources=2))
    assert count(models.Daily) == 2
    (row,) = storage.total(custom_fields="COUNT(qty) AS n, SUM(price) AS rate", **EVER)["results"]
    assert (row["n"], row["rate"]) == (28, 14 * (Decimal(1) / 8 + Decimal(2) / 8))


def test_a_day_in_several_commits_is_rolled_up_by_the_last(database: str) -> None:
    storage = SQLAlchemyStorage()
    for hour in range(24):
        assert count(models.Daily) == 0
        commit(storage, usage("p1", [START + hour * 3600], resources=2))
    with db.session_for_read() as session:
        query = sa.select(models.Daily.points, models.Daily.price_sum).order_by(
            models.Daily.series_id,
        )
        assert list(map(tuple, session.execute(query))) == [
            (24, Decimal(3)),
            (24, Decimal(6)),
        ]
    assert storage.total(**EVER)["results"][0]["rate"] == Decimal(9)


def test_a_period_committed_again_is_replaced(database: str) -> None:
    storage = SQLAlchemyStorage()
    begins = [START + hour * 3600 for hour in range(24)]
    commit(storage, usage("p1", begins, resources=3))
    commit(storage, usage("p1", begins, resources=3))
    # A subset, with other metadata: the same identities.
    commit(storage, usage("p1", begins[5:7], metadata={"flavor": "l"}, resources=1))
    assert storage.retrieve(limit=1, **EVER)["total"] == 72
    (row,) = storage.total(filters={"flavor": "l"}, custom_fields="COUNT(qty) AS n", **EVER)[
        "results"
    ]
    assert row["n"] == 2


def test_periods_without_points_are_in_the_ledger(database: str) -> None:
    storage = SQLAlchemyStorage()
    commit(storage, ScopeUsage("p1", 3600, [START, START + 3600], []))
    assert count(models.Period) == 2
    assert storage.total(**EVER) == {"total": 0, "results": []}


@pytest.mark.parametrize(
    ("one", "other"), [({"n": 1}, {"n": True}), ({"n": 1}, {"n": "1"}), ({"n": ""}, {})]
)
def test_series_with_metadata_of_other_types_are_not_mixed_up(
    sqlite_database: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    storage = SQLAlchemyStorage()
    for metadata in (one, other, one, other):
        commit(storage, usage("p1", [START], metadata=metadata))
        (frame,) = storage.retrieve(**EVER)["dataframes"]
        (_metric, point) = next(frame.iterpoints())
        assert dict(point.metadata) == metadata
        assert [*map(type, point.metadata.values())] == [*map(type, metadata.values())]


def test_the_quick_key_tells_series_apart_as_their_rows_do() -> None:
    base = usage("p1", [START]).series[0]
    assert identity.quick_key(base, "project_id") == identity.quick_key(
        usage("p1", [START + 3600]).series[0], "project_id"
    )
    assert identity.quick_key(base, "project_id") != identity.quick_key(base, "tenant_id")
    moved = Series("cpu", "u", ImmutableDict(), ImmutableDict(base.groupby))
    other = Series("cpu", "u", ImmutableDict(base.groupby), ImmutableDict())
    assert identity.quick_key(moved, "project_id") != identity.quick_key(other, "project_id")
    for labels in ({"n": 1}, {"n": None}, {"n": float("nan")}, {1: "a"}, {"n": "\ud800"}):
        one = Series("cpu", "u", ImmutableDict(labels), ImmutableDict())
        assert identity.quick_key(one, "project_id") is None


def test_series_of_a_transaction_that_failed_are_not_remembered(database: str) -> None:
    storage = SQLAlchemyStorage()

    def fail() -> None:
        with db.session_for_write():
            commit(storage, usage("p1", [START]))
            raise RuntimeError("outer")

    with pytest.raises(RuntimeError, match="outer"):
        fail()
    assert count(models.Series) == count(models.Point) == 0
    commit(storage, usage("p2", [START]))
    commit(storage, usage("p1", [START]))
    found = storage.total(groupby=["project_id"], **EVER)["results"]
    assert [row["project_id"] for row in found] == ["p1", "p2"]


HOSTILE = (
    "a'b",
    'a"b',
    "a`b",
    "$.a",
    "a]b[",
    "%s",
    "?",
    ":x",
    "\\",
    "é\U0001f600",
    "a\x1fb",
    "x\x00",
)


def test_hostile_names_and_values_are_only_names_and_values(database: str) -> None:
    storage = SQLAlchemyStorage()
    for number, text in enumerate(HOSTILE):
        labels = {"groupby": {text: text}, "metadata": {f"m{text}": text}}
        commit(storage, usage(f"p{number}", [START], **labels))  # type: ignore[arg-type]
    for number, text in enumerate(HOSTILE):
        groups = storage.total(groupby=[text, "project_id"], **EVER)["results"]
        assert len(groups) == len(HOSTILE)
        assert [r["project_id"] for r in groups if r[text]] == [f"p{number}"]
        assert {r[text] for r in groups} == {"", text}
        for name in (text, f"m{text}"):
            found = storage.total(groupby=["project_id"], filters={name: text}, **EVER)["results"]
            assert [r["project_id"] for r in found] == [f"p{number}"]
