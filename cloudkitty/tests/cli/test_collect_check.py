# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-status collect check`` against a real Prometheus: what it shows, what it finds."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from oslo_config import fixture as cfg_fixture

from cloudkitty import timeutils
from cloudkitty.cli import collect_check, collect_report
from cloudkitty.cli.collect_check import Level, MetricCheck, Report
from cloudkitty.tests import prometheus
from cloudkitty.tests.cli.commands import Commands
from cloudkitty.tests.collector.helpers import HOUR, TEN

pytestmark = pytest.mark.service

#: Ten minutes past eleven: the last period that is over is that from 10:00 on.
NOW = timeutils.from_epoch(TEN + HOUR + 600)
VOLUME: dict[str, Any] = {"unit": "GiB", "groupby": ["id"], "metadata": ["kind"]}


def history() -> str:
    def at(*values: object) -> list[tuple[float, object]]:
        return [(TEN + 60 + index * 600, value) for index, value in enumerate(values)]

    return prometheus.openmetrics(
        [
            prometheus.Family(
                "vol",
                [
                    ({"project_id": "p1", "id": "a", "kind": "ssd"}, at(1, 2, 3)),
                    ({"project_id": "p1", "id": "b", "kind": "hdd"}, at(10)),
                ],
            ),
            prometheus.Family("ip", [({"project_id": "p2", "id": "x"}, at(1))]),
            prometheus.Family("homeless", [({"id": "h"}, at(1)), ({"id": "i"}, at(1))]),
            prometheus.Family("odd", [({"project_id": "p1", "id": "n"}, at("NaN"))]),
            prometheus.Family("cpu", [({"domain": "d1"}, at(4))]),
            prometheus.Family("info", [({"domain": "d1", "project": "p1"}, at(1))]),
        ]
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus.running(history(), tmp_path_factory.mktemp("prometheus")) as running:
        yield running


Run = Callable[..., Report]


@pytest.fixture
def run(conf: cfg_fixture.Config, url: str, tmp_path: Path) -> Run:
    """Check these metrics for the scopes p1 and p2."""

    def check(
        metrics: object,
        scope: str | None = None,
        begin: dt.datetime | None = None,
        scopes: tuple[str, ...] = ("p0", "p1", "p2"),
        **collector: object,
    ) -> Report:
        path = tmp_path / "metrics.yml"
        text = (
            metrics
            if isinstance(metrics, str)
            else yaml.safe_dump({"metrics": metrics}, sort_keys=False)
        )
        path.write_text(text)
        conf.config(collector="prometheus", metrics_conf=str(path), group="collect")
        conf.config(**{"prometheus_url": url, **collector}, group="collector_prometheus")
        if conf.conf.fetcher.backend == "keystone":
            conf.config(backend="source", group="fetcher")
        conf.config(sources=list(scopes), group="fetcher_source")
        return collect_check.check(conf.conf, scope, begin, NOW)

    return check


def texts(found: Report | MetricCheck) -> list[str]:
    return [f"{one.level.name}: {one.text}" for one in found.findings]


def shown(conf: cfg_fixture.Config, report: Report) -> str:
    return collect_report.as_table(report, collect_report.Secrets(conf.conf))


def test_all_is_fine(run: Run, url: str, conf: cfg_fixture.Config) -> None:
    report = run({"vol": VOLUME, "ip": {"unit": "ip"}})

    assert report.level == Level.FINE
    # The first with data: p0 has none.
    assert (report.scope, report.scopes) == ("p1", 3)
    assert report.begin == timeutils.from_epoch(TEN)
    volume, address = report.metrics
    assert (volume.points, str(volume.quantity)) == (2, "13")
    assert volume.labels == {"id": "a", "kind": "ssd"}
    assert volume.request == (
        f"GET {url}/query time=2024-03-05T11:00:00+00:00 "
        'query=max(max_over_time(vol{project_id="p1"}[3600s])) by (id, project_id, kind)'
    )
    assert texts(address) == ["FINE: no points in this scope; p2 has some"]
    text = shown(conf, report)
    assert re.search(r"^vol +2 +13 GiB +\d\.\d\d s +ok$", text, re.MULTILINE)
    assert re.search(r"^ip +0 +- +\d\.\d\d s +ok$", text, re.MULTILINE)
    assert "    labels   id=a, kind=ssd\n" in text
    assert text.endswith("\nResult: ok")


def test_the_request_can_be_asked_again(run: Run) -> None:
    request = run({"vol": VOLUME}).metrics[0].request
    address, at, query = re.fullmatch(r"GET (\S+) time=(\S+) query=(.+)", request).groups()

    answer = requests.get(address, params={"time": at, "query": query}, timeout=10).json()

    assert len(answer["data"]["result"]) == 2


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        (
            {"nope": {"unit": "u"}},
            "no points: Prometheus has no series nope in this period",
        ),
        (
            {"homeless": {"unit": "u"}},
            "no points: none of the 2 series homeless has the label project_id",
        ),
        (
            {"vol": {**VOLUME, "groupby": ["id", "nope"]}},
            "label nope is empty on all points: the source does not have it",
        ),
        (
            {"vol": {**VOLUME, "skip_datapoints_expression": "True"}},
            "left out by skip_datapoints_expression: 2, all there are",
        ),
        (
            {"vol": {**VOLUME, "extra_args": {"query_suffix": "> 100"}}},
            "no points: 2 series vol are of this scope, but the query gives nothing of them",
        ),
        (
            {
                "cpu": {
                    "unit": "core",
                    "joins": [
                        {
                            "source": "prometheus",
                            "metric": "info",
                            "on": ["domain"],
                            "groupby": {"project_id": "project"},
                        }
                    ],
                }
            },
            "no points: join with prometheus 'info': nothing there has project p2",
        ),
    ],
    ids=["metric", "scope key", "label", "skipped", "suffix", "join"],
)
def test_a_warning(run: Run, metrics: dict[str, Any], text: str) -> None:
    report = run(metrics, "p2" if "cpu" in metrics else "p1", scopes=("p1", "p2")[-1:])
    report.findings.clear()

    assert report.level == Level.WARNING
    (found,) = texts(report.metrics[0])
    # A hint may follow.
    assert found.partition(": is ")[0].partition(": another ")[0] == f"WARNING: {text}"


