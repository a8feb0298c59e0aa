# SPDX-License-Identifier: Apache-2.0
"""Sums by series are those of the points, whatever was pushed, deleted and rolled up."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty import db, timeutils
from cloudkitty.db.engines import EXACT
from cloudkitty.storage.base import get_storage
from cloudkitty.storage.v2 import base
from cloudkitty.storage.v2.base import FREE, IDLE, PRICED
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage, perseries
from cloudkitty.tests.storage.v2.sqlalchemy.test_ledger import (
    DAY,
    START,
    Model,
    actions,
    empty,
    play,
    two_days,
)
from cloudkitty.usage import ScopeUsage

#: Whole days; a cut one; days with cuts at their bounds and inside.
QUESTIONS = [(0, 3 * DAY, ()), (7200, DAY + 1, ()), (0, 3 * DAY, (DAY, DAY + 7 * 3600, 2 * DAY))]

#: Zero and numbers that are nearly or look like it.
numbers = st.sampled_from(["0", "0", "0.0000000000000000000000000001", "-0.5", "1", "-0", "10"])


def kind(qty: Decimal, price: Decimal) -> str:
    if price != 0:
        return PRICED
    return FREE if qty != 0 else IDLE


Sums = dict[Any, tuple[int, Decimal, Decimal, Decimal, Decimal]]


def expected(model: Model, first: int, stop: int, cuts: tuple[int, ...]) -> Sums:
    found: defaultdict[Any, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for (begin, metric, *_), (qty, price, groupby) in model.stored.items():
        at = begin - START
        if first <= at < stop:
            stretch = sum(cut <= at for cut in cuts)
            labels = frozenset(
                (name, value)
                for name, value in groupby.items()
                if value and name not in timeutils.CALENDAR_NAMES
            )
            found[stretch, metric, labels, kind(qty, price)].append((qty, price))
    return {key: summed(points) for key, points in found.items()}


def summed(points: list[tuple[Decimal, Decimal]]) -> tuple[Any, ...]:
    qty = price = Decimal(0)
    for one, cost in points:
        qty, price = EXACT.add(qty, one), EXACT.add(price, cost)
    qtys = [one for one, _cost in points]
    return len(points), qty, price, min(qtys), max(qtys)


def found(storage: SQLAlchemyStorage, first: int, stop: int, cuts: tuple[int, ...]) -> Sums:
    limits = [timeutils.from_epoch(START + at) for at in (first, stop)]
    out: dict[Any, list[Any]] = defaultdict(list)
    with storage.series_sums(*limits, [timeutils.from_epoch(START + at) for at in cuts]) as series:
        for one in series:
            labels = frozenset(
                (name, value)
                for name, value in one.groupby.items()
                if value and name not in timeutils.CALENDAR_NAMES
            )
            assert one.scope in {"p1", "p2", "P1"}
            for portion in one.portions:
                out[portion.stretch, one.metric, labels, portion.kind].append(portion[2:])
    # Series that differ in metadata or unit only are one to the model.
    return {
        key: (
            sum(one[0] for one in many),
            *(sum_exactly(one[index] for one in many) for index in (1, 2)),
            min(one[3] for one in many),
            max(one[4] for one in many),
        )
        for key, many in out.items()
    }


def sum_exactly(values: Any) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total


def zeroed(usage: ScopeUsage, values: list[str]) -> ScopeUsage:
    """Give usage with numbers among which there are zeros."""
    taken = iter(values * 1000)
    for series in usage.series:
        series.qtys = [Decimal(next(taken)) for _ in series.qtys]
        series.prices = [Decimal(next(taken)) for _ in series.prices]
    return usage


def run(sequence: list[tuple[str, Any]], values: list[str]) -> None:
    empty()
    storage, model = SQLAlchemyStorage(), Model()
    for scope in ("p1", "p2"):
        play(storage, model, ("commit", zeroed(two_days(scope), values)))
    for action, what in sequence:
        if action in {"commit", "replace"}:
            zeroed(what, values)
        play(storage, model, (action, what))
    for question in QUESTIONS:
        assert found(storage, *question) == expected(model, *question)


FEW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FEW
@given(st.lists(actions, max_size=4), st.lists(numbers, min_size=1, max_size=7))
def test_sums_by_series_are_those_of_the_points(
    database: str, sequence: list[tuple[str, Any]], values: list[str]
) -> None:
    run(sequence, values)


@pytest.mark.parametrize("at_once", [1, 2, 3, 1000])
def test_batches_give_every_series_once(sqlite_database: str, at_once: int) -> None:
    storage = SQLAlchemyStorage()
    for scope in ("p1", "p2"):
        storage.commit([two_days(scope)], lambda _session, scope=scope: [scope])

    with db.session_for_read() as session:
        series = list(perseries.read(session, [START, START + 2 * DAY], "project_id", at_once))

    assert Counter((one.scope, one.groupby["id"]) for one in series) == Counter(
        (scope, id_) for scope in ("p1", "p2") for id_ in "abc"
    )
    assert [one.scope for one in series] == sorted(one.scope or "" for one in series)


def test_a_storage_that_cannot_says_so(sqlite_database: str, conf: Any) -> None:
    conf.config(version=1, group="storage")
    storage = get_storage(conf.conf)
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    with (
        pytest.raises(base.Unsupported, match="not supported by storage backend 'sqlalchemy'"),
        storage.series_sums(begin, begin),
    ):
        pass
