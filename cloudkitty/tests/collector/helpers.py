# SPDX-License-Identifier: Apache-2.0
"""What the collector's tests have in common."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from oslo_config import fixture as cfg_fixture

from cloudkitty.collector.base import BaseCollector, get_collector
from cloudkitty.usage import Series

#: 2024-03-05 10:00 UTC.
TEN = 1709632800
HOUR = 3600


def build(conf: cfg_fixture.Config, url: str, metrics: dict[str, Any], **collect: Any) -> Any:
    """Give the Prometheus collector for these metrics, through its entry point."""
    conf.config(collector="prometheus", group="collect", **collect)
    conf.config(prometheus_url=url, group="collector_prometheus")
    collector = get_collector(conf.conf, {"metrics": metrics})
    assert isinstance(collector, BaseCollector)
    return collector


def flat(found: dict[str, list[Series]]) -> list[tuple[Any, ...]]:
    """Give (scope, begin, groupby, metadata, qty as text) of every point, sorted."""
    return sorted(
        (scope, begin, sorted(s.groupby.items()), sorted(s.metadata.items()), str(qty))
        for scope, series in found.items()
        for s in series
        for begin, qty in zip(s.begins, s.qtys, strict=True)
    )


def quantities(series: Iterable[Series]) -> list[Decimal]:
    """Give all quantities in order."""
    return [qty for one in series for qty in one.qtys]
