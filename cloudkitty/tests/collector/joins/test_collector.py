# SPDX-License-Identifier: Apache-2.0
"""Joins around any collector, whatever sources say or fail to say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.collector import BaseCollector, BatchFailure, CollectError, metrics
from cloudkitty.collector.base import BatchQuery
from cloudkitty.collector.joins import sources
from cloudkitty.collector.joins.base import Answer, Key, Labels, ScopeLookup, Timeline, Window
from cloudkitty.collector.joins.collector import JoiningCollector, JoinOf
from cloudkitty.collector.joins.schema import joins_of
from cloudkitty.dataframe import DataPoint
from cloudkitty.tests.collector.helpers import HOUR, TEN, flat

BEGINS = [TEN + i * HOUR for i in range(4)]
OWN = {
    "source": "prometheus",
    "metric": "info",
    "on": ["domain"],
    "groupby": ["project_id"],
    "metadata": ["flavor"],
    "missing": "?",
}
NAME = {"source": "keystone", "entity": "project", "on": ["project_id"], "metadata": ["name"]}


class Usage(BaseCollector):
    """An out-of-tree collector that knows the classic form only."""

    collector_name = "usage"
    scope_joins = True
    bad = ""

    @staticmethod
    def check_configuration(conf: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return metrics.validate(conf, "project_id")

    def fetch_all(
        self,
        metric_name: str,
        start: dt.datetime,
        end: dt.datetime,
        scope_id: str,
        q_filter: Any = None,
    ) -> list[DataPoint]:
        if scope_id == self.bad:
            raise CollectError("no usage")
        begin = timeutils.to_epoch(start)
        label = metrics.scope_label(self.conf[metric_name], "project_id")
        return [
            DataPoint(
                "u", number, 0, {label: scope_id, "n": n, **timeutils.calendar_keys(begin)}, {}
            )
            for n, number in enumerate([1, 2])
        ]


class Table(ScopeLookup):
    """(domain, period) -> (owner, flavor)."""

    def __init__(self, cells: Mapping[tuple[str, int], tuple[str, str]], bad: str = "") -> None:
        self._cells = cells
        self._bad = bad

    def find(self, keys: Iterable[Key], window: Window) -> Answer:
        values = {key[0] for key in keys}
        # The same labels are the same object, as lookups promise.
        known = {cell: {"project_id": cell[0], "flavor": cell[1]} for cell in self._cells.values()}
        timelines = {}
        for value in values - {self._bad}:
            cells = [self._cells.get((value, begin)) for begin in window.begins]
            at: Sequence[Labels | None] = [None if one is None else known[one] for one in cells]
            timelines[value,] = Timeline.of(at)
        return Answer(timelines, {self._bad: "broken"} if self._bad in values else {})

    def owned(
        self, scopes: Sequence[str], window: Window
    ) -> tuple[dict[str, list[str]], dict[str, str]]:
        found: dict[str, set[str]] = {}
        for (domain, begin), (owner, _flavor) in self._cells.items():
            if begin in window.begins and owner in scopes:
                found.setdefault(owner, set()).add(domain)
        return {owner: sorted(some) for owner, some in found.items()}, {}


class Names(Table):
    """Every project is known by its id in capitals, but one."""

    def find(self, keys: Iterable[Key], window: Window) -> Answer:
        values = {key[0] for key in keys}
        if "broken" in values:
            raise CollectError("HTTP 503")
        return Answer({(v,): Timeline({"name": v.upper()}) for v in values if v != "b"})


def build(cells: Mapping[tuple[str, int], tuple[str, str]], bad: str = "") -> JoiningCollector:
    inner = Usage(period=HOUR, conf={"metrics": {"m": {"unit": "u", "joins": [OWN, NAME]}}})
    lookups = [Table(cells, bad), Names({})]
    joins = [JoinOf(j, k) for j, k in zip(joins_of(inner.conf["m"]), lookups, strict=True)]
    return JoiningCollector(inner, {"m": joins}, "project_id")


@given(
    cells=st.dictionaries(
        st.tuples(st.sampled_from(["d1", "d2", "d3"]), st.sampled_from(BEGINS)),
        st.tuples(st.sampled_from("abc"), st.sampled_from(["", "s", "l"])),
    ),
    scopes=st.permutations("abc").map(lambda some: some[:2]),
)
@settings(max_examples=60, deadline=None)
def test_each_point_is_its_owner_s(
    cells: dict[tuple[str, int], tuple[str, str]], scopes: list[str]
) -> None:
    collector = build(cells)
    query = BatchQuery(scopes, BEGINS, HOUR)
    found = collector.fetch_batch("m", query)
    expected = [
        (
            owner,
            begin,
            [("domain", domain), ("n", n), ("project_id", owner)],
            [("flavor", flavor or "?"), ("name", "" if owner == "b" else owner.upper())],
            qty,
        )
        for (domain, begin), (owner, flavor) in cells.items()
        for n, qty in enumerate("12")
        if owner in scopes
    ]
    assert flat(found) == sorted(expected)
    assert flat(BaseCollector.fetch_batch(collector, "m", query)) == sorted(expected)


CELLS = {(f"d{n}", begin): (owner, "s") for n, owner in enumerate("abb") for begin in BEGINS}


def test_a_key_that_cannot_be_looked_up_fails_its_scope_alone() -> None:
    collector = build(CELLS, bad="d1")
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("m", BatchQuery(["a", "b"], BEGINS, HOUR))
    assert caught.value.failed == {"b": "metric 'm': join with prometheus 'info': broken"}
    assert list(caught.value.series) == ["a"]


def test_usage_that_cannot_be_had_fails_its_scope_alone() -> None:
    collector = build(CELLS)
    collector.inner.bad = "d2"  # type: ignore[attr-defined]
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("m", BatchQuery(["a", "b"], BEGINS, HOUR))
    assert caught.value.failed == {"b": "metric 'm': no usage"}
    assert list(caught.value.series) == ["a"]
    with pytest.raises(CollectError, match="no usage"):
        collector.fetch_all("m", timeutils.from_epoch(TEN), timeutils.from_epoch(TEN + HOUR), "b")


def test_a_source_of_labels_that_is_down_fails_the_metric() -> None:
    collector = build({("d1", TEN): ("a", "s"), ("d2", TEN): ("broken", "s")})
    with pytest.raises(CollectError) as caught:
        collector.fetch_batch("m", BatchQuery(["a", "broken"], BEGINS, HOUR))
    assert str(caught.value) == "metric 'm': join with keystone 'project': HTTP 503"
    assert not isinstance(caught.value, BatchFailure)


def test_nobody_owns_anything() -> None:
    assert build({}).fetch_batch("m", BatchQuery(["a"], BEGINS, HOUR)) == {}
    assert build(CELLS).fetch_batch("m", BatchQuery([], BEGINS, HOUR)) == {}


def test_quantities_stay_as_they_are() -> None:
    found = build(CELLS).fetch_batch("m", BatchQuery(["a"], BEGINS, HOUR))
    assert [series.qtys for series in found["a"]] == [[Decimal(1)] * 4, [Decimal(2)] * 4]


def test_a_collector_without_joins_stays_as_it_is(conf: cfg_fixture.Config) -> None:
    inner = Usage(period=HOUR, conf={"metrics": {"m": {"unit": "u"}}})
    assert sources.joined(cfg.CONF, inner) is inner


def test_a_collector_that_cannot_be_asked_by_another_label(conf: cfg_fixture.Config) -> None:
    inner = Usage(period=HOUR, conf={"metrics": {"m": {"unit": "u", "joins": [OWN]}}})
    inner.scope_joins = False
    with pytest.raises(metrics.InvalidConfiguration, match="metric 'm': collector usage cannot"):
        sources.joined(cfg.CONF, inner)


@pytest.mark.parametrize(
    ("join", "reason"),
    [
        (OWN, r"join with prometheus 'info'.*prometheus_url"),
        (NAME, r"join with keystone 'project'.*\[fetcher_keystone\] auth_type: not set"),
        (
            {
                "source": "gnocchi",
                "resource_type": "instance",
                "on": ["id"],
                "metadata": ["flavor_name"],
            },
            r"join with gnocchi 'instance'.*\[collector_gnocchi\] auth_type: not set",
        ),
    ],
    ids=["prometheus", "keystone", "gnocchi"],
)
def test_a_source_that_is_not_configured(
    conf: cfg_fixture.Config, join: dict[str, Any], reason: str
) -> None:
    inner = Usage(period=HOUR, conf={"metrics": {"m": {"unit": "u", "joins": [join]}}})
    with pytest.raises(cfg.Error, match=reason):
        sources.joined(cfg.CONF, inner)
