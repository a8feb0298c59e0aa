# SPDX-License-Identifier: Apache-2.0
"""What the variables of ``make run`` mean, and the configuration that is made of them."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest
from oslo_config import cfg

from cloudkitty import conf as ck_conf
from cloudkitty.cli.api import _OPTIONS
from cloudkitty.demo.run import settings as run_settings
from cloudkitty.demo.run import source
from cloudkitty.demo.run.settings import UsageError, from_environment, write_configuration

METRICS = "metrics: {m: {unit: GiB, groupby: [id]}}\n"


def test_nothing_set_is_the_demo(tmp_path: Path) -> None:
    settings = from_environment({"PROMETHEUS_URL": " "}, tmp_path)

    assert settings.prometheus is None
    assert settings.api_url(9190) == "http://127.0.0.1:9190/api/v1"
    assert source.units(source.definitions(settings)) == {
        "instance": "instance",
        "volume.size": "GiB",
        "image.size": "GiB",
        "ip.floating": "ip",
        "storage.objects": "GiB",
    }


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("http://prom:9090", "http://prom:9090/api/v1"),
        ("http://prom:9090/", "http://prom:9090/api/v1"),
        ("https://u:p%40x@prom/base/api/v1/", "https://prom/base/api/v1"),
    ],
)
def test_a_prometheus_of_ones_own(url: str, api: str, tmp_path: Path) -> None:
    metrics = tmp_path / "m.yml"
    metrics.write_text(METRICS)

    settings = from_environment({"PROMETHEUS_URL": url, "METRICS": str(metrics)}, tmp_path)

    assert settings.api_url(0) == api
    assert settings.scope_key == "project_id"
    assert settings.credentials() == (("u", "p@x") if "@" in url else None)


@pytest.mark.parametrize("name", run_settings.SCOPE_KEYS)
def test_a_ready_made_file_knows_its_scope_key(name: str, tmp_path: Path) -> None:
    environ = {"PROMETHEUS_URL": "http://p", "METRICS": str(run_settings.shipped(name))}

    settings = from_environment(environ, tmp_path)

    assert settings.scope_key == run_settings.SCOPE_KEYS[name]
    assert source.definitions(settings)
    chosen = from_environment(environ | {"SCOPE_KEY": "mine"}, tmp_path)
    assert chosen.scope_key == "mine"


def test_each_source_and_scope_key_has_a_directory_of_its_own(tmp_path: Path) -> None:
    directories = {
        from_environment({"PROMETHEUS_URL": url, "SCOPE_KEY": key}, tmp_path).directory
        for url in ("http://a:1", "http://a:2", "http://b:1")
        for key in ("x", "y")
    }
    assert len(directories) == 6


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"PROMETHEUS_URL": "prom:9090"}, "PROMETHEUS_URL=prom:9090: not an http"),
        ({"PROMETHEUS_URL": "http://prom:port"}, "not an http"),
        ({"PROMETHEUS_URL": "http://p", "METRICS": "/not/there"}, "METRICS=/not/there"),
        ({"PROMETHEUS_URL": "http://p", "SCOPE_KEY": "a b"}, "SCOPE_KEY=a b"),
        ({"SCOPE_KEY": "x"}, "go with PROMETHEUS_URL"),
    ],
)
def test_what_cannot_be_meant(environ: dict[str, str], text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=text):
        from_environment(environ, tmp_path)


def test_a_broken_metrics_file_is_named(tmp_path: Path) -> None:
    metrics = tmp_path / "m.yml"
    metrics.write_text("metrics: {m: {factor: 1}}\n")
    environ = {"PROMETHEUS_URL": "http://p", "METRICS": str(metrics)}

    with pytest.raises(UsageError, match=r"m\.yml.*'m'.*unit"):
        source.definitions(from_environment(environ, tmp_path))


def test_a_source_that_does_not_answer_is_named(tmp_path: Path) -> None:
    port = run_settings.free_port(0)
    settings = from_environment({"PROMETHEUS_URL": f"http://127.0.0.1:{port}"}, tmp_path)

    with pytest.raises(UsageError, match=f"no usable answer from http://127.0.0.1:{port}"):
        source.scopes(settings, settings.api_url(0), {"m": {}})


def test_the_configuration_is_read_back_as_it_was_meant(tmp_path: Path) -> None:
    metrics = tmp_path / "m.yml"
    metrics.write_text(METRICS)
    environ = {"PROMETHEUS_URL": "http://us:p$w@h:1", "SCOPE_KEY": "ns", "METRICS": str(metrics)}
    settings = from_environment(environ, tmp_path)
    settings.directory.mkdir()

    path = write_configuration(settings, 0, "m", "name")

    assert path.stat().st_mode & 0o077 == 0
    conf = cfg.ConfigOpts()
    ck_conf.register_opts(conf)
    conf(["--config-file", str(path)], project="x")
    assert conf.collect.scope_key == "ns"
    assert (conf.fetcher_prometheus.metric, conf.fetcher_prometheus.scope_attribute) == (
        "m",
        "name",
    )
    assert conf.collector_prometheus.prometheus_url == "http://h:1/api/v1"
    assert conf.fetcher_prometheus.prometheus_password == "p$w"
    assert conf.orchestrator.coordination_url == ""


def test_the_api_is_for_this_machine_alone() -> None:
    """It asks nobody who they are."""
    conf = cfg.ConfigOpts()
    conf.register_cli_opts(_OPTIONS)
    conf(run_settings.api_arguments(8889), project="x")

    assert ipaddress.ip_address(conf.listen_host).is_loopback
    assert conf.port == 8889


def test_a_port_in_use_is_not_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert run_settings.free_port(other.getsockname()[1]) != other.getsockname()[1]
