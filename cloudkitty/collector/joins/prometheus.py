# SPDX-License-Identifier: Apache-2.0
"""Labels of another Prometheus metric (``..._info``, ``kube_pod_labels``), for each period its own.

What counts for a period is what was scraped in it, so that rating it again later gives the same.
Of several sets of labels that one key has in a period the one that was scraped most often counts,
that is what it was for most of the time; of those that were scraped as often the greatest, label by
label in the order of their names. Which was the last one would take Prometheus 15 times as long.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from cloudkitty import http
from cloudkitty.collector.base import BatchFailure, CollectError
from cloudkitty.collector.halving import Chunk, Halving, SourceUnusable
from cloudkitty.collector.joins.base import Answer, Key, Labels, ScopeLookup, Timeline, Window
from cloudkitty.collector.prometheus_series import BadAnswer, SeriesReader
from cloudkitty.prometheus import promql
from cloudkitty.prometheus.client import PrometheusClient, PrometheusError
from cloudkitty.usage import Series

#: Seconds that answers are kept: the metrics of one batch share them.
_KEEP: Final = 60
#: Batches whose answers are kept.
_WINDOWS: Final = 8
#: Values asked for at once.
_MOST: Final = 5000
#: Prometheus refuses more than 11,000 steps.
_MOST_PERIODS: Final = 10_000

Timelines = dict[Key, Timeline]
Rows = dict[str, list[Series]]
Entry = TypeVar("Entry")


@dataclass(slots=True)
class _Page(Generic[Entry]):
    """What is known for one window, by values of one label."""

    at: float
    entries: dict[str, Entry] = field(default_factory=dict)


class _Cache(Generic[Entry]):
    """What is known by values of one label; used by one thread at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._pages: OrderedDict[Window, _Page[Entry]] = OrderedDict()

    def page(self, window: Window) -> dict[str, Entry]:
        """Give what is known for a window, to be added to."""
        now = time.monotonic()
        page = self._pages.get(window)
        if page is None or page.at + _KEEP < now:
            page = self._pages[window] = _Page(now)
        self._pages.move_to_end(window)
        while len(self._pages) > _WINDOWS:
            self._pages.popitem(last=False)
        return page.entries


