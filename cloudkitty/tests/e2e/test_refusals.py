# SPDX-License-Identifier: Apache-2.0
"""What an operator gets wrong ends the start: one line on standard error, exit status 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cloudkitty.tests.e2e import cloud as clouds
from cloudkitty.tests.e2e.processes import Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def site(sqlite_database: str, tmp_path: Path) -> Site:
    site = Site(tmp_path / "site", sqlite_database)
    site.metrics.write_text(clouds.METRICS)
    return site


def _conf(extra: str) -> Callable[[Site], None]:
    return lambda site: site.write(extra)


def _metrics(text: str) -> Callable[[Site], None]:
    return lambda site: (site.metrics.write_text(text), None)[1]


CASES = {
    "no metrics.yml": (lambda site: site.metrics.unlink(), ["metrics.yml", "No such file"]),
    "broken metrics.yml": (_metrics("metrics:\n  - {"), ["metrics.yml", "YAML"]),
    "unit missing": (
        _metrics("metrics:\n  cpu:\n    groupby: [id]\n"),
        ["metrics.yml", "cpu", "unit"],
    ),
    "skip expression": (
        _metrics(
            "metrics:\n  cpu:\n    unit: x\n    skip_datapoints_expression: open('x')\n",
        ),
        ["metrics.yml", "cpu", "open"],
    ),
    "negative period": (
        _conf("[collect]\nperiod = -1\n"),
        ["[collect] period", "or equal to 1"],
    ),
    "period no number": (_conf("[collect]\nperiod = soon\n"), ["[collect] period", "soon"]),
    "unknown collector": (
        _conf("[collect]\ncollector = nothing\n"),
        ["[collect] collector", "'nothing'"],
    ),
    "unknown fetcher": (
        _conf("[fetcher]\nbackend = nothing\n"),
        ["[fetcher] backend", "'nothing'"],
    ),
    "unknown storage": (
        _conf("[storage]\nbackend = nothing\n"),
        ["[storage] backend", "'nothing'"],
    ),
    "no prometheus": (
        _conf("[collector_prometheus]\nprometheus_url =\n"),
        ["collector_prometheus", "prometheus_url"],
    ),
    "keystone without auth_url": (
        _conf(
            "[fetcher]\nbackend = keystone\n[fetcher_keystone]\nauth_section = shared\n"
            "[shared]\nauth_type = password\npassword = secret\n"
        ),
        ["[fetcher] backend", "[shared] auth_url", "[fetcher_keystone] auth_section"],
    ),
    "database unreachable": (
        lambda site: site.write(database="postgresql+psycopg2://u:secret@127.0.0.1:1/x"),
        ["[database] connection", "127.0.0.1:1", "refused"],
    ),
    "database driver": (lambda site: site.write(database="nothing://x"), ["[database] connection"]),
    "no tables": (
        lambda site: site.write(database=f"sqlite:///{site.directory}/empty.sqlite"),
        ["cloudkitty-dbsync upgrade"],
    ),
    "locks": (
        lambda site: site.write(coordination="nothing://"),
        ["[orchestrator] coordination_url"],
    ),
    "message bus": (
        _conf("[DEFAULT]\ntransport_url = nothing://u:secret@x/\n"),
        ["[DEFAULT] transport_url", "nothing"],
    ),
    "message bus without a port": (
        _conf("[DEFAULT]\ntransport_url = rabbit://u:secret@host:port/\n"),
        ["[DEFAULT] transport_url"],
    ),
    "lock files": (
        lambda site: site.write(coordination="file:///proc/nothing"),
        ["[orchestrator] coordination_url"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_status_one(site: Site, case: str) -> None:
    spoil, said = CASES[case]
    spoil(site)
    done = site.run("cloudkitty-processor")
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    for text in said:
        assert text in lines[0]
    assert "secret" not in lines[0]


def test_unreadable_configuration_file(site: Site) -> None:
    site.config.write_text("[collect\nperiod = 1\n")
    done = site.run("cloudkitty-processor")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cloudkitty.conf" in done.stderr


def test_unknown_argument(site: Site) -> None:
    done = site.run("cloudkitty-processor", "--nothing")
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_version(site: Site) -> None:
    done = site.run("cloudkitty-processor", "--version")
    assert done.returncode == 0
    assert done.stdout.strip()
