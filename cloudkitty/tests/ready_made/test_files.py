# SPDX-License-Identifier: Apache-2.0
"""What holds for every ready-made file: valid, installed, documented, with its scopes found."""

from __future__ import annotations

import configparser
import re

import pytest
import requests

from cloudkitty.collector import metrics
from cloudkitty.collector.base import BaseCollector, BatchQuery
from cloudkitty.demo.run import settings as run_settings
from cloudkitty.demo.run import source
from cloudkitty.fetcher.base import get_fetcher
from cloudkitty.prometheus.client import PrometheusClient
from cloudkitty.tests.collector.helpers import flat
from cloudkitty.tests.ready_made.helpers import ETC, HOUR, TEN, collector

ROOT = ETC.parent.parent
PAGE = ROOT / "doc" / "source" / "configuration" / "ready_made.rst"
#: File -> a scope of the history that all tests share.
SCOPES = {
    "metrics_kubernetes.yml": "shop",
    "metrics_libvirt_exporter.yml": "5bc4e6a90d1f4b5a9c7d000000000001",
    "metrics_node_exporter.yml": "db1:9100",
    "metrics_openstack_exporter.yml": "4bc4e6a90d1f4b5a9c7d000000000001",
}
FILES = sorted(SCOPES)


def head(file: str) -> str:
    """Give the comment that a file begins with."""
    lines = (ETC / file).read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))])


def settings(file: str) -> dict[str, str]:
    """Give the options that the comment of a file asks for."""
    return dict(re.findall(r"(\w+) = ([\w:]+)", head(file)))


def test_each_file_is_tested() -> None:
    shipped = {path.name for path in ETC.glob("*.yml")}
    assert shipped == {*FILES, "metrics.yml", "prom_metrics.yml"}


@pytest.mark.parametrize("file", [*FILES, "metrics.yml", "prom_metrics.yml"])
def test_each_file_is_installed_and_documented(file: str) -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    assert f"etc/cloudkitty/{file}" in parser["files"]["data_files"].split()
    assert f"``{file}``" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES)
def test_each_metric_is_documented(file: str) -> None:
    _, _, section = PAGE.read_text(encoding="utf-8").partition(f"\n``{file}``\n====")
    section = section.partition("\n``metrics_")[0]
    found = metrics.validate(metrics.load(str(ETC / file)), settings(file)["scope_key"])
    for key, definition in found.items():
        assert f"``{metrics.frame_name(key, definition)}``" in section, key


@pytest.mark.parametrize("file", FILES)
def test_no_warning(conf, file, caplog) -> None:
    collector(conf, "http://127.0.0.1:9/api/v1", file, settings(file)["scope_key"])
    assert caplog.text == ""


@pytest.mark.service
@pytest.mark.parametrize("file", FILES)
def test_the_fetcher_finds_the_scopes(conf, ready_made_url, file, monkeypatch) -> None:
    """With the options of the comment; the question is put at 10:30, when there was something."""
    wanted = settings(file)
    options = {key: wanted[key] for key in ("metric", "scope_attribute")}
    if "filters" in wanted:
        options["filters"] = dict([wanted["filters"].split(":")])
    conf.config(backend="prometheus", group="fetcher")
    conf.config(prometheus_url=ready_made_url, group="fetcher_prometheus", **options)
    query = PrometheusClient.query
    at = str(TEN + HOUR // 2)
    monkeypatch.setattr(PrometheusClient, "query", lambda self, text: query(self, text, at))

    assert SCOPES[file] in get_fetcher(conf.conf).get_tenants()


@pytest.mark.service
@pytest.mark.parametrize("file", FILES)
def test_make_run_finds_the_scopes(ready_made_url, file, monkeypatch, tmp_path) -> None:
    environ = {"PROMETHEUS_URL": ready_made_url, "METRICS": str(ETC / file)}
    run = run_settings.from_environment(environ, tmp_path)
    get = requests.get

    def at_half_past_ten(url: str, params: dict[str, str], **more: object) -> requests.Response:
        return get(url, params={**params, "time": str(TEN + HOUR // 2)}, **more)

    monkeypatch.setattr(requests, "get", at_half_past_ten)

    found = source.scopes(run, run.api_url(0), source.definitions(run))

    assert run.scope_key == settings(file)["scope_key"]
    assert found.label == run.scope_key
    assert found.count >= 1


@pytest.mark.service
@pytest.mark.parametrize("file", FILES)
def test_a_batch_gives_what_single_questions_give(conf, ready_made_url, file) -> None:
    source = collector(conf, ready_made_url, file, settings(file)["scope_key"])
    query = BatchQuery([SCOPES[file], "unknown"], [TEN, TEN + HOUR], HOUR)
    for key in source.conf:
        batch = flat(source.fetch_batch(key, query))
        assert batch == flat(BaseCollector.fetch_batch(source, key, query))
        assert batch, key
