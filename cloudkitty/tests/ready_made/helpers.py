# SPDX-License-Identifier: Apache-2.0
"""Histories as exporters make them, and what a ready-made file collects of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from oslo_config import fixture as cfg_fixture

import cloudkitty
from cloudkitty.collector import metrics
from cloudkitty.collector.base import BaseCollector, BatchQuery, get_collector
from cloudkitty.processor import skip
from cloudkitty.usage import Series

ETC = Path(cloudkitty.__file__).parent.parent / "etc" / "cloudkitty"
#: 2024-03-05 10:00 UTC: the period that is looked at lasts until 11:00.
TEN = 1709632800
HOUR = 3600
MINUTE = 60
GIB = 1 << 30


def minutes(first: int = -30, last: int = 90) -> Iterator[int]:
    """The moments of scrapes: half past every minute, counted from 10:00."""
    return (TEN + minute * MINUTE + 30 for minute in range(first, last))


def steady(value: object, first: int = -30, last: int = 90) -> list[tuple[float, object]]:
    """A gauge that does not change."""
    return [(when, value) for when in minutes(first, last)]


def growing(
    per_minute: float, first: int = -30, last: int = 90, start: float = 10**9
) -> list[tuple[float, object]]:
    """A counter; `start` is what it had before (far from 0, so that nothing is cut off there)."""
    return [
        (when, start + (index + 1) * per_minute) for index, when in enumerate(minutes(first, last))
    ]


def collector(conf: cfg_fixture.Config, url: str, file: str, scope_key: str) -> BaseCollector:
    """Give the collector for a ready-made file."""
    conf.config(collector="prometheus", scope_key=scope_key, group="collect")
    conf.config(prometheus_url=url, group="collector_prometheus")
    return get_collector(conf.conf, metrics.load(str(ETC / file)))


class Usage:
    """What one scope has used from 10:00 to 11:00, without what is skipped."""

    def __init__(self, source: BaseCollector, scope: str) -> None:
        self._points: dict[str, list[tuple[Mapping[str, Any], str, Decimal]]] = {}
        expressions = skip.expressions(source.conf, "False")
        for key in source.conf:
            query = BatchQuery([scope], [TEN], HOUR)
            for series in source.fetch_batch(key, query).get(scope, []):
                skip.drop(series, expressions[key])
                self._add(series)

    def _add(self, series: Series) -> None:
        labels = {**series.groupby, **series.metadata}
        self._points.setdefault(series.metric, [])
        self._points[series.metric] += [(labels, series.unit, qty) for qty in series.qtys]

    def of(self, name: str, *labels: str) -> dict[tuple[str, ...], str]:
        """Give (values of `labels` -> "quantity unit") of a metric; none may come twice."""
        found = {}
        for have, unit, qty in self._points.get(name, ()):
            key = tuple(have[label] for label in labels)
            assert key not in found, key
            # The server computes with floats.
            found[key] = f"{round(qty, 9).normalize():f} {unit}"
        return found

    def labels(self, name: str) -> Mapping[str, Any]:
        """Give all labels of the first point of a metric."""
        return self._points[name][0][0]


#: Gives the usage of a scope by a ready-made file.
UsageOf = Callable[[str], Usage]
