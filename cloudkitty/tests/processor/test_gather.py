# SPDX-License-Identifier: Apache-2.0
"""Collecting a batch: failures by scope, bounds of memory and time, stopping."""

from __future__ import annotations

import threading
import time

import pytest

from cloudkitty.processor.gather import Gatherer, Stopped
from cloudkitty.processor.planner import Batch
from cloudkitty.processor.sizes import Density
from cloudkitty.tests.processor.sources import MadeUp

P = 3600
T = 1_800_000_000


def batch(scopes: int, periods: int) -> Batch:
    names = [f"s{n}" for n in range(scopes)]
    return Batch(dict.fromkeys(names, T - P), range(T, T + periods * P, P), P)


def gatherer(collector: MadeUp, points: int = 500_000, timeout: float = 30) -> Gatherer:
    return Gatherer(collector, Density(points), threading.Event(), threads=4, timeout=timeout)


def test_one_question_per_metric() -> None:
    collector = MadeUp()
    gathered = gatherer(collector).gather(batch(3, 5))
    assert sorted(key for key, _query in collector.asked) == ["cpu", "disk@#a_disk"]
    assert [usage.scope_id for usage in gathered.usages] == ["s0", "s1", "s2"]
    assert {usage.points for usage in gathered.usages} == {2 * 2 * 5}
    # Names in data frames are in order, whatever came first.
    assert [s.metric for s in gathered.usages[0].series] == ["a_disk", "a_disk", "cpu", "cpu"]


def test_a_scope_that_fails_does_not_touch_the_others() -> None:
    collector = MadeUp()
    collector.fails = lambda key, scope, _begin: key == "cpu" and scope == "s1"
    gathered = gatherer(collector).gather(batch(3, 5))
    assert [usage.scope_id for usage in gathered.usages] == ["s0", "s2"]
    assert gathered.failed == {"s1": "metric 'cpu': refused"}


def test_the_source_is_down() -> None:
    collector = MadeUp()
    collector.down = True
    gathered = gatherer(collector).gather(batch(3, 5))
    assert gathered.usages == []
    assert set(gathered.failed) == {"s0", "s1", "s2"}
    assert "the source is down" in gathered.failed["s0"]
    assert "metric '" in gathered.failed["s0"]
    # What has failed altogether is not asked for every metric.
    assert len(collector.asked) == 1


def test_a_bug_in_a_collector_fails_the_batch_only() -> None:
    collector = MadeUp()
    collector.usage = lambda scope: scope[99] == "x"
    gathered = gatherer(collector).gather(batch(2, 1))
    assert "IndexError" in gathered.failed["s0"]


def test_scopes_without_usage_are_done_too() -> None:
    collector = MadeUp()
    collector.usage = lambda scope: scope == "s0"
    gathered = gatherer(collector).gather(batch(2, 3))
    assert [len(usage.series) for usage in gathered.usages] == [4, 0]


def test_a_batch_that_is_too_large_gives_fewer_scopes() -> None:
    gathered = gatherer(MadeUp(resources=50), points=5000).gather(batch(8, 10))
    assert not gathered.failed
    assert [usage.scope_id for usage in gathered.usages] == ["s0", "s1", "s2", "s3"]
    assert sum(usage.points for usage in gathered.usages) == 4 * 10 * 2 * 50


def test_a_scope_that_is_too_large_gives_fewer_periods() -> None:
    gathered = gatherer(MadeUp(resources=500), points=1000).gather(batch(4, 16))
    (usage,) = gathered.usages
    assert list(usage.begins) == [T]
    assert usage.points == 2 * 500
    assert all(series.begins == [T] for series in usage.series)


def test_a_source_that_takes_too_long() -> None:
    collector = MadeUp()
    collector.seconds = 10
    before = time.monotonic()
    gathered = gatherer(collector, timeout=0.2).gather(batch(2, 1))
    assert time.monotonic() - before < 8
    assert "no answer within 0.2 s" in gathered.failed["s1"]
    assert "cpu" in gathered.failed["s1"] or "disk" in gathered.failed["s1"]


def test_stopping() -> None:
    collector = MadeUp()
    collector.seconds = 10
    stop = threading.Event()
    one = Gatherer(collector, Density(1000), stop, threads=2, timeout=30)
    threading.Timer(0.2, stop.set).start()
    before = time.monotonic()
    with pytest.raises(Stopped):
        one.gather(batch(2, 1))
    assert time.monotonic() - before < 8
