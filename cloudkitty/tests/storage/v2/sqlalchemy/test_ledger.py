# SPDX-License-Identifier: Apache-2.0
"""Whatever is pushed, committed and deleted: summaries are the sums of the frames, exactly."""

from __future__ import annotations

import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.db.engines import EXACT
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage, models
from cloudkitty.usage import ScopeUsage, Series

DAY = 86400
START = 19800 * DAY
EVER = {"begin": timeutils.from_epoch(0), "end": timeutils.from_epoch(4_000_000_000)}

#: Whole days, days but for a second after their last period, and cut ones.
WINDOWS = [(0, DAY), (0, DAY - 1), (3600, 2 * DAY - 1), (1, 2 * DAY), (0, DAY + 1), (-DAY, 7200)]

numbers = st.decimals(
    min_value=Decimal(-(10**12)), max_value=Decimal(10**12), places=28, allow_nan=False
)
scopes = st.sampled_from(["p1", "p2", "P1"])
hours = st.integers(min_value=0, max_value=60)
labels = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b", ""]), "project_id": scopes},
    optional={"zone": st.sampled_from(["x", "é\u001f"])},
)
points = st.builds(
    lambda qty, price, groupby, flavor, calendar, hour: (
        hour,
        DataPoint(
            "GiB",
            qty,
            price,
            {**groupby, **(timeutils.calendar_keys(START + hour * 3600) if calendar else {})},
            {"flavor": flavor},
        ),
    ),
    numbers,
    numbers,
    labels,
    st.sampled_from(["s", "l"]),
    st.booleans(),
    hours,
)


def frame(begin: int, metric: str, found: list[DataPoint]) -> DataFrame:
    start = timeutils.from_epoch(begin)
    return DataFrame(start, start + dt.timedelta(hours=1), {metric: found})


@st.composite
def usages(draw: st.DrawFn) -> ScopeUsage:
    scope = draw(scopes)
    first = draw(st.integers(min_value=0, max_value=30))
    begins = [START + hour * 3600 for hour in range(first, first + draw(st.integers(1, 30)))]
    usage = ScopeUsage(scope, 3600, begins)
    for resource in draw(st.lists(st.sampled_from("abc"), unique=True)):
        kept = draw(st.lists(st.sampled_from(begins), unique=True).map(sorted))
        usage.series.append(
            Series(
                draw(st.sampled_from(["instance", "volume"])),
                "GiB",
                ImmutableDict(id=resource, project_id=scope),
                ImmutableDict(flavor=draw(st.sampled_from("sl"))),
                None,
                True,  # noqa: FBT003
                kept,
                draw(st.lists(numbers, min_size=len(kept), max_size=len(kept))),
                draw(st.lists(numbers, min_size=len(kept), max_size=len(kept))),
            ),
        )
    return usage


actions = st.one_of(
    st.tuples(st.just("push"), st.lists(points, max_size=8)),
    st.tuples(st.just("commit"), usages()),
    st.tuples(st.just("replace"), usages()),
    st.tuples(
        st.just("delete"),
        st.tuples(hours, hours, st.one_of(st.none(), scopes), st.sampled_from(["", "a"])),
    ),
    st.tuples(st.just("roll"), st.none()),
)


class Model:
    """The rules of storage.md 5.1 and 5.9 over a dict: identity -> (qty, price)."""

    def __init__(self) -> None:
        self.stored: dict[Any, tuple[Decimal, Decimal, dict[str, Any]]] = {}

    def push(self, frames: list[DataFrame]) -> None:
        ranks: Counter[Any] = Counter()
        for one in frames:
            for metric, point in one.iterpoints():
                pairs = frozenset((k, v) for k, v in point.groupby.items() if v)
                key = (timeutils.to_epoch(one.start), metric, pairs)
                self.stored[(*key, ranks[key])] = (point.qty, point.price, point.groupby)
                ranks[key] += 1

    def delete(self, first: int, stop: int, filters: dict[str, str]) -> None:
        self.stored = {
            key: value
            for key, value in self.stored.items()
            if not (
                first <= key[0] < stop
                and all(value[2].get(name, "") == wanted for name, wanted in filters.items())
            )
        }

    def sums(self, name: str) -> dict[str, tuple[Decimal, Decimal, int]]:
        found: dict[str, tuple[Decimal, Decimal, int]] = {}
        for qty, price, groupby in self.stored.values():
            group = groupby.get(name, "")
            old = found.get(group, (Decimal(0), Decimal(0), 0))
            found[group] = (EXACT.add(old[0], qty), EXACT.add(old[1], price), old[2] + 1)
        return found


def play(storage: SQLAlchemyStorage, model: Model, action: tuple[str, Any]) -> None:
    kind, what = action
    if kind == "push":
        frames = [frame(START + hour * 3600, "instance", [point]) for hour, point in what]
        storage.push(frames)
        model.push(frames)
    elif kind == "commit":
        assert storage.commit([what], lambda _session: [what.scope_id]) == [what.scope_id]
        model.push(what.frames())
    elif kind == "replace":
        assert storage.replace([what], lambda _session: [what.scope_id]) == [what.scope_id]
        model.delete(what.begins[0], what.begins[-1] + what.period, {"project_id": what.scope_id})
        model.push(what.frames())
    elif kind == "delete":
        first, stop, scope, id_ = what
        filters = {"project_id": scope} if scope else {}
        if id_:
            filters["id"] = id_
        limits = START + first * 3600, START + stop * 3600
        storage.delete(*map(timeutils.from_epoch, limits), filters or None)
        model.delete(*limits, filters)
    else:
        storage.roll_up_closed_days(timeutils.from_epoch(START + 10 * DAY))