def test_usage_that_a_join_gives_its_scope(run: Run) -> None:
    join = {"source": "prometheus", "metric": "info", "on": ["domain"]}
    join |= {"groupby": {"project_id": "project"}}

    report = run({"cpu": {"unit": "core", "joins": [join]}})

    assert report.level == Level.FINE
    assert report.metrics[0].labels == {"domain": "d1"}
    assert "domain" in report.metrics[0].request


def test_what_the_product_warns_of(run: Run) -> None:
    report = run({"odd": {"unit": "u", "groupby": ["id"]}}, "p1")

    assert report.level == Level.WARNING
    assert any("metric 'odd': 1 values that are NaN or infinite" in one for one in texts(report))


def test_a_query_that_prometheus_refuses(run: Run, conf: cfg_fixture.Config) -> None:
    report = run({"vol": {"unit": "u", "extra_args": {"range_function": "irange"}}, "ip": VOLUME})

    assert report.level == Level.ERROR
    assert re.match(r"ERROR: .*bad_data.*unknown function.*irange", texts(report.metrics[0])[0])
    # The others are shown all the same.
    assert report.scope == "p2"
    assert report.metrics[1].points == 1
    assert shown(conf, report).endswith("\nResult: error")


def test_a_file_that_is_not_valid(run: Run, tmp_path: Path) -> None:
    report = run({"a": {"factor": 1}, "b": {"unit": "u", "groupby": "x"}, "c": {"unit": "u"}})

    assert report.level == Level.ERROR
    path = tmp_path / "metrics.yml"
    assert texts(report) == [
        f"ERROR: {path}: metric 'a': required key not provided @ data['unit']",
        f"ERROR: {path}: metric 'b': expected a list for dictionary value @ data['groupby']",
    ]
    assert report.metrics == []


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ("metrics: [", "not valid YAML"),
        ("", "required key not provided"),
        ({"vol": {**VOLUME, "skip_datapoints_expression": "import x"}}, "skip_datapoints_exp"),
    ],
)
def test_a_file_that_cannot_be_used(run: Run, metrics: object, text: str) -> None:
    report = run(metrics)

    assert report.level == Level.ERROR
    assert text in texts(report)[0]


def test_no_file(run: Run, conf: cfg_fixture.Config) -> None:
    run({"vol": VOLUME})
    conf.config(metrics_conf="/nowhere/metrics.yml", group="collect")

    report = collect_check.check(conf.conf, None, None, NOW)

    assert texts(report) == ["ERROR: /nowhere/metrics.yml: No such file or directory"]


def test_a_source_that_is_not_there(run: Run, conf: cfg_fixture.Config, monkeypatch: Any) -> None:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.01)
    port = prometheus.free_port()
    away = f"http://eve:h%40rd@127.0.0.1:{port}/api/v1"

    report = run({"vol": VOLUME, "ip": VOLUME}, prometheus_url=away)

    assert report.level == Level.ERROR
    assert report.scope == "p0"
    for one in report.metrics:
        assert f"127.0.0.1:{port}" in texts(one)[0]
        assert "Connection refused" in texts(one)[0]
    assert "h%40rd" not in shown(conf, report)
    assert "eve" not in shown(conf, report)


def test_a_fetcher_that_fails(run: Run, conf: cfg_fixture.Config, monkeypatch: Any) -> None:
    """With a scope that is named the metrics are looked at all the same."""
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.01)
    port = prometheus.free_port()
    conf.config(backend="prometheus", group="fetcher")
    conf.config(
        metric="up", prometheus_url=f"http://127.0.0.1:{port}/api/v1", group="fetcher_prometheus"
    )

    report = run({"vol": VOLUME}, "p1")

    assert report.scopes is None
    assert "[fetcher] backend = prometheus: " in texts(report)[0]
    assert f"127.0.0.1:{port}" in texts(report)[0]
    assert report.metrics[0].points == 2
    assert "Fetcher    prometheus: failed\n" in shown(conf, report)
    # Without one there is nothing to ask for.
    assert run({"vol": VOLUME}).metrics == []


