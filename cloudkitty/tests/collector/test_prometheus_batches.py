# SPDX-License-Identifier: Apache-2.0
"""On random data, a batch gives what single questions give: every function and aggregation.

A real Prometheus has a random history: series that come and go, gaps, counters that are set back,
values that are none, resources that move between scopes, scopes with odd names.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty.collector.base import BaseCollector, BatchQuery
from cloudkitty.collector.prometheus import EXTRA_ARGS
from cloudkitty.tests import prometheus, webserver
from cloudkitty.tests.collector.helpers import HOUR, TEN, build, flat

#: Ids that mean something in PromQL, in regular expressions, in JSON or in URLs.
ODD = ["p1", "p.", "a|b", 'q"}\\', "x+y*(z)[0]^$", "line\nbreak", "ü & ?=%20#", "P1", " p1", "{}"]
HOURS = 6
METRICS = 4


def choices(key: str) -> list[str]:
    """Give what a key of ``extra_args`` may be; irange is no function of Prometheus."""
    (found,) = (v.container for k, v in EXTRA_ARGS.items() if k == key)
    return [name for name in found if name != "irange"]


AGGREGATIONS = choices("aggregation_method")
RANGES = [None, *choices("range_function")]
QUERIES = [None, *choices("query_function")]
#: What operators may put around a query, and whether it can still be asked for many periods.
AROUND = [
    ("", ""),
    ("1 -", ""),
    ("", "/ 2 > 0"),
    ("topk(2,", ")"),
    ("", "or vector(3)"),
    ("sum(", ") without (id)"),
    ("topk(1,", "* on () group_left () (count(gauge_1 @ end()) or vector(1)))"),
]


def samples(rng: random.Random, *, counter: bool) -> list[tuple[float, object]]:
    """Give the samples of a series that lives for a part of the time, with gaps."""
    start = TEN + rng.randrange(-HOUR, HOURS * HOUR)
    end = start + rng.choice([600, HOUR, 3 * HOUR, 9 * HOUR])
    step = rng.choice([30, 60, 300, 1700])
    found: list[tuple[float, object]] = []
    when, value = float(start), rng.choice([0, 1, -3.5, 1e9])
    if counter:
        value = abs(value)
    while when < min(end, TEN + (HOURS + 1) * HOUR):
        found.append((round(when, 3), value))
        when += rng.choice([step, step, step + rng.random(), 5000])
        if counter:
            value = 0 if rng.random() < 0.03 else round(value + rng.random() * 100, 2)
        else:
            value = rng.choice([round(rng.gauss(5, 50), rng.choice([0, 3])), value])
            if rng.random() < 0.01:
                found[-1] = (found[-1][0], rng.choice(["NaN", "+Inf", "-Inf"]))
    return found


def history(rng: random.Random) -> str:
    """Give metrics ``gauge_0`` ... and ``count_0_total`` ..."""
    families = []
    for number in range(METRICS):
        for name, kind in (("gauge_{}", "gauge"), ("count_{}_total", "counter")):
            series: list[prometheus.SeriesHistory] = []
            for scope in ODD:
                for resource in range(rng.randrange(1, 5)):
                    labels = {"project_id": scope, "id": rng.choice([f"r{resource}", f"é{scope}"])}
                    labels["n"] = str(len(series))
                    if rng.random() < 0.7:
                        labels["flavor"] = rng.choice(["a", "b"])
                    series.append((labels, samples(rng, counter=kind == "counter")))
            families.append(prometheus.Family(name.format(number), series, kind))
    return prometheus.openmetrics(families)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    text = history(random.Random(20240305))
    with prometheus.running(text, tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def definitions(aggregation: str) -> Iterator[dict[str, Any]]:
    """Every pair of functions goes with one aggregation, all of them with each; so do texts."""
    number = AGGREGATIONS.index(aggregation)
    for i, ranged in enumerate(RANGES):
        for k, query in enumerate(QUERIES):
            if (i + k) % len(AGGREGATIONS) != number:
                continue
            prefix, suffix = AROUND[(i * 3 + k) % (2 * len(AROUND)) % len(AROUND) if k % 2 else 0]
            extra = {
                "aggregation_method": aggregation,
                "range_function": ranged,
                "query_function": query,
                "query_prefix": prefix,
                "query_suffix": suffix,
            }
            yield {
                "unit": "u",
                "groupby": [[], ["id"], ["id", "n"]][k % 3],
                "metadata": [[], ["flavor", "none"]][i % 2],
                "extra_args": {key: value for key, value in extra.items() if value is not None},
            }


def assert_same(batch: list[tuple[Any, ...]], single: list[tuple[Any, ...]], what: object) -> None:
    """Compare points; the order in which a server adds, which varies, shows in the last digits."""
    assert [point[:-1] for point in batch] == [point[:-1] for point in single], what
    for one, other in zip(batch, single, strict=True):
        assert math.isclose(float(one[-1]), float(other[-1]), rel_tol=1e-9, abs_tol=1e-6), (
            what,
            one,
            other,
        )


@pytest.mark.service
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_batch_gives_what_single_questions_give(
    conf: cfg_fixture.Config, url: str, aggregation: str
) -> None:
    rng = random.Random(aggregation)
    points = 0
    for definition in definitions(aggregation):
        ranged = definition["extra_args"].get("range_function")
        counts = ranged in {"increase", "irate", "rate", "resets"}
        metric = ("count_{}_total" if counts else "gauge_{}").format(rng.randrange(METRICS))
        collector = build(conf, url, {metric: definition})
        period = rng.choice([600, HOUR, 5000])
        first = TEN + rng.randrange(-HOUR, 2 * HOUR)
        query = BatchQuery(
            [*rng.sample(ODD, 4), "unknown"],
            [first + k * period for k in range(rng.choice([1, 3]))],
            period,
        )
        batch = flat(collector.fetch_batch(metric, query))
        single = flat(BaseCollector.fetch_batch(collector, metric, query))
        assert_same(batch, single, definition)
        points += len(batch)
    assert points > 20


@pytest.mark.parametrize(
    ("extra", "scopes_each", "periods_each"),
    [
        ({}, 3, 4),
        ({"range_function": "rate", "query_function": "ceil"}, 3, 4),
        # Text of the operator may do anything to the scopes; the time it can hardly see ...
        ({"query_prefix": "1 -"}, 1, 4),
        ({"query_suffix": "> 0"}, 1, 4),
        # ... but here.
        ({"query_suffix": "- sum(vol @ end())"}, 1, 1),
    ],
)
def test_what_cannot_be_asked_for_at_once_is_asked_for_one_by_one(
    conf: cfg_fixture.Config, extra: dict[str, str], scopes_each: int, periods_each: int
) -> None:
    answers = {True: webserver.vector(), False: webserver.matrix()}
    with webserver.serving(lambda request: answers["time" in request.fields]) as server:
        collector = build(conf, server.url, {"vol": {"unit": "u", "extra_args": extra}})
        begins = [TEN + k * HOUR for k in range(4)]
        collector.fetch_batch("vol", BatchQuery(["a", "b", "c"], begins, HOUR))
    assert len(server.requests) == 12 // (scopes_each * periods_each)
