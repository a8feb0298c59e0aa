# SPDX-License-Identifier: Apache-2.0
"""Writing: one transaction, exactly once, and values of any kind."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.state.scope import Move, Origin, advance
from cloudkitty.storage.v1.sqlalchemy import SQLAlchemyAdapter
from cloudkitty.tests.storage.v1 import old
from cloudkitty.tests.storage.v1.old import naive
from cloudkitty.usage import ScopeUsage, Series

TEN = 1705312800  # 2024-01-15T10:00:00Z
BEGIN, END = naive("2024-01-01"), naive("2024-02-01")
ORIGIN = Origin("project_id", "source", "prometheus")


def usage(scope: str, periods: int = 1, resources: int = 1, price: Any = 1) -> ScopeUsage:
    begins = [TEN + 3600 * n for n in range(periods)]
    series = []
    for n in range(resources):
        one = Series("cpu", "u", {"id": f"i-{n}", "project_id": scope}, {"flavor": "m1"})
        one.begins += begins
        one.qtys += [Decimal(1)] * periods
        one.prices += [Decimal(price)] * periods
        series.append(one)
    return ScopeUsage(scope, 3600, begins, series)


def mover(batch: list[ScopeUsage], expected: int | None = None) -> Any:
    moves = [Move(one.scope_id, expected, one.begins[-1]) for one in batch]
    return lambda session: advance(session, ORIGIN, moves)


def rate(storage: SQLAlchemyAdapter, **filters: Any) -> Decimal:
    (row,) = storage.total(begin=BEGIN, end=END, filters=filters)["results"]
    return Decimal(row["rate"])


def frame(begin: str, *points: DataPoint, metric: str = "cpu", hours: float = 1) -> DataFrame:
    start = timeutils.as_utc(dt.datetime.fromisoformat(begin))
    return DataFrame(start, start + dt.timedelta(hours=hours), {metric: list(points)})


def point(price: Any = 1, **groupby: Any) -> DataPoint:
    return DataPoint("u", 1, price, groupby, {})


def test_points_and_moves_are_one_transaction(storage: SQLAlchemyAdapter) -> None:
    batch = [usage("p1"), usage("p2")]

    def fails(session: Any) -> Any:
        moved = mover(batch)(session)
        event.listen(session, "before_commit", refuse)
        return moved

    def refuse(_session: Any) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        storage.commit(batch, fails)

    assert old.count() == 0
    assert storage.commit(batch, mover(batch)) == {"p1", "p2"}
    assert rate(storage) == 2


def test_a_scope_that_somebody_else_moved_is_left_out(storage: SQLAlchemyAdapter) -> None:
    batch = [usage("p1"), usage("p2")]
    storage.commit(batch[:1], mover(batch[:1]))

    assert storage.commit(batch, mover(batch)) == {"p2"}
    assert rate(storage) == 2


def test_rivals_store_a_period_once(storage: SQLAlchemyAdapter) -> None:
    batch = [usage(f"p{n}", periods=3, resources=5) for n in range(4)]
    start = threading.Barrier(4)

    def rival(_number: int) -> set[str]:
        start.wait()
        return set(storage.commit(batch, mover(batch)))

    with ThreadPoolExecutor(4) as pool:
        moved = list(pool.map(rival, range(4)))

    assert sorted(scope for some in moved for scope in some) == ["p0", "p1", "p2", "p3"]
    assert rate(storage) == 4 * 3 * 5


def test_a_batch_is_a_few_statements(storage: SQLAlchemyAdapter) -> None:
    batch = [usage(f"p{n}", periods=4, resources=50) for n in range(10)]
    statements: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(db.get_engine(), "before_cursor_execute", count)
    storage.commit(batch, lambda _session: {one.scope_id for one in batch})

    assert old.count() == 2000
    mine = [s for s in statements if "rated_data_frames" in s]
    assert len(mine) <= 4  # one look, and two thousand rows at most a thousand at a time


def test_commit_again_replaces(storage: SQLAlchemyAdapter) -> None:
    batch = [usage("p1", periods=2, resources=2)]
    everybody = {"p1"}
    storage.commit(batch, lambda _session: everybody)
    again = [usage("p1", periods=2, resources=2, price=10)]
    storage.commit(again, lambda _session: everybody)

    assert rate(storage) == 40
    assert old.count() == 4


def test_replace_takes_all_of_the_periods_and_nothing_else(storage: SQLAlchemyAdapter) -> None:
    storage.commit(
        [usage("p1", periods=3, resources=3), usage("p2", periods=3)],
        lambda _session: {"p1", "p2"},
    )
    batch = [usage("p1", periods=2, resources=1, price=10), usage("p2", price=100)]

    assert storage.replace(batch, lambda _session: {"p1"}) == {"p1"}

    assert rate(storage, project_id="p1") == 20 + 3
    assert rate(storage, project_id="p2") == 3


def test_rewind_deletes_and_sets_back_at_once(storage: SQLAlchemyAdapter) -> None:
    storage.commit(
        [usage("p1", periods=3), usage("p2", periods=3)],
        lambda _session: {"p1", "p2"},
    )
    last = timeutils.from_epoch(TEN)

    assert not storage.rewind({"project_id": "p1"}, lambda _session: None)
    assert rate(storage) == 6
    assert storage.rewind({"project_id": "p1"}, lambda _session: last)

    assert rate(storage, project_id="p1") == 1
    assert rate(storage, project_id="p2") == 3


def test_points_of_other_groupby_labels_stay(storage: SQLAlchemyAdapter) -> None:
    storage.push([frame("2024-01-15T10:00", point(1, id="a", project_id="p1"))], "p1")
    storage.push([frame("2024-01-15T10:00", point(2, project_id="p1"))], "p1")
    storage.push([frame("2024-01-15T10:00", point(4))], "p1")
    storage.push([frame("2024-01-15T10:00", point(8, id="", project_id="p1"))], "p1")

    assert rate(storage) == 1 + 8 + 4


def test_frames_that_overlap_share_a_period(storage: SQLAlchemyAdapter) -> None:
    frames = [
        frame("2024-01-15T11:20", point(4), hours=0.1),
        frame("2024-01-15T10:00", point(1)),
        frame("2024-01-15T10:30", point(2), hours=3),
    ]
    storage.push(frames, "p1")
    storage.push(frames, "p1")

    found = storage.retrieve(BEGIN, END)["dataframes"]

    assert [(f.start.isoformat()[11:16], f.end.isoformat()[11:16]) for f in found] == [
        ("10:00", "11:00"),
        ("10:00", "11:00"),
        ("11:20", "12:20"),
    ]
    assert frames[0].start.isoformat() == "2024-01-15T11:20:00+00:00"


def test_periods_without_data_are_noted_once(storage: SQLAlchemyAdapter) -> None:
    empty = frame("2024-01-15T10:00")
    for _twice in range(2):
        storage.push([empty], "p1")
    storage.push([], "p2")

    assert old.count("res_type = '_NO_DATA_'") == 1
    assert storage.get_tenants(BEGIN, END) == ["p1"]
    assert storage.retrieve(BEGIN, END) == {"total": 0, "dataframes": []}
    storage.push([frame("2024-01-15T10:00", point())], "p1")
    assert old.count("res_type = '_NO_DATA_'") == 0


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE rated_data_frames; --",
        "%s %(x)s {} {0}",
        'quo"te\\back`tick',
        "line\nbreak\ttab",
        "ünï ✓ 🦊",
        " blanks ",
        "p1' OR '1'='1",
    ],
)
def test_texts_of_any_kind_come_back(storage: SQLAlchemyAdapter, text: str) -> None:
    posted = DataPoint(text, 1, 5, {text: text, "project_id": text}, {f"m{text}": text})
    storage.push([frame("2024-01-15T10:00", posted, metric=text)], text)
    storage.push([frame("2024-01-15T10:00", point(1))], "p1")
    storage.push([frame("2024-01-15T10:00", posted, metric=text)], text)

    assert rate(storage, project_id=text) == 5
    (found,) = storage.retrieve(BEGIN, END, {"project_id": text}, text)["dataframes"]
    ((metric, read),) = found.iterpoints()
    assert (metric, read.unit) == (text, text)
    labels = {text: text, "project_id": text, f"m{text}": text, "tenant_id": text}
    assert read.groupby == labels
    assert storage.retrieve(BEGIN, END, {text: text})["total"] == 1
    rows = storage.total(["type", "project_id"], BEGIN, END)["results"]
    assert [(row["type"], row["tenant_id"]) for row in rows] == [("cpu", "p1"), (text, text)]
    storage.delete(filters={"project_id": text})
    assert old.count() == 1


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"unit": "u\0"}, "unit"),
        ({"unit": "u" * 256}, "unit"),
        ({"metric": "c\ud800"}, "metric type"),
        ({"metric": "_NO_DATA_"}, "periods without data"),
        ({"scope": "s" * 256}, "scope id"),
        ({"scope": "s\0"}, "scope id"),
        ({"qty": "10000000000"}, "qty"),
        ({"qty": "NaN"}, "qty"),
        ({"qty": "-Infinity"}, "qty"),
        ({"price": "1e400"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"label": "x" * 70_000}, "labels"),
    ],
)
def test_what_cannot_be_stored_is_named_and_nothing_is(
    storage: SQLAlchemyAdapter, bad: dict[str, str], message: str
) -> None:
    posted = DataPoint(
        bad.get("unit", "u"),
        bad.get("qty", 1),
        bad.get("price", 1),
        {"id": bad.get("label", "a")},
        {},
    )
    frames = [frame("2024-01-15T09:00", point()), frame("2024-01-15T10:00", posted)]
    frames[1] = frame("2024-01-15T10:00", posted, metric=bad.get("metric", "cpu"))

    with pytest.raises(ValueError, match=message):
        storage.push(frames, bad.get("scope", "p1"))

    assert old.count() == 0


def test_numbers(storage: SQLAlchemyAdapter) -> None:
    numbers = [
        ("1234567890.123455", "1234567890.12346"),
        ("0.000004", "0"),
        ("-0.5", "-0.5"),
        ("100", "100"),
        ("1E+3", "1000"),
    ]
    storage.push(
        [
            frame(
                "2024-01-15T10:00",
                *(
                    DataPoint("u", qty, price, {"id": str(n)}, {})
                    for n, ((qty, _shown), price) in enumerate(
                        zip(numbers, ("0.1", "0.2", "1e-9", "-0.3", "123456789.12"), strict=True),
                    )
                ),
            ),
        ],
        "p1",
    )

    found = storage.retrieve(BEGIN, END)["dataframes"]
    points = [one for f in found for _metric, one in f.iterpoints()]

    assert [str(one.qty) for one in points] == [shown for _qty, shown in numbers]
    assert rate(storage) == Decimal("123456789.120000001")


def test_metadata_keep_their_kind(storage: SQLAlchemyAdapter) -> None:
    posted = DataPoint(
        "u",
        1,
        1,
        {"n": 4, "none": None, "yes": True},
        {"n": 5, "int": 4, "float": 1.5, "yes": True, "none": None, "list": [1]},
    )
    storage.push([frame("2024-01-15T10:00", posted)], "p1")

    (found,) = storage.retrieve(BEGIN, END)["dataframes"]

    assert [one.groupby for _metric, one in found.iterpoints()] == [
        {
            "int": 4,
            "float": 1.5,
            "list": "[1]",
            "n": "4",
            "none": "",
            "yes": "True",
            "tenant_id": "p1",
        },
    ]


def test_a_new_table_is_wide_and_exact(storage: SQLAlchemyAdapter) -> None:
    assert isinstance(storage, SQLAlchemyAdapter)
    columns = {c["name"]: c for c in sa.inspect(db.get_engine()).get_columns("rated_data_frames")}

    assert columns["tenant_id"]["type"].length == 255
    assert "DOUBLE" in str(columns["rate"]["type"]) or db.get_engine().dialect.name == "sqlite"