@pytest.mark.parametrize(
    ("group", "option", "text"),
    [
        ("fetcher", "backend", "[fetcher] backend = nope: "),
        ("collect", "collector", "[collect] collector = nope: "),
    ],
)
def test_plug_ins_that_do_not_exist(
    run: Run, conf: cfg_fixture.Config, group: str, option: str, text: str
) -> None:
    run({"vol": VOLUME})
    conf.config(**{option: "nope"}, group=group)

    report = collect_check.check(conf.conf, "p1", None, NOW)

    assert report.level == Level.ERROR
    assert text in texts(report)[0]
    assert "'nope'" in texts(report)[0]


def test_scopes_that_are_not_there(run: Run) -> None:
    report = run({"vol": VOLUME}, "p9")
    assert texts(report) == [
        "WARNING: scope p9 is not among the 3 that fetcher source knows: it would not be rated"
    ]
    assert texts(report.metrics[0]) == ["FINE: no points in this scope; p1 has some"]

    report = run({"vol": VOLUME}, scopes=("p8", "p9"))
    assert texts(report) == ["WARNING: none of the first 2 scopes has any data in this period"]
    assert report.scope == "p8"

    report = run({"vol": VOLUME}, scopes=())
    assert texts(report) == ["ERROR: fetcher source knows no scope, so nothing would be rated"]


def test_another_period(run: Run) -> None:
    earlier = run({"vol": VOLUME}, "p1", timeutils.from_epoch(TEN - HOUR))
    assert earlier.metrics[0].points == 0

    running = run({"vol": VOLUME}, "p1", timeutils.from_epoch(TEN + HOUR))
    assert texts(running)[0] == "WARNING: the period is not over yet"


def test_the_last_period_on_the_grid_of_the_month(conf: cfg_fixture.Config) -> None:
    """Days begin at midnight of this host; at the begin of a month the last one is of another."""
    timeutils.set_local_timezone(dt.timezone(dt.timedelta(hours=2)))
    conf.config(period=86400, group="collect")

    def begin(text: str) -> str:
        when = collect_check._last_complete(conf.conf, timeutils.parse_iso(text))
        return when.isoformat()

    assert begin("2024-03-05T21:59:59Z") == "2024-03-03T22:00:00+00:00"
    assert begin("2024-03-05T22:00:00Z") == "2024-03-04T22:00:00+00:00"
    assert begin("2024-03-01T00:00:00Z") == "2024-02-28T22:00:00+00:00"


def test_secrets_are_not_shown(conf: cfg_fixture.Config) -> None:
    conf.config(prometheus_password="hush-hush", group="collector_prometheus")
    secrets = collect_report.Secrets(conf.conf)

    assert secrets.hide("said hush-hush at http://u:p@h/x, http://h/y@z") == (
        "said *** at http://***@h/x, http://h/y@z"
    )


@pytest.fixture
def commands(tmp_path: Path, url: str) -> Commands:
    (tmp_path / "metrics.yml").write_text(yaml.safe_dump({"metrics": {"vol": VOLUME}}))
    return Commands(
        tmp_path,
        "sqlite://",
        collect={"collector": "prometheus", "metrics_conf": tmp_path / "metrics.yml"},
        collector_prometheus={"prometheus_url": url},
        fetcher={"backend": "source"},
        fetcher_source={"sources": "p1,p2"},
    )


@pytest.mark.e2e
def test_the_command(commands: Commands) -> None:
    arguments = ["collect", "check", "--begin", "2024-03-05T10:00"]
    done = commands.run("cloudkitty-status", *arguments, "--format", "json")
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert (found["name"], found["result"], found["scope"]) == ("Collect Check Results", 0, "p1")
    assert found["metrics"][0] | {"seconds": 0} == {
        "metric": "vol",
        "key": "vol",
        "result": 0,
        "request": found["metrics"][0]["request"],
        "points": 2,
        "skipped": 0,
        "quantity": "13",
        "unit": "GiB",
        "labels": {"id": "a", "kind": "ssd"},
        "seconds": 0,
        "findings": [],
    }

    done = commands.run("cloudkitty-status", *arguments, "--scope", "p9")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("Collect Check Results\n")
    assert done.stdout.endswith("\nResult: warning\n")

    (commands.directory / "metrics.yml").write_text("metrics: {a: {}}")
    done = commands.run("cloudkitty-status", "collect", "check")
    assert done.returncode == 2
    assert "error: " in done.stdout


@pytest.mark.e2e
def test_usage(commands: Commands) -> None:
    done = commands.run("cloudkitty-status", "collect", "check", "--begin", "yesterday")
    assert done.returncode == 2
    assert "not an ISO 8601 date: 'yesterday'" in done.stderr
