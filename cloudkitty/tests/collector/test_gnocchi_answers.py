# SPDX-License-Identifier: Apache-2.0
"""What the Gnocchi collector makes of answers (contract collect.md 1.6, 2.1.4, 2.1.5)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.collector import NoDataCollected
from cloudkitty.collector.gnocchi import GnocchiCollector
from cloudkitty.collector.metrics import InvalidConfiguration
from cloudkitty.dataframe import DataPoint
from cloudkitty.tests import webserver
from cloudkitty.tests.collector.gnocchi_helpers import (
    S,
    build,
    gnocchi_answers,
    group,
    no_metric,
)
from cloudkitty.tests.collector.helpers import HOUR, TEN
from cloudkitty.tests.webserver import Reply

START, END = timeutils.from_epoch(TEN), timeutils.from_epoch(TEN + HOUR)
DATES = {"week_of_the_year": "09", "day_of_the_year": "65", "month": "3", "year": "2024"}


@pytest.fixture(scope="module")
def recorder() -> Iterator[webserver.Server]:
    with webserver.serving(lambda _request: Reply(body=[])) as running:
        yield running


@pytest.fixture
def server(recorder: webserver.Server) -> webserver.Server:
    recorder.requests.clear()
    recorder.answer = lambda _request: Reply(body=[])
    return recorder


def fetch(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    definition: dict[str, Any],
    groups: Any,
    resources: Any = (),
) -> list[DataPoint]:
    """Give the points that one definition gets of an answer."""
    server.answer = gnocchi_answers(lambda _request: groups, lambda _request: list(resources))
    collector = build(conf, server.url, {"cpu": definition})
    return collector.fetch_all(next(iter(collector.conf)), START, END, S)


def quantities(points: list[DataPoint]) -> list[str]:
    return [str(point.qty) for point in points]


def test_the_point(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    definition = {
        "groupby": ["id", "user_id"],
        "metadata": ["flavor_name", "vcpus", "missing"],
        "factor": "1/2",
        "offset": 1,
        "description": "d",
    }
    one = group(6.793273129999999, 22.0, user_id=None, month="of the source")
    resources = [{"id": "i1", "flavor_name": "big", "vcpus": None, "metrics": {"cpu": "m"}}]

    (point,) = fetch(conf, server, definition, [one], resources)

    assert point.unit == "x"
    assert str(point.qty) == "4.3966365649999995"
    assert point.price == 0
    assert point.groupby == {"id": "i1", "project_id": S, "user_id": None} | DATES
    assert point.metadata == {"flavor_name": "big", "vcpus": None, "missing": ""}
    assert point.description == "d"


@pytest.mark.parametrize("answer", [[], [group()], no_metric(), Reply(status=200, body=[])])
def test_nothing(conf: cfg_fixture.Config, server: webserver.Server, answer: Any) -> None:
    assert fetch(conf, server, {"metadata": ["name"]}, answer) == []
    collector = build(conf, server.url, {"cpu": {"alt_name": "instance"}})
    reason = "Collector 'gnocchi' returned no data for resource 'instance'"
    with pytest.raises(NoDataCollected, match=reason):
        collector.retrieve("cpu@#instance", START, END, S)


def test_metadata_are_not_searched_when_there_is_nothing(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    fetch(conf, server, {"metadata": ["name"]}, [])
    assert len(server.requests) == 1


def test_metrics_of_a_type_share_the_search(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    server.answer = gnocchi_answers(
        lambda _request: [group(1.0)], lambda _request: [{"id": "i1", "name": "n", "host": "h"}]
    )
    metrics = {
        "cpu": {"metadata": ["name"]},
        "memory": {"metadata": ["host"]},
        "disk": {"metadata": ["host"], "extra_args": {"resource_type": "other"}},
    }
    collector = build(conf, server.url, metrics)

    found = {key: collector.fetch_all(key, START, END, S) for key in metrics}

    assert found["cpu"][0].metadata == {"name": "n"}
    assert found["memory"][0].metadata == {"host": "h"}
    searches = [one.path for one in server.requests if "search" in one.path]
    assert searches == ["/v1/search/resource/instance", "/v1/search/resource/other"]


@pytest.mark.parametrize(
    ("reduction", "qty"),
    [("first", "3.5"), ("max", "7.0"), ("mean", "4.0"), ("sum", "12.0"), ("last", "1.5")],
)
def test_slots_of_a_period(
    conf: cfg_fixture.Config, server: webserver.Server, reduction: str, qty: str
) -> None:
    definition = {"extra_args": {"slot_reduction": reduction}}
    assert quantities(fetch(conf, server, definition, [group(3.5, 7.0, 1.5)])) == [qty]


def test_the_first_slot_counts_by_default(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    assert quantities(fetch(conf, server, {}, [group(3.5, 7.0, 1.5)])) == ["3.5"]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_groups_without_a_value_are_left_out(
    conf: cfg_fixture.Config,
    server: webserver.Server,
    value: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    groups = [group(value, 2.0, id="i1"), group(5.0, id="i2")]
    assert quantities(fetch(conf, server, {}, groups)) == ["5.0"]
    assert "metric 'cpu': left out 1 without a value" in caplog.text
    # Other slots of the period still count where they do.
    summed = {"extra_args": {"slot_reduction": "sum"}}
    assert quantities(fetch(conf, server, summed, groups)) == ["2.0", "5.0"]
    assert fetch(conf, server, summed, [group(value)]) == []


def test_it_is_said_once_for_each_period(
    conf: cfg_fixture.Config, server: webserver.Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = gnocchi_answers(lambda _request: [group(None)])
    collector = build(conf, server.url, {"cpu": {}})
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            collector.fetch_all("cpu", START, END, S)
    assert caplog.text.count("left out 1") == 1


def test_resources_that_are_not_found_are_left_out(
    conf: cfg_fixture.Config, server: webserver.Server, caplog: pytest.LogCaptureFixture
) -> None:
    groups = [group(1.0, id="i1"), group(2.0, id="i2")]
    points = fetch(conf, server, {"metadata": ["name"]}, groups, [{"id": "i2", "name": "n"}])
    assert quantities(points) == ["2.0"]
    assert "left out 1 of a resource that the search for metadata does not find" in caplog.text


def test_joined_by_another_key(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    definition = {"metadata": ["name"], "extra_args": {"resource_key": "host"}}
    # Of resources that have the same, the last one counts.
    resources = [{"id": "a", "host": "h", "name": "x"}, {"id": "b", "host": "h", "name": "y"}]
    (point,) = fetch(conf, server, definition, [group(1.0, host="h")], resources)
    assert point.metadata == {"name": "y"}


LAST = {"use_all_resource_revisions": False}
REVISIONS = [
    group(2.0, id="i1", revision_start="2024-03-05T10:20:00+00:00", flavor="b"),
    group(1.0, id="i1", revision_start="2024-03-05T10:00:00+00:00", flavor="a"),
    group(7.0, id="i2", revision_start="2024-03-05T10:00:00+00:00", flavor="c"),
]


def test_every_revision_is_a_point(conf: cfg_fixture.Config, server: webserver.Server) -> None:
    points = fetch(conf, server, {"mutate": "NUMBOOL"}, REVISIONS)
    assert [(p.groupby["id"], p.groupby["flavor"], str(p.qty)) for p in points] == [
        ("i1", "b", "1.0"),
        ("i1", "a", "1.0"),
        ("i2", "c", "1.0"),
    ]


@pytest.mark.parametrize("listed", [["revision_start"], []])
def test_the_last_revision_has_the_sum(
    conf: cfg_fixture.Config, server: webserver.Server, listed: list[str]
) -> None:
    definition = {"groupby": listed, "extra_args": LAST}
    points = fetch(conf, server, definition, REVISIONS)
    assert [(p.groupby["id"], p.groupby["flavor"], str(p.qty)) for p in points] == [
        ("i1", "b", "3.0"),
        ("i2", "c", "7.0"),
    ]
    assert ["revision_start" in point.groupby for point in points] == [bool(listed)] * 2
    numbool = fetch(conf, server, {**definition, "mutate": "NUMBOOL"}, REVISIONS)
    assert quantities(numbool) == ["1.0", "1.0"]


def test_without_an_id_nothing_is_filtered(
    conf: cfg_fixture.Config, server: webserver.Server
) -> None:
    groups = [group(1.0, host="h", revision_start=str(number)) for number in range(2)]
    for one in groups:
        del one["group"]["id"]
    definition = {"extra_args": {**LAST, "resource_key": "host"}}
    points = fetch(conf, server, definition, groups)
    assert quantities(points) == ["1.0", "1.0"]
    assert "revision_start" not in points[0].groupby


@pytest.mark.parametrize(
    ("reduction", "qty"),
    # Slots of the same time are put together first: 21.0, 21.0, 21.0.
    [("max", "21.0"), ("sum", "63.0"), ("mean", "21.0"), ("last", "21.0")],
)
def test_revisions_with_several_slots(
    conf: cfg_fixture.Config, server: webserver.Server, reduction: str, qty: str
) -> None:
    groups = [
        group(21.0, 6.5, revision_start="1"),
        group(14.5, 21.0, revision_start="2", begin=TEN + 300),
    ]
    definition = {"extra_args": {**LAST, "slot_reduction": reduction}}
    assert quantities(fetch(conf, server, definition, groups)) == [qty]


def test_revisions_of_which_the_first_slot_counts_are_not_summed_up(
    conf: cfg_fixture.Config, server: webserver.Server, caplog: pytest.LogCaptureFixture
) -> None:
    several = [group(21.0, 6.5, revision_start="1"), group(14.5, 21.0, revision_start="2")]
    assert quantities(fetch(conf, server, {"extra_args": LAST}, several)) == ["14.5"]
    assert "left out 2 of a revision that has several slots" in caplog.text
    # Those with one slot are, if the last one is among them.
    mixed = [*several[:1], group(1.0, revision_start="2"), group(2.0, revision_start="3")]
    assert quantities(fetch(conf, server, {"extra_args": LAST}, mixed)) == ["3.0"]


def test_definitions(conf: cfg_fixture.Config, caplog: pytest.LogCaptureFixture) -> None:
    conf.config(collector="gnocchi", group="collect")
    check = GnocchiCollector.check_configuration

    def checked(definition: dict[str, Any]) -> dict[str, Any]:
        return check({"metrics": {"cpu": {"unit": "x", **definition}}})["cpu"]

    given = checked({"extra_args": {"resource_type": "t"}})
    assert given["groupby"] == ["project_id", "id"]
    assert given["extra_args"] == {
        "resource_type": "t",
        "resource_key": "id",
        "aggregation_method": "max",
        "re_aggregation_method": "max",
        "force_granularity": 3600,
        "use_all_resource_revisions": True,
        "custom_query": "",
        "slot_reduction": "first",
    }
    given = checked(
        {
            "groupby": ["a", "host"],
            "metadata": ["b"],
            "extra_args": {"resource_type": "t", "resource_key": "b"},
        }
    )
    assert given["groupby"] == ["a", "host", "project_id", "b"]
    assert given["metadata"] == []
    assert "metric 'cpu': b is the resource_key, left out of metadata" in caplog.text

    checked({"extra_args": {"resource_type": "t", "aggregation_method": "rate:95pct"}})
    for arguments, reason in (
        (None, r"required key not provided @ data\['extra_args'\]"),
        ({}, r"required key not provided @ data\['extra_args'\]\['resource_type'\]"),
        ({"resource_type": ""}, r"length of value must be at least 1"),
        ({"re_aggregation_method": "95pct"}, r"value must be one of \["),
        ({"aggregation_method": "avg"}, r"data\['extra_args'\]\['aggregation_method'\]"),
        ({"force_granularity": -1}, r"value must be at least 0 for dictionary value"),
        ({"use_all_resource_revisions": 1}, r"expected bool"),
        ({"slot_reduction": "median"}, r"value must be one of \['first', 'last', 'max'"),
        ({"foo": 1}, r"extra keys not allowed @ data\['extra_args'\]\['foo'\]"),
    ):
        extra = {"resource_type": "t", **arguments} if arguments else arguments
        definition = {} if extra is None else {"extra_args": extra}
        with pytest.raises(InvalidConfiguration, match=reason):
            checked(definition)


def test_no_granularity_is_warned_of_once(
    conf: cfg_fixture.Config, caplog: pytest.LogCaptureFixture
) -> None:
    build(conf, "http://localhost", {"cpu": {"extra_args": {"force_granularity": 0}}})
    assert caplog.text.count("metric 'cpu': force_granularity is 0") == 1
