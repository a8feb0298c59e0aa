# SPDX-License-Identifier: Apache-2.0
"""A cloud with a history in a real Prometheus, and installations that rate it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudkitty.tests import prometheus
from cloudkitty.tests.e2e import cloud as clouds
from cloudkitty.tests.e2e import rating_service as service
from cloudkitty.tests.e2e.processes import Site


@pytest.fixture(scope="session")
def cloud() -> clouds.Cloud:
    return clouds.Cloud()


@pytest.fixture(scope="session")
def source(cloud: clouds.Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Prometheus that holds the history of `cloud`."""
    directory = tmp_path_factory.mktemp("prometheus")
    with prometheus.running(prometheus.openmetrics(cloud.history()), directory) as url:
        yield url


@pytest.fixture(scope="session")
def rating_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[service.Service]:
    """API and processor behind a real Keystone, for clients."""
    with service.serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def make_site(
    empty_database: str,
    cloud: clouds.Cloud,
    source: str,
    tmp_path: Path,
) -> Callable[..., Site]:
    """Prepare an installation with tables, rules and states, ready to rate `cloud`."""

    def make(**options: object) -> Site:
        site = Site(
            tmp_path / "site",
            empty_database,
            **{"sources": cloud.names, "prometheus": source, **options},
        )
        site.metrics.write_text(clouds.METRICS)
        for program, arguments in (
            ("cloudkitty-dbsync", ["upgrade"]),
            ("cloudkitty-storage-init", []),
        ):
            done = site.run(program, *arguments)
            assert done.returncode == 0, done.stdout + done.stderr
        clouds.seed_rules()
        clouds.seed_states(cloud.names, cloud.before)
        return site

    return make
