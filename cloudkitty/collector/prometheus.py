# SPDX-License-Identifier: Apache-2.0
"""The Prometheus collector (contract collect.md 1.7, 2.2).

A batch is one POST per metric for all scopes and periods; where the definition wraps text of its
own around the query, one per scope. What fails is asked for in halves (``halving``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import voluptuous as vol
from oslo_config import cfg
from oslo_log import log

from cloudkitty import http, timeutils
from cloudkitty.collector import metrics
from cloudkitty.collector.base import BaseCollector, BatchQuery, CollectError
from cloudkitty.collector.halving import Chunk, Halving, SourceUnusable
from cloudkitty.collector.prometheus_series import BadAnswer, SeriesReader
from cloudkitty.dataframe import DataPoint
from cloudkitty.prometheus import promql
from cloudkitty.prometheus.client import PrometheusClient, PrometheusError
from cloudkitty.usage import Series

LOG = log.getLogger(__name__)

GROUP: Final = "collector_prometheus"
#: Largest answer that is read; what is larger is asked for in halves.
MAX_BYTES: Final = 32 << 20
# Prometheus refuses more than 11,000 steps.
_MAX_PERIODS: Final = 10_000
# When nothing at all can be had, the next batch is not cut into more pieces than this.
_MAX_PIECES: Final = 32

#: What ``extra_args`` may hold, as voluptuous takes it.
EXTRA_ARGS: Final = {
    vol.Required("aggregation_method", default="max"): vol.In(
        ["avg", "count", "max", "min", "stddev", "stdvar", "sum"],
    ),
    vol.Optional("query_function"): vol.In(
        ["abs", "ceil", "exp", "floor", "ln", "log10", "log2", "round", "sqrt"],
    ),
    vol.Optional("range_function"): vol.In(
        [
            *("changes", "delta", "deriv", "idelta", "increase", "irange", "irate", "rate"),
            "resets",
        ],
    ),
    vol.Required("query_prefix", default=""): str,
    vol.Required("query_suffix", default=""): str,
}


class PrometheusCollector(BaseCollector):
    """Reads usage from the Prometheus of ``[collector_prometheus]``."""

    collector_name = "prometheus"

    def __init__(self, *, period: int, conf: Mapping[str, Any], **kwargs: object) -> None:
        """Validate `conf` and the section's options; nothing is sent.

        Raises metrics.InvalidConfiguration, or oslo_config.cfg.Error naming the option.
        """
        super().__init__(period=period, conf=conf, **kwargs)
        scope_key = cfg.CONF.collect.scope_key
        self._threads: int = cfg.CONF.orchestrator.max_threads
        self._seconds: int = cfg.CONF.orchestrator.collector_request_timeout
        self._client = PrometheusClient.of_section(
            cfg.CONF, GROUP, pool=self._threads, max_bytes=MAX_BYTES
        )
        self._scope_key: str = scope_key
        self._queries = {
            key: promql.MetricQuery.of(metrics.source_name(key), definition)
            for key, definition in self.conf.items()
        }
        self._readers = {
            key: SeriesReader(key, definition, scope_key) for key, definition in self.conf.items()
        }
        # Metric key -> how many scopes x periods the source was last able to answer at once.
        self._most: dict[str, int] = {}

    @staticmethod
    def check_configuration(conf: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Give metric key -> validated definition; raises InvalidConfiguration."""
        return metrics.validate(conf, cfg.CONF.collect.scope_key, EXTRA_ARGS, check=_check)

    def fetch_all(
        self,
        metric_name: str,
        start: dt.datetime,
        end: dt.datetime,
        scope_id: str,
        q_filter: Any = None,
    ) -> list[DataPoint]:
        """Give the points of one metric key, scope and period; `q_filter` has no meaning here.

        Raises CollectError.
        """
        begin, until = timeutils.to_epoch(start), timeutils.to_epoch(end)
        matcher = promql.equals(self._scope_key, scope_id)
        query = self._queries[metric_name].render(matcher, abs(until - begin))
        try:
            result = self._client.query(query, timeutils.as_local(end).isoformat())
            points, skipped = self._readers[metric_name].points(result, scope_id, begin)
        except (PrometheusError, BadAnswer) as exc:
            raise CollectError(str(exc)) from exc
        _tell_skipped(metric_name, skipped, [begin])
        return points

    def fetch_batch(self, metric_name: str, query: BatchQuery) -> dict[str, list[Series]]:
        """Give scope id -> series of one metric key for all scopes and periods of `query`.

        Raises BatchFailure, with the reason for each, when some or all scopes cannot be had.
        """
        scopes, begins = list(dict.fromkeys(query.scopes)), list(query.begins)
        if not scopes or not begins:
            return {}
        whole = len(scopes) * len(begins)
        asked = self._queries[metric_name]
        periods = 1 if asked.pinned else min(len(begins), _MAX_PERIODS)
        most = self._most.get(metric_name, whole)
        if asked.custom:
            most = min(most, len(begins))

        def ask(chunk: Chunk, seconds: float) -> dict[str, list[Series]]:
            return self._ask(metric_name, chunk, query.period, seconds)

        halving = Halving(ask, self._seconds, f"metric '{metric_name}'")
        # Side by side only when every scope is one question: its periods stay in order.
        parallel = asked.custom and min(most, periods) == len(begins)
        try:
            return halving.run(
                _chunks(scopes, begins, most, periods), self._threads if parallel else 1
            )
        finally:
            self._learn(metric_name, whole, halving)

    def _learn(self, metric_name: str, whole: int, halving: Halving) -> None:
        """Note how much to ask for next time, so that a weak source is not overrun again."""
        if halving.smallest:
            most = halving.succeeded or max(halving.smallest, whole // _MAX_PIECES)
            self._most[metric_name] = most
            LOG.info("metric '%s': asking for %d scopes x periods at a time", metric_name, most)
        elif halving.succeeded and metric_name in self._most:
            most = self._most.pop(metric_name, whole) * 2
            if most < whole:
                self._most[metric_name] = most

    def _ask(
        self, metric_name: str, chunk: Chunk, period: int, seconds: float
    ) -> dict[str, list[Series]]:
        """Ask one question; raises SourceUnusable or CollectError, both naming the metric."""
        matcher = promql.one_of(self._scope_key, chunk.scopes)
        text = self._queries[metric_name].render(matcher, period)
        reader = self._readers[metric_name]
        begins = chunk.begins
        try:
            if len(begins) == 1:
                at = str(begins[0] + period)
                result = self._client.query(text, at, post=True, seconds=seconds)
                found, skipped = reader.vector(result, chunk.scopes, begins[0])
            else:
                result = self._client.query_range(
                    text, begins[0] + period, begins[-1] + period, period, seconds=seconds
                )
                found, skipped = reader.matrix(result, chunk.scopes, begins, period)
        except (PrometheusError, BadAnswer) as exc:
            fatal = isinstance(exc, PrometheusError) and exc.fatal
            where = "" if "://" in str(exc) else f"{http.bare(self._client.url)}: "
            reason = f"metric '{metric_name}': {where}{exc}"
            raise (SourceUnusable if fatal else CollectError)(reason) from exc
        _tell_skipped(metric_name, skipped, begins)
        return found


def _check(_key: str, definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield what PromQL cannot express (2.2.2)."""
    for option in ("groupby", "metadata"):
        for index, label in enumerate(definition[option]):
            if not promql.is_label_name(label):
                yield f"not a label name of Prometheus: {label!r} @ data['{option}'][{index}]"


def _chunks(
    scopes: Sequence[str], begins: Sequence[int], most: int, periods: int
) -> Iterator[Chunk]:
    """Cut a batch into questions of up to `most` scopes x periods and up to `periods` periods."""
    periods = max(1, min(periods, most, len(begins)))
    width = max(1, most // periods)
    for first in range(0, len(scopes), width):
        for start in range(0, len(begins), periods):
            yield Chunk(scopes[first : first + width], begins[start : start + periods])


def _tell_skipped(metric_name: str, skipped: int, begins: Sequence[int]) -> None:
    if skipped:
        LOG.warning(
            "metric '%s': %d values that are NaN or infinite left out, periods from %s to %s",
            metric_name,
            skipped,
            timeutils.from_epoch(begins[0]).isoformat(),
            timeutils.from_epoch(begins[-1]).isoformat(),
        )
