# SPDX-License-Identifier: Apache-2.0
"""The Gnocchi collector (contract collect.md 1.6, 2.1).

A batch is one question per metric for all scopes, and for all periods for those scopes whose
resources have not changed in that time; ``gnocchi_query`` says why. Custom queries are asked for
each scope and period. What fails is asked for in halves (``halving``).
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from oslo_config import cfg
from oslo_log import log

from cloudkitty import timeutils
from cloudkitty.collector import gnocchi_absence, metrics
from cloudkitty.collector.base import BaseCollector, BatchQuery, CollectError
from cloudkitty.collector.gnocchi_query import EXTRA_ARGS, iso
from cloudkitty.collector.gnocchi_questions import Cells, Metric, Questions
from cloudkitty.collector.gnocchi_resources import Resources
from cloudkitty.collector.halving import Chunk, Halving, SourceUnusable
from cloudkitty.collector.portions import Portions, chunks
from cloudkitty.conf.collector_gnocchi import GROUP
from cloudkitty.dataframe import DataPoint
from cloudkitty.gnocchi.client import GnocchiClient
from cloudkitty.gnocchi.errors import GnocchiError
from cloudkitty.usage import Series

LOG = log.getLogger(__name__)

#: Largest answer that is read; what is larger is asked for in halves.
MAX_BYTES: Final = 32 << 20
# Scopes of one question. Gnocchi works for some milliseconds on each resource, whoever asks: with
# more scopes in a question there are hardly fewer of them, and fewer of its processes are at work.
_SCOPES: Final = 100

# What Gnocchi says -> the key of metrics.yml that is likely to be at fault.
_KEYS: Final = {
    "Resource type": "extra_args.resource_type",
    "Metrics with unknown aggregation": "extra_args.aggregation_method",
    "Metrics cannot be aggregated": "extra_args.force_granularity",
    "Invalid operations": "extra_args.custom_query",
}
_NO_ATTRIBUTE: Final = ("attribute", "Sort key")

Found = dict[str, list[Series]]


class GnocchiCollector(BaseCollector):
    """Reads usage from the Gnocchi of ``[collector_gnocchi]``."""

    collector_name = "gnocchi"

    def __init__(self, *, period: int, conf: Mapping[str, Any], **kwargs: object) -> None:
        """Validate `conf` and the section's options; nothing is sent.

        Raises metrics.InvalidConfiguration, or oslo_config.cfg.Error naming the option.
        """
        super().__init__(period=period, conf=conf, **kwargs)
        scope_key: str = cfg.CONF.collect.scope_key
        self._threads: int = min(
            cfg.CONF.orchestrator.max_threads, cfg.CONF[GROUP].http_pool_maxsize
        )
        self._seconds: int = cfg.CONF.orchestrator.collector_request_timeout
        self._client = GnocchiClient.of_section(cfg.CONF, GROUP, max_bytes=MAX_BYTES)
        resources = Resources(self._client, self.conf.values(), scope_key, period)
        self._questions = Questions(self._client, resources, scope_key)
        self._metrics = {
            key: Metric.of(key, definition, scope_key, period)
            for key, definition in self.conf.items()
        }
        self._portions = Portions()
        # Metric key -> what was last said to be left out.
        self._told: dict[str, object] = {}
        for key, metric in self._metrics.items():
            if not metric.query.granularity:
                LOG.warning(
                    "metric '%s': force_granularity is 0: where an archive policy has several "
                    "granularities Gnocchi mixes them, and the first value may be any of them",
                    key,
                )
            elif metric.query.one_period:
                LOG.debug("metric '%s': one period at a time: %s", key, metric.query.one_period)

    @staticmethod
    def check_configuration(conf: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Give metric key -> validated definition; raises InvalidConfiguration."""
        return metrics.validate(
            conf, cfg.CONF.collect.scope_key, EXTRA_ARGS, extra_required=True, check=_complete
        )

    def fetch_all(
        self,
        metric_name: str,
        start: dt.datetime,
        end: dt.datetime,
        scope_id: str | None,
        q_filter: Any = None,
    ) -> list[DataPoint]:
        """Give the points of one metric key, scope and period.

        `scope_id` None asks for resources of everybody, `q_filter` is a further condition on them.
        Raises CollectError.
        """
        metric = self._metrics[metric_name]
        begin, until = timeutils.to_epoch(start), timeutils.to_epoch(end)
        cells = Cells([] if scope_id is None else [scope_id], [begin], until - begin)
        try:
            reading = self._questions.together(metric, cells, q_filter=q_filter)
        except GnocchiError as exc:
            raise self._explained(metric, exc) from exc
        self._tell(metric_name, reading.left_out, [begin])
        return [series.point(0) for some in reading.found.values() for series in some]

    def explain_request(
        self, metric_name: str, start: dt.datetime, end: dt.datetime, scope_id: str
    ) -> str:
        """Give path and body of the question for one metric key, scope and period."""
        metric = self._metrics[metric_name]
        begin, until = timeutils.to_epoch(start), timeutils.to_epoch(end)
        cells = Cells([scope_id], [begin], until - begin)
        return self._client.explain(**self._questions.arguments(metric, cells))

    def explain_absence(
        self, metric_name: str, start: dt.datetime, end: dt.datetime, scope_id: str
    ) -> str:
        """Say what Gnocchi has of the scope instead; raises CollectError."""
        metric, name = self._metrics[metric_name], metrics.source_name(metric_name)
        scope_key = cfg.CONF.collect.scope_key
        try:
            return gnocchi_absence.explain(self._client, metric.query, name, scope_key, scope_id)
        except GnocchiError as exc:
            raise self._explained(metric, exc) from exc

    def fetch_batch(self, metric_name: str, query: BatchQuery) -> Found:
        """Give scope id -> series of one metric key for all scopes and periods of `query`.

        Raises BatchFailure, with the reason for each, when some or all scopes cannot be had.
        """
        scopes, begins = list(dict.fromkeys(query.scopes)), list(query.begins)
        if not scopes or not begins:
            return {}
        metric = self._metrics[metric_name]
        whole = len(scopes) * len(begins)
        most = min(self._portions.most(metric_name, whole), _SCOPES * len(begins))
        if metric.query.custom:
            # Nothing is gained by asking for several scopes: they are asked one by one.
            most = min(most, len(begins))
        left_out: Counter[str] = Counter()

        def ask(chunk: Chunk, seconds: float) -> Found:
            try:
                reading = self._questions.batch(
                    metric, chunk, query.period, time.monotonic() + seconds
                )
            except GnocchiError as exc:
                raise self._explained(metric, exc) from exc
            left_out.update(reading.left_out)
            return reading.found

        halving = Halving(ask, self._seconds, f"metric '{metric_name}'")
        # Side by side only when no scope is in two questions: its periods stay in order.
        threads = self._threads if most >= len(begins) else 1
        try:
            return halving.run(chunks(scopes, begins, most, len(begins)), threads)
        finally:
            self._portions.learn(metric_name, whole, halving)
            self._tell(metric_name, left_out, begins)

    def _explained(self, metric: Metric, exc: GnocchiError) -> CollectError:
        """Give the error to raise, which names the metric and the key that may be wrong."""
        cause = exc.cause
        key = next((key for said, key in _KEYS.items() if cause.startswith(said)), "")
        if exc.status == 400 and any(said in cause for said in _NO_ATTRIBUTE):
            key = "groupby, extra_args.resource_key or [collect] scope_key"
        hint = f" (see {key})" if key else ""
        # These do not depend on scopes or time.
        fatal = exc.fatal or exc.no_type or "Sort key" in cause or cause == "Invalid operations"
        return (SourceUnusable if fatal else CollectError)(f"metric '{metric.key}': {exc}{hint}")

    def _tell(self, key: str, left_out: Counter[str], begins: Sequence[int]) -> None:
        """Log what was left out, once for each metric and periods."""
        if not left_out:
            return
        said = (begins[0], begins[-1], *sorted(left_out))
        LOG.log(
            log.DEBUG if self._told.get(key) == said else log.WARNING,
            "metric '%s': left out %s; periods from %s to %s",
            key,
            ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items())),
            iso(begins[0]),
            iso(begins[-1]),
        )
        self._told[key] = said


def _complete(key: str, definition: dict[str, Any]) -> Iterator[str]:
    """Append the resource key to ``groupby``, as the contract has it (1.2); nothing is wrong."""
    name = definition["extra_args"]["resource_key"]
    if name not in definition["groupby"]:
        definition["groupby"].append(name)
        if name in definition["metadata"]:
            LOG.warning(
                "metric '%s': %s is the resource_key, left out of metadata as it is in groupby",
                key,
                name,
            )
            definition["metadata"] = [one for one in definition["metadata"] if one != name]
    yield from ()
