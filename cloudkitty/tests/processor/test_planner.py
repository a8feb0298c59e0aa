# SPDX-License-Identifier: Apache-2.0
"""Rounds: who is taken with whom, how much of it, and what waits."""

from __future__ import annotations

from cloudkitty.processor.backoff import Backoff
from cloudkitty.processor.due import DueRule
from cloudkitty.processor.planner import NEVER_RATED, Batch, Limits, Planner, Position
from cloudkitty.processor.sizes import Density

P = 3600
NOW = 1_800_000_000 // P * P + 1
RULE = DueRule(P, 2)
#: Begin of the newest period that is due.
NEWEST = NOW - 1 - 2 * P
LIMITS = Limits(scopes=200, periods=24, cells=10**9)


def planner(backoff: Backoff | None = None) -> Planner:
    return Planner(RULE, backoff or Backoff(P))


def behind(periods: int) -> Position:
    return Position(NEWEST - periods * P)


def shape(batches: list[Batch]) -> list[tuple[list[str], int]]:
    return [(sorted(batch.scopes), len(batch.begins)) for batch in batches]


def test_scopes_with_the_same_next_period_go_together() -> None:
    plan = planner().plan({"a": behind(1), "b": behind(1), "c": behind(3)}, LIMITS, NOW)
    assert shape(plan.batches) == [(["a", "b"], 1), (["c"], 3)]
    assert plan.batches[0].begins == range(NEWEST, NEWEST + P, P)
    assert plan.batches[0].scopes == {"a": NEWEST - P, "b": NEWEST - P}


def test_those_that_lag_least_go_first_and_laggards_get_slices() -> None:
    plan = planner().plan({"far": behind(500), "near": behind(1)}, LIMITS, NOW)
    assert shape(plan.batches) == [(["near"], 1), (["far"], 24)]


def test_batches_are_bounded() -> None:
    positions = {f"s{n:03}": behind(30) for n in range(450)}
    plan = planner().plan(positions, LIMITS, NOW)
    assert [(len(b.scopes), len(b.begins)) for b in plan.batches] == [
        (200, 24),
        (200, 24),
        (50, 24),
    ]
    small = planner().plan(positions, Limits(200, 24, 400), NOW).batches
    assert {(len(b.scopes), len(b.begins)) for b in small} == {(200, 2), (50, 2)}
    tiny = planner().plan(positions, Limits(200, 24, 1), NOW).batches
    assert {(len(b.scopes), len(b.begins)) for b in tiny} == {(1, 1)}
    assert len(tiny) == 450


def test_nothing_due() -> None:
    plan = planner().plan({"a": behind(0), "off": Position(0, active=False)}, LIMITS, NOW)
    assert plan.batches == []
    assert plan.next_due == NOW + P
    assert planner().plan({}, LIMITS, NOW).next_due is None


def test_a_new_scope_starts_with_the_month() -> None:
    batch = planner().plan({"a": NEVER_RATED}, LIMITS, NOW).batches[0]
    assert batch.scopes == {"a": None}
    assert batch.begins[0] == RULE.first(NOW)


def test_a_scope_that_failed_waits_and_then_takes_less_at_once() -> None:
    backoff = Backoff(P)
    assert backoff.failed("bad", NOW) == 5
    positions = {"bad": behind(100), "good": behind(100)}
    plan = planner(backoff).plan(positions, LIMITS, NOW)
    assert shape(plan.batches) == [(["good"], 24)]
    plan = planner(backoff).plan(positions, LIMITS, NOW + 5)
    assert shape(plan.batches) == [(["bad"], 12), (["good"], 24)]
    # Others can be rated, so it is not the source that fails.
    backoff.succeeded(["good"], NOW)
    delays = [backoff.failed("bad", NOW) for _ in range(20)]
    assert delays[:3] == [10, 20, 40]
    assert delays[-1] == P
    plan = planner(backoff).plan({"bad": behind(1)}, LIMITS, NOW)
    assert plan.batches == []
    assert plan.next_due == NOW + P
    assert shape(planner(backoff).plan(positions, LIMITS, NOW + P).batches)[0] == (["bad"], 1)
    assert backoff.succeeded(["bad"], NOW) == {"bad"}
    assert shape(planner(backoff).plan(positions, LIMITS, NOW).batches) == [(["bad", "good"], 24)]


def test_when_nothing_can_be_rated_nobody_waits_for_long() -> None:
    backoff = Backoff(P)
    backoff.succeeded(["a", "b"], NOW - 1)
    delays = [backoff.failed(scope, NOW + i) for i in range(20) for scope in "ab"]
    assert max(delays) == 60
    # The source is back: what goes on failing does so for reasons of its own.
    assert backoff.succeeded(["a"], NOW + 20) == {"a"}
    assert backoff.failed("b", NOW + 20) == P
    assert backoff.failed("a", NOW + 20) == 5


def test_density_learns_from_batches() -> None:
    density = Density(500_000)
    assert density.cells == 5000
    density.seen(1000, 100)
    assert density.cells == 50_000
    density.seen(100_000, 100)
    assert density.cells == 500
    for _ in range(60):
        density.seen(0, 100)
    assert density.cells > 1_000_000
