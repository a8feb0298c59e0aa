# SPDX-License-Identifier: Apache-2.0
"""Against a real Prometheus with a known history: batches give what single questions give."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.collector import CollectError
from cloudkitty.collector.base import BaseCollector, BatchQuery
from cloudkitty.tests import prometheus
from cloudkitty.tests.collector.helpers import HOUR, TEN, build, flat

pytestmark = pytest.mark.service

#: Ids that mean something in PromQL, in regular expressions or in JSON.
SCOPES = ["p1", "p2", "a.c", "abc", "a|c", 'we"ird}\\x', "ünï-cödé", "x+y*(z)[0]^$", "line\nbreak"]
HOURS = 6
BEGINS = [TEN + i * HOUR for i in range(HOURS)]


def history() -> str:
    """One gauge with a value per scope, resource and half hour; one counter; odd values."""
    half = HOUR // 2
    gauge = [
        (
            {"project_id": scope, "id": f"r{r}", "flavor": f"f{r % 2}"},
            [
                (TEN + 60 + i * half, f"{number * 1000 + r * 10 + i}.125")
                for i in range(2 * HOURS)
                # A gap: resource 1 has nothing in the third hour.
                if not (r == 1 and i in {4, 5})
            ],
        )
        for number, scope in enumerate(SCOPES)
        for r in range(3)
    ]
    counter = [
        ({"project_id": scope}, [(TEN + i * 300, i * 300) for i in range(12 * HOURS + 1)])
        for scope in SCOPES
    ]
    odd = [
        ({"project_id": "p1", "id": str(i)}, [(TEN + 60, text)])
        for i, text in enumerate(
            ["NaN", "+Inf", "-Inf", "0.1", "1e-7", "123456789.123456789", "1e+20"]
        )
    ]
    homeless = [({"id": "nobody"}, [(TEN + 60, 5)])]
    return prometheus.openmetrics(
        [
            prometheus.Family("vol", gauge + homeless),
            prometheus.Family("traffic_total", counter, "counter"),
            prometheus.Family("odd", odd),
        ]
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus.running(history(), tmp_path_factory.mktemp("prometheus")) as running:
        yield running


DEFINITIONS: dict[str, dict[str, Any]] = {
    "plain": {"groupby": ["id"], "metadata": ["flavor", "none"]},
    "aggregated": {"extra_args": {"aggregation_method": "sum"}},
    "function": {"groupby": ["id"], "extra_args": {"query_function": "floor"}},
    "suffix": {"groupby": ["id"], "extra_args": {"query_suffix": "> 2000"}},
    "prefix": {"groupby": ["id"], "extra_args": {"query_prefix": "1 -"}},
    "shares": {"groupby": ["id"], "extra_args": {"resolution": 60}},
    "converted": {"groupby": ["id"], "factor": "1/3", "offset": -7, "mutate": "CEIL"},
}


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_batch_gives_what_single_questions_give(
    conf: cfg_fixture.Config, url: str, definition: dict[str, Any]
) -> None:
    collector = build(conf, url, {"vol": {"unit": "GiB", **definition}})
    query = BatchQuery([*SCOPES, "unknown"], BEGINS, HOUR)
    batch = flat(collector.fetch_batch("vol", query))
    assert batch == flat(BaseCollector.fetch_batch(collector, "vol", query))
    one_by_one = [
        point
        for begin in BEGINS
        for point in flat(collector.fetch_batch("vol", BatchQuery(query.scopes, [begin], HOUR)))
    ]
    assert batch == sorted(one_by_one)
    assert batch


def test_the_values_are_those_of_the_history(conf: cfg_fixture.Config, url: str) -> None:
    collector = build(conf, url, {"vol": {"unit": "GiB", "groupby": ["id"]}})
    found = collector.fetch_batch("vol", BatchQuery(SCOPES, BEGINS, HOUR))
    expected = sorted(
        (
            scope,
            begin,
            [("id", f"r{r}"), ("project_id", scope)],
            [],
            f"{number * 1000 + r * 10 + 2 * i + 1}.125",
        )
        for number, scope in enumerate(SCOPES)
        for r in range(3)
        for i, begin in enumerate(BEGINS)
        if not (r == 1 and i == 2)
    )
    assert flat(found) == expected


def test_a_rate_over_the_hour(conf: cfg_fixture.Config, url: str) -> None:
    extra = {"aggregation_method": "sum", "range_function": "rate"}
    collector = build(
        conf, url, {"traffic_total": {"unit": "B", "factor": HOUR, "extra_args": extra}}
    )
    found = collector.fetch_batch("traffic_total", BatchQuery(SCOPES, BEGINS, HOUR))
    assert {point[-1] for point in flat(found)} == {"3600"}
    assert len(flat(found)) == len(SCOPES) * HOURS


def test_numbers_arrive_digit_by_digit(conf: cfg_fixture.Config, url: str) -> None:
    collector = build(conf, url, {"odd": {"unit": "u", "groupby": ["id"]}})
    found = collector.fetch_batch("odd", BatchQuery(["p1"], BEGINS[:2], HOUR))
    assert sorted(qty for s in found["p1"] for qty in s.qtys) == [
        Decimal("0.0000001"),
        Decimal("0.1"),
        # The nearest double of 123456789.123456789, as the server writes it.
        Decimal("123456789.12345679"),
        Decimal(100000000000000000000),
    ]


def test_series_without_the_scope_s_label_belong_to_the_empty_scope(
    conf: cfg_fixture.Config, url: str
) -> None:
    collector = build(conf, url, {"vol": {"unit": "GiB", "groupby": ["id"]}})
    found = collector.fetch_batch("vol", BatchQuery(["", "p1"], BEGINS[:2], HOUR))
    assert [s.groupby for s in found[""]] == [{"project_id": "", "id": "nobody"}]


def test_classic_points(conf: cfg_fixture.Config, url: str) -> None:
    collector = build(conf, url, {"vol": {"unit": "GiB", "groupby": ["id"]}})
    start, end = timeutils.from_epoch(TEN), timeutils.from_epoch(TEN + HOUR)
    points = collector.fetch_all("vol", start, end, 'we"ird}\\x')
    assert sorted(str(p.qty) for p in points) == ["5001.125", "5011.125", "5021.125"]
    assert points[0].groupby["day_of_the_year"] == "65"


def test_a_query_prometheus_does_not_know(conf: cfg_fixture.Config, url: str) -> None:
    extra = {"range_function": "irange"}
    collector = build(conf, url, {"vol": {"unit": "GiB", "extra_args": extra}})
    with pytest.raises(CollectError, match=r"metric 'vol'.*bad_data.*unknown function.*irange"):
        collector.fetch_batch("vol", BatchQuery(SCOPES, BEGINS, HOUR))


def test_too_many_samples(conf: cfg_fixture.Config, tmp_path: Path) -> None:
    """A server with a low limit: what does not fit at once comes in parts, all the same."""
    limit = ["--query.max-samples=40"]
    with prometheus.running(history(), tmp_path, arguments=limit) as small:
        collector = build(conf, small, {"vol": {"unit": "GiB", "groupby": ["id"]}})
        found = collector.fetch_batch("vol", BatchQuery(SCOPES, BEGINS, HOUR))
    assert len(flat(found)) == len(SCOPES) * (3 * HOURS - 1)
    assert all(len(series) == 3 for series in found.values())