class PrometheusLookup(ScopeLookup):
    """The labels of one metric."""

    def __init__(
        self,
        client: PrometheusClient,
        metric: str,
        on: Sequence[str],
        labels: Sequence[str],
        scope_label: str | None,
        seconds: float,
    ) -> None:
        """Take names of their labels: keys are made of `on`; `labels` has every label needed.

        `scope_label` is the one that says whose a key is, where there is one. A question and its
        repetitions take up to `seconds`.
        """
        self._client = client
        self._on = tuple(on)
        self._labels = tuple(sorted({*on, *labels}))
        self._scope_label = scope_label
        self._seconds = seconds
        # How many samples each set of labels has.
        self._query = promql.MetricQuery(
            metric, self._labels, aggregation="sum", range_function="count_over_time"
        )
        self._owned: _Cache[list[str]] = _Cache()
        self._known: _Cache[Timelines] = _Cache()

    def find(self, keys: Iterable[Key], window: Window) -> Answer:
        """Give the timelines of all keys that have the same first values as `keys`."""
        values = sorted({key[0] for key in keys})

        def read(rows: list[Series]) -> Timelines:
            return self._timelines(rows, window)

        found, failed = self._cached(self._known, self._on[0], values, window, read)
        every = {key: line for some in found.values() for key, line in some.items()}
        return Answer(every, failed)

    def owned(
        self, scopes: Sequence[str], window: Window
    ) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Give (scope -> first values of its keys, scope -> why it failed)."""
        assert self._scope_label is not None
        first = self._on[0]

        def read(rows: list[Series]) -> list[str]:
            return sorted({series.metadata[first] for series in rows})

        return self._cached(self._owned, self._scope_label, scopes, window, read)

    def _timelines(self, rows: list[Series], window: Window) -> Timelines:
        """Give what counts in each period, of series that have the same first value."""
        by_key: dict[Key, list[Series]] = {}
        for series in rows:
            key = tuple(series.metadata[name] for name in self._on)
            by_key.setdefault(key, []).append(series)
        return {key: self._timeline(some, window) for key, some in by_key.items()}

    def _timeline(self, rows: list[Series], window: Window) -> Timeline:
        if len(rows) == 1 and len(rows[0].begins) == len(window.begins):
            return Timeline(rows[0].metadata)
        # Begin -> (number of samples, values in the order of names, labels).
        best: dict[int, tuple[Decimal, tuple[str, ...], Labels]] = {}
        for series in rows:
            labels = series.metadata
            values = tuple(labels[name] for name in self._labels)
            for begin, samples in zip(series.begins, series.qtys, strict=True):
                if begin not in best or (samples, values) > best[begin][:2]:
                    best[begin] = (samples, values, labels)
        return Timeline.of([best[b][2] if b in best else None for b in window.begins])

    def _cached(
        self,
        cache: _Cache[Entry],
        label: str,
        values: Sequence[str],
        window: Window,
        read: Callable[[list[Series]], Entry],
    ) -> tuple[dict[str, Entry], dict[str, str]]:
        """Give (value of `label` -> what `read` makes of its series, value -> why it failed)."""
        # One at a time: the metrics of a batch ask for the same at the same moment.
        with cache.lock:
            known = cache.page(window)
            unknown = [value for value in values if value not in known]
            failed: dict[str, str] = {}
            if unknown:
                try:
                    found = self._halving(label, unknown, window)
                except BatchFailure as exc:
                    found, failed = exc.series, exc.failed
                for value in unknown:
                    if value not in failed:
                        known[value] = read(found.get(value, []))
            return {value: known[value] for value in values if value in known}, failed

    def _halving(
        self, label: str, values: Sequence[str], window: Window
    ) -> dict[str, list[Series]]:
        # Their names stand in the metadata, so that none is taken for a date or for the scope.
        definition: dict[str, Any] = {
            "unit": "",
            "groupby": [],
            "metadata": list(self._labels),
            "factor": 1,
            "offset": 0,
            "mutate": "NONE",
        }
        reader = SeriesReader(self._query.metric, definition, label)

        def ask(chunk: Chunk, seconds: float) -> Rows:
            return self._ask(reader, chunk, window.period, seconds)

        begins = window.begins
        chunks = [
            Chunk(values[first : first + _MOST], begins[start : start + _MOST_PERIODS])
            for first in range(0, len(values), _MOST)
            for start in range(0, len(begins), _MOST_PERIODS)
        ]
        return Halving(ask, self._seconds, http.bare(self._client.url)).run(chunks)

    def _ask(
        self, reader: SeriesReader, chunk: Chunk, period: int, seconds: float
    ) -> dict[str, list[Series]]:
        text = self._query.render(promql.one_of(reader.scope_key, chunk.scopes), period)
        begins = chunk.begins
        try:
            if len(begins) == 1:
                at = str(begins[0] + period)
                result = self._client.query(text, at, post=True, seconds=seconds)
                found, _ = reader.vector(result, chunk.scopes, begins[0], strict=True)
            else:
                first, last = begins[0] + period, begins[-1] + period
                result = self._client.query_range(text, first, last, period, seconds=seconds)
                found, _ = reader.matrix(result, chunk.scopes, begins, period, strict=True)
        except (PrometheusError, BadAnswer) as exc:
            fatal = isinstance(exc, PrometheusError) and exc.fatal
            where = "" if "://" in str(exc) else f"{http.bare(self._client.url)}: "
            raise (SourceUnusable if fatal else CollectError)(f"{where}{exc}") from exc
        return found