def exactly(numbers: Iterable[Decimal]) -> Decimal:
    return functools.reduce(EXACT.add, numbers, Decimal(0))


def check(storage: SQLAlchemyStorage, model: Model) -> None:
    for name in ("project_id", "id", "month", "day_of_the_year"):
        found = storage.total(
            groupby=[name],
            custom_fields="SUM(qty) AS q, SUM(price) AS p, COUNT(qty) AS n",
            paginate=False,
            **EVER,
        )
        assert {r[name]: (r["q"], r["p"], r["n"]) for r in found["results"]} == model.sums(name)
    for first, stop in WINDOWS:
        limits = timeutils.from_epoch(START + first), timeutils.from_epoch(START + stop)
        found = storage.total(["type", "project_id"], *limits, paginate=False)
        inside = [
            price
            for (begin, *_rest), (_qty, price, _groupby) in model.stored.items()
            if START + first <= begin < START + stop
        ]
        assert exactly(row["rate"] for row in found["results"]) == exactly(inside)
    stored = storage.retrieve(paginate=False, **EVER)
    assert stored["total"] == len(model.stored)
    assert Counter(
        (timeutils.to_epoch(f.start), metric, point.qty, point.price, point.groupby)
        for f in stored["dataframes"]
        for metric, point in f.iterpoints()
    ) == Counter(
        (key[0], key[1], qty, price, ImmutableDict(groupby))
        for key, (qty, price, groupby) in model.stored.items()
    )
    with db.session_for_read() as session:
        ledger = session.execute(sa.select(sa.func.coalesce(sa.func.sum(models.Period.points), 0)))
        assert ledger.scalar() == len(model.stored)


def two_days(scope: str) -> ScopeUsage:
    """Give usage of whole days, which is rolled up in the commit that brings it."""
    begins = [START + hour * 3600 for hour in range(48)]
    usage = ScopeUsage(scope, 3600, begins)
    for id_, flavor in (("a", "s"), ("b", "l"), ("c", "s")):
        usage.series.append(
            Series(
                "instance",
                "GiB",
                ImmutableDict(id=id_, project_id=scope),
                ImmutableDict(flavor=flavor),
                None,
                True,  # noqa: FBT003
                begins,
                [Decimal(hour) / 8 for hour in range(48)],
                [Decimal("0.1")] * 48,
            ),
        )
    return usage


def empty() -> None:
    """Forget all points."""
    with db.session_for_write() as session:
        for table in (models.Point, models.Period, models.Daily, models.DailyTotal):
            session.execute(sa.delete(table))


def run(sequence: list[tuple[str, Any]]) -> None:
    empty()
    storage, model = SQLAlchemyStorage(), Model()
    for scope in ("p1", "p2"):
        play(storage, model, ("commit", two_days(scope)))
    check(storage, model)
    for action in sequence:
        play(storage, model, action)
        check(storage, model)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(actions, min_size=1, max_size=6))
def test_summaries_are_sums_of_frames_sqlite(
    sqlite_database: str, sequence: list[tuple[str, Any]]
) -> None:
    run(sequence)


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(actions, min_size=2, max_size=6))
def test_summaries_are_sums_of_frames(database: str, sequence: list[tuple[str, Any]]) -> None:
    run(sequence)


def test_ranks_tell_equal_points_apart(database: str) -> None:
    storage = SQLAlchemyStorage()
    same = {"id": "a", "project_id": "p"}
    found = [DataPoint("u", n, n, same, {"m": n}) for n in (1, 2)]
    storage.push([frame(START, "cpu", found)])
    storage.push([frame(START, "cpu", found)])
    total = storage.total(**EVER)
    assert [row["qty"] for row in total["results"]] == [Decimal(3)]


@pytest.mark.parametrize(
    ("qty", "reason"),
    [("NaN", "not a finite number"), ("Infinity", "not a finite number"), ("1e40", "too large")],
)
def test_refused_numbers_leave_nothing(sqlite_database: str, qty: str, reason: str) -> None:
    storage = SQLAlchemyStorage()
    good = DataPoint("u", 1, 1, {"project_id": "p"}, {})
    bad = DataPoint("u", Decimal(qty), 1, {"project_id": "p"}, {})
    with pytest.raises(ValueError, match=reason):
        storage.push([frame(START, "cpu", [good]), frame(START + 3600, "cpu", [bad])])
    assert storage.retrieve(**EVER)["total"] == 0


def test_a_scope_that_did_not_move_writes_nothing(database: str) -> None:
    storage = SQLAlchemyStorage()
    batch = []
    for scope in ("p1", "p2"):
        series = Series(
            "cpu",
            "u",
            ImmutableDict(id="a", project_id=scope),
            ImmutableDict(),
            None,
            True,  # noqa: FBT003
            [START],
            [Decimal(1)],
            [Decimal(2)],
        )
        batch.append(ScopeUsage(scope, 3600, [START], [series]))
    assert storage.commit(batch, lambda _session: {"p2"}) == {"p2"}
    found = storage.total(groupby=["project_id"], **EVER)["results"]
    assert [(row["project_id"], row["rate"]) for row in found] == [("p2", Decimal(2))]


def test_a_failing_advance_leaves_nothing(database: str) -> None:
    storage = SQLAlchemyStorage()
    usage = ScopeUsage("p1", 3600, [START], [])

    def advance(_session: object) -> list[str]:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        storage.commit([usage], advance)
    with db.session_for_read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(models.Period)) == 0
