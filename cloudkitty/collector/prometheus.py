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
from cloudkitty.collector.portions import Portions, chunks
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


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise vol.Invalid("expected int")
    return value


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
    # Beyond the contract: what was there for a part of the period counts for that part.
    vol.Optional("resolution"): vol.All(_whole, vol.Range(min=1)),
}


class PrometheusCollector(BaseCollector):
    """Reads usage from the Prometheus of ``[collector_prometheus]``."""

    collector_name = "prometheus"
    scope_joins = True

    def __init__(self, *, period: int, conf: Mapping[str, Any], **kwargs: object) -> None:
        """Validate `conf` and the section's options; nothing is sent.

        Raises metrics.InvalidConfiguration, or oslo_config.cfg.Error naming the option.
        """
        super().__init__(period=period, conf=conf, **kwargs)
        scope_key = cfg.CONF.collect.scope_key
        self._threads: int = cfg.CONF.orchestrator.max_threads
        self._seconds: int = cfg.CONF.orchestrator.collector_request_timeout
        self._client = self._connect()
        # The scope key, unless a join says whose usage it is.
        self._scope_labels = {
            key: metrics.scope_label(definition, scope_key) for key, definition in self.conf.items()
        }
        self._queries = {
            key: promql.MetricQuery.of(metrics.source_name(key), definition)
            for key, definition in self.conf.items()
        }
        self._readers = {
            key: SeriesReader(key, definition, self._scope_labels[key])
            for key, definition in self.conf.items()
        }
        self._portions = Portions()
        # Metric key -> the periods for which values were last said to be left out.
        self._told: dict[str, tuple[int, int]] = {}

    def _connect(self) -> PrometheusClient:
        return PrometheusClient.of_section(cfg.CONF, GROUP, pool=self._threads, max_bytes=MAX_BYTES)

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
        matcher = promql.equals(self._scope_labels[metric_name], scope_id)
        query = self._queries[metric_name].render(matcher, abs(until - begin))
        try:
            result = self._client.query(query, timeutils.as_local(end).isoformat())
            points, skipped = self._readers[metric_name].points(result, scope_id, begin)
        except (PrometheusError, BadAnswer) as exc:
            raise CollectError(str(exc)) from exc
        self._tell_skipped(metric_name, skipped, [begin])
        return points

    def explain_request(
        self, metric_name: str, start: dt.datetime, end: dt.datetime, scope_id: str
    ) -> str:
        """Give URL, instant and PromQL of the question for one metric key, scope and period."""
        seconds = abs(timeutils.to_epoch(end) - timeutils.to_epoch(start))
        matcher = promql.equals(self._scope_labels[metric_name], scope_id)
        text = self._queries[metric_name].render(matcher, seconds)
        at = timeutils.as_local(end).isoformat()
        return f"GET {http.bare(self._client.url)}/query time={at} query={text}"

    def explain_absence(
        self, metric_name: str, start: dt.datetime, end: dt.datetime, scope_id: str
    ) -> str:
        """Say what Prometheus has of the metric during the period, if not of this scope."""
        name, key = metrics.source_name(metric_name), self._scope_labels[metric_name]
        seconds = abs(timeutils.to_epoch(end) - timeutils.to_epoch(start))

        def count(matcher: str) -> int:
            series = promql.select(name, matcher)
            text = f"count(last_over_time({series}[{seconds}s]))"
            try:
                result = self._client.query(text, str(timeutils.to_epoch(end)))
                return int(float(result[0]["value"][1])) if result else 0
            except (PrometheusError, KeyError, IndexError, TypeError, ValueError) as exc:
                raise CollectError(str(exc)) from exc

        every = count("")
        if not every:
            return (
                f"Prometheus has no series {name} in this period: is the name right, "
                "is its exporter scraped?"
            )
        labelled = count(f"{key}!={promql.quote('')}")
        if not labelled:
            return (
                f"none of the {every} series {name} has the label {key}: another [collect] "
                "scope_key, a relabelling in Prometheus or a join is needed"
            )
        own = count(promql.equals(key, scope_id))
        if own:
            return f"{own} series {name} are of this scope, but the query gives nothing of them"
        return f"{labelled} of {every} series {name} have the label {key}, none is of this scope"

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
        most = self._portions.most(metric_name, whole)
        if asked.custom:
            most = min(most, periods)

        skipped: list[int] = []

        def ask(chunk: Chunk, seconds: float) -> dict[str, list[Series]]:
            found, left_out = self._ask(metric_name, chunk, query.period, seconds)
            skipped.append(left_out)
            return found

        halving = Halving(ask, self._seconds, f"metric '{metric_name}'")
        # Side by side only when every scope is one question: its periods stay in order.
        parallel = asked.custom and min(most, periods) == len(begins)
        try:
            return halving.run(
                chunks(scopes, begins, most, periods), self._threads if parallel else 1
            )
        finally:
            self._portions.learn(metric_name, whole, halving)
            self._tell_skipped(metric_name, sum(skipped), begins)

    def _ask(
        self, metric_name: str, chunk: Chunk, period: int, seconds: float
    ) -> tuple[dict[str, list[Series]], int]:
        """Ask one question; gives (scope -> series, how many values were left out).

        Raises SourceUnusable or CollectError, both naming the metric.
        """
        matcher = promql.one_of(self._scope_labels[metric_name], chunk.scopes)
        asked = self._queries[metric_name]
        text = asked.render(matcher, period)
        strict = not asked.custom
        reader = self._readers[metric_name]
        begins = chunk.begins
        try:
            if len(begins) == 1:
                at = str(begins[0] + period)
                result = self._client.query(text, at, post=True, seconds=seconds)
                found, skipped = reader.vector(result, chunk.scopes, begins[0], strict=strict)
            else:
                result = self._client.query_range(
                    text, begins[0] + period, begins[-1] + period, period, seconds=seconds
                )
                found, skipped = reader.matrix(result, chunk.scopes, begins, period, strict=strict)
        except (PrometheusError, BadAnswer) as exc:
            fatal = isinstance(exc, PrometheusError) and exc.fatal
            where = "" if "://" in str(exc) else f"{http.bare(self._client.url)}: "
            reason = f"metric '{metric_name}': {where}{exc}"
            raise (SourceUnusable if fatal else CollectError)(reason) from exc
        return found, skipped

    def _tell_skipped(self, metric_name: str, skipped: int, begins: Sequence[int]) -> None:
        """Log that values were left out, once for each metric and periods."""
        if not skipped:
            return
        periods = (begins[0], begins[-1])
        LOG.log(
            log.DEBUG if self._told.get(metric_name) == periods else log.WARNING,
            "metric '%s': %d values that are NaN or infinite left out, periods from %s to %s",
            metric_name,
            skipped,
            *(timeutils.from_epoch(begin).isoformat() for begin in periods),
        )
        self._told[metric_name] = periods


def _check(_key: str, definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield what PromQL cannot express (2.2.2), and arguments that exclude each other."""
    for option in ("groupby", "metadata"):
        for index, label in enumerate(definition[option]):
            if not promql.is_label_name(label):
                yield f"not a label name of Prometheus: {label!r} @ data['{option}'][{index}]"
    extra = definition["extra_args"]
    resolution, period = extra.get("resolution"), cfg.CONF.collect.period
    if resolution and extra.get("range_function"):
        yield "does not go with range_function @ data['extra_args']['resolution']"
    elif resolution and period % resolution:
        yield f"the period ({period} s) is no multiple of it @ data['extra_args']['resolution']"
