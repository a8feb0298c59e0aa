# SPDX-License-Identifier: Apache-2.0
"""One Prometheus for all ready-made files."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudkitty.tests import prometheus


@pytest.fixture(scope="session")
def ready_made_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has been scraping all the exporters."""
    from cloudkitty.tests.ready_made import (
        test_kubernetes,
        test_libvirt_exporter,
        test_node_exporter,
        test_openstack_exporter,
    )

    modules = (test_kubernetes, test_libvirt_exporter, test_node_exporter, test_openstack_exporter)
    text = prometheus.openmetrics(family for module in modules for family in module.history())
    with prometheus.running(text, tmp_path_factory.mktemp("ready-made")) as url:
        yield url
