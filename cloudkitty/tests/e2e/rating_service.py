# SPDX-License-Identifier: Apache-2.0
"""The API and a processor as processes, behind a real Keystone: what clients talk to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cloudkitty.tests import keystone
from cloudkitty.tests.api import pipeline
from cloudkitty.tests.conformance import server

_CONFIGURATION = """
[DEFAULT]
auth_strategy = keystone
api_paste_config = {paste}
[api]
workers = 1
[collect]
collector = prometheus
metrics_conf = {metrics}
[database]
connection = sqlite:///{directory}/ck.sqlite
[orchestrator]
coordination_url = file://{directory}/locks
max_workers_reprocessing = 0
[fetcher]
backend = source
[fetcher_source]
sources = nobody
[collector_prometheus]
prometheus_url = http://127.0.0.1:9/api/v1
[keystone_authtoken]
{authtoken}
"""


@dataclass(frozen=True)
class Service:
    """Where it is, and who may use it."""

    url: str
    cloud: keystone.Cloud
    directory: Path


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[Service]:
    """Run it on an empty database until the end of the block."""
    with keystone.cloud() as cloud:
        options = "\n".join(f"{name} = {value}" for name, value in cloud.authtoken().items())
        config = directory / "cloudkitty.conf"
        config.write_text(
            _CONFIGURATION.format(
                paste=pipeline.SHIPPED,
                metrics=pipeline.SHIPPED.with_name("prom_metrics.yml"),
                directory=directory,
                authtoken=options,
            )
        )
        # The processor carries out resets; there is nothing to rate.
        with server.serving(config) as url, server.processing(config):
            yield Service(url, cloud, directory)
