# SPDX-License-Identifier: Apache-2.0
"""The collector plugin interface, namespace ``cloudkitty.collector.backends``.

Contract: collect.md 2.

A collector must answer for one metric, scope and period (``fetch_all``). One that can do better
also answers for many scopes and a range of periods in one go (``fetch_batch``); the base class
makes the batch form out of ``fetch_all`` so that the processor only ever uses the former.
"""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from oslo_config import cfg

from cloudkitty import plugins, timeutils
from cloudkitty.collector import metrics
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.usage import Series, series_of_frames

NAMESPACE: Final = "cloudkitty.collector.backends"


class CollectError(Exception):
    """The source did not give what was asked; the text says who, what and why."""


class BatchFailure(CollectError):  # noqa: N818 - a part of the batch did not fail
    """Some scopes of a batch could not be had; the others can be used.

    `series` is what ``fetch_batch`` would have given, without the scopes of `failed`, which tells
    for each of them why. A scope in neither simply has no data.
    """

    def __init__(self, series: Mapping[str, list[Series]], failed: Mapping[str, str]) -> None:
        reasons = list(dict.fromkeys(failed.values()))
        more = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
        super().__init__(f"{len(failed)} scope(s) failed: {reasons[0] if reasons else ''}{more}")
        self.series = dict(series)
        self.failed = dict(failed)


class NoDataCollected(Exception):  # noqa: N818 - the contract's name
    """The source has nothing for this metric, scope and period."""

    def __init__(self, collector: str, resource: str) -> None:
        super().__init__(f"Collector '{collector}' returned no data for resource '{resource}'")
        self.collector = collector
        self.resource = resource


@dataclass(frozen=True, slots=True)
class BatchQuery:
    """What one batch asks of a collector: these scopes, these consecutive periods.

    `begins` are the periods' starts, epoch seconds, ascending, `period` seconds apart.
    """

    scopes: Sequence[str]
    begins: Sequence[int]
    period: int


class BaseCollector(abc.ABC):
    """Reads usage from a source. Built with ``cls(period=<int>, conf=<metrics.yml as dict>)``."""

    #: Name of the plugin, used in messages.
    collector_name: str
    #: Whether the source is asked by ``metrics.scope_label``, so that a join may give the scope.
    scope_joins: bool = False

    def __init__(self, *, period: int, conf: Mapping[str, Any], **_kwargs: object) -> None:
        """Validate `conf`; raises metrics.InvalidConfiguration naming metric, key and reason."""
        self.period = period
        self.conf: dict[str, dict[str, Any]] = self.check_configuration(conf)

    @staticmethod
    @abc.abstractmethod
    def check_configuration(conf: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Give metric key -> validated definition; raises InvalidConfiguration."""

    @abc.abstractmethod
    def fetch_all(
        self,
        metric_name: str,
        start: dt.datetime,
        end: dt.datetime,
        scope_id: str,
        q_filter: Any = None,
    ) -> list[DataPoint]:
        """Give the points of one metric key, scope and period; may be empty.

        Raises CollectError when the source fails.
        """

    def retrieve(
        self,
        metric_name: str,
        start: dt.datetime,
        end: dt.datetime,
        scope_id: str,
        q_filter: Any = None,
    ) -> tuple[str, list[DataPoint]]:
        """Give (name in data frames, points); raises NoDataCollected when there are none."""
        name = metrics.frame_name(metric_name, self.conf[metric_name])
        points = self.fetch_all(metric_name, start, end, scope_id, q_filter=q_filter)
        if not points:
            raise NoDataCollected(self.collector_name, name)
        return name, points

    def explain_request(
        self, metric_name: str, start: dt.datetime, end: dt.datetime, scope_id: str
    ) -> str:
        """Say in one line what the source is asked for one metric key, scope and period.

        For people, who may want to ask it themselves: without user, password or token. Nothing is
        sent. A collector that does not know better names what it was asked for.
        """
        return (
            f"{metrics.source_name(metric_name)} of {scope_id} from {start.isoformat()} "
            f"to {end.isoformat()}"
        )

    def explain_absence(
        self, metric_name: str, start: dt.datetime, end: dt.datetime, scope_id: str
    ) -> str:
        """Say why there may be no points of one metric key, scope and period; "" is no idea.

        For people. It may ask the source; raises CollectError when that fails.
        """
        return ""

    def fetch_batch(self, metric_name: str, query: BatchQuery) -> dict[str, list[Series]]:
        """Give scope id -> series of one metric key for all scopes and periods of `query`.

        Scopes without data may be absent. This form asks ``fetch_all`` once per scope and period,
        in parallel. Raises BatchFailure when the source fails for some scopes, another
        CollectError when it fails for whatever is asked.
        """
        name = metrics.frame_name(metric_name, self.conf[metric_name])

        def one(asked: tuple[str, int]) -> tuple[str, DataFrame | CollectError]:
            scope, begin = asked
            start = timeutils.as_local(timeutils.from_epoch(begin))
            end = timeutils.as_local(timeutils.from_epoch(begin + query.period))
            try:
                points = self.fetch_all(metric_name, start, end, scope)
            except CollectError as exc:
                return scope, exc
            except NoDataCollected:
                points = []
            return scope, DataFrame(start, end, {name: points})

        asked = [(scope, begin) for scope in query.scopes for begin in query.begins]
        frames: dict[str, list[DataFrame]] = {}
        failed: dict[str, str] = {}
        with ThreadPoolExecutor(max_workers=cfg.CONF.orchestrator.max_threads) as pool:
            for scope, found in pool.map(one, asked):
                if isinstance(found, CollectError):
                    failed.setdefault(scope, f"metric '{metric_name}': {found}")
                else:
                    frames.setdefault(scope, []).append(found)
        series = {s: series_of_frames(got) for s, got in frames.items() if s not in failed}
        if failed:
            raise BatchFailure(series, failed)
        return series


def get_collector(conf: cfg.ConfigOpts, metrics_conf: Mapping[str, Any]) -> BaseCollector:
    """Build the collector that ``[collect] collector`` names, with the joins of metrics.yml.

    Raises stevedore's NoMatches for an unknown name, what the collector raises, and
    metrics.InvalidConfiguration or oslo_config.cfg.Error when a join cannot be made.
    """
    from cloudkitty.collector.joins import sources  # it knows this module

    collector: BaseCollector = plugins.build(
        NAMESPACE,
        conf.collect.collector,
        period=conf.collect.period,
        conf=metrics_conf,
    )
    return sources.joined(conf, collector)
