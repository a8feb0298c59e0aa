# SPDX-License-Identifier: Apache-2.0
"""The Aetos collector: Prometheus behind Keystone (contract collect.md 2.3)."""

from __future__ import annotations

from typing import Final

from oslo_config import cfg

from cloudkitty.collector import prometheus
from cloudkitty.prometheus.aetos import AetosClient

GROUP: Final = "collector_aetos"


class AetosCollector(prometheus.PrometheusCollector):
    """Reads usage as the Prometheus collector does, through Aetos.

    Building it logs in at Keystone. If that cannot be reached it is tried again with each question;
    refused credentials, and a catalogue without such an endpoint, are errors at once.
    """

    collector_name = "aetos"

    def _connect(self) -> AetosClient:
        return AetosClient.of_section(
            cfg.CONF, GROUP, pool=self._threads, max_bytes=prometheus.MAX_BYTES
        )
