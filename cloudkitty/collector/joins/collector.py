# SPDX-License-Identifier: Apache-2.0
"""A collector whose series get labels of other sources: it stands around any other collector.

Labels are put on what the inner collector gives, so that it needs to know nothing of joins. Only
where a join gives the scope the inner one is asked by another label than the scope key
(``schema.scope_label``); those that can say so (``scope_joins``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cloudkitty import timeutils
from cloudkitty.collector import metrics
from cloudkitty.collector.base import (
    BaseCollector,
    BatchFailure,
    BatchQuery,
    CollectError,
    NoDataCollected,
)
from cloudkitty.collector.joins.base import (
    NOTHING,
    Answer,
    Key,
    Labels,
    Lookup,
    ScopeLookup,
    Timeline,
    Window,
)
from cloudkitty.collector.joins.schema import Join
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.usage import Series, series_of_frames

Found = dict[str, list[Series]]
#: Asks the inner collector.
Ask = Callable[[BatchQuery], Found]


@dataclass(frozen=True, slots=True)
class JoinOf:
    """A join of one metric, with where it looks."""

    join: Join
    lookup: Lookup

    def key(self, series: Series) -> Key:
        """Give what to look a series up by; without a first value it is found nowhere."""
        return tuple(
            _text(series.groupby.get(name, series.metadata.get(name))) for name in self.join.on
        )

    def apply(
        self, series: Series, timeline: Timeline, positions: Mapping[int, int]
    ) -> Iterator[tuple[Labels | None, Series]]:
        """Yield (their labels, series with ours): more than one when they change on the way."""
        if timeline.at is None:
            yield timeline.always, self._labelled(series, timeline.always, None)
            return
        parts: dict[int, tuple[Labels | None, list[int]]] = {}
        for index, begin in enumerate(series.begins):
            labels = timeline.at[positions[begin]]
            parts.setdefault(id(labels), (labels, []))[1].append(index)
        for labels, chosen in parts.values():
            whole = len(chosen) == len(series.begins)
            yield labels, self._labelled(series, labels, None if whole else chosen)

    def _labelled(self, series: Series, labels: Labels | None, chosen: list[int] | None) -> Series:
        groupby, metadata = self.join.groupby, self.join.metadata
        begins, qtys, prices = series.begins, series.qtys, series.prices
        if chosen is not None:
            begins = [begins[i] for i in chosen]
            qtys = [qtys[i] for i in chosen]
            prices = [prices[i] for i in chosen]
        return Series(
            series.metric,
            series.unit,
            self._with(series.groupby, groupby, labels) if groupby else series.groupby,
            self._with(series.metadata, metadata, labels) if metadata else series.metadata,
            series.description,
            series.calendar,
            begins,
            qtys,
            prices,
        )

    def _with(
        self, own: ImmutableDict, names: Mapping[str, str], labels: Labels | None
    ) -> ImmutableDict:
        get = (labels or {}).get
        missing = self.join.missing
        added = {name: get(theirs) for name, theirs in names.items()}
        for name, value in added.items():
            if value is None or value == "":
                added[name] = missing
        return ImmutableDict({**own, **added})


class JoiningCollector(BaseCollector):
    """Gives what `inner` gives, with the labels of joins."""

    def __init__(
        self, inner: BaseCollector, joins: Mapping[str, list[JoinOf]], scope_key: str
    ) -> None:
        """Take the collector, the joins by metric key, and the name of the scope's label."""
        self.inner = inner
        self.collector_name = inner.collector_name
        self.period = inner.period
        self.conf = inner.conf
        self._joins = joins
        self._scope_key = scope_key

    @staticmethod
    def check_configuration(conf: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Not to be called: the inner collector's own has been."""
        raise NotImplementedError

    def fetch_all(
        self,
        metric_name: str,
        start: dt.datetime,
        end: dt.datetime,
        scope_id: str,
        q_filter: Any = None,
    ) -> list[DataPoint]:
        """Give the points of one metric key, scope and period; raises CollectError."""
        ask = self.inner.fetch_all
        if metric_name not in self._joins:
            return ask(metric_name, start, end, scope_id, q_filter=q_filter)
        name = metrics.frame_name(metric_name, self.conf[metric_name])
        begin = timeutils.to_epoch(start)

        def one_by_one(query: BatchQuery) -> Found:
            found = {}
            for scope in query.scopes:
                try:
                    points = ask(metric_name, start, end, scope, q_filter=q_filter)
                except NoDataCollected:
                    continue
                found[scope] = series_of_frames([DataFrame(start, end, {name: points})])
            return found

        query = BatchQuery([scope_id], [begin], timeutils.to_epoch(end) - begin)
        found = self._collect(metric_name, query, one_by_one)
        return [series.point(0) for series in found.get(scope_id, ())]

    def fetch_batch(self, metric_name: str, query: BatchQuery) -> Found:
        """Give scope id -> series of one metric key; as the base class's."""
        if metric_name not in self._joins:
            return self.inner.fetch_batch(metric_name, query)
        if not query.scopes or not query.begins:
            return {}
        return self._collect(metric_name, query, lambda q: self.inner.fetch_batch(metric_name, q))

    def explain_request(
        self, metric_name: str, start: dt.datetime, end: dt.datetime, scope_id: str
    ) -> str:
        """Say what the source of the usage is asked; with a join for the scope, for one key."""
        explain = self.inner.explain_request
        first = self._scope_join(metric_name)
        if first is None:
            return explain(metric_name, start, end, scope_id)
        own = next(iter(first.join.on))
        asked = explain(metric_name, start, end, f"<{own} of {scope_id}>")
        return f"{asked}, for each {own} that the {first.join} has for {scope_id}"

    def explain_absence(
        self, metric_name: str, start: dt.datetime, end: dt.datetime, scope_id: str
    ) -> str:
        """Say why there may be no points: whether it is the join for the scope, or the usage."""
        explain = self.inner.explain_absence
        first = self._scope_join(metric_name)
        if first is None:
            return explain(metric_name, start, end, scope_id)
        assert isinstance(first.lookup, ScopeLookup)
        begin = timeutils.to_epoch(start)
        window = Window((begin,), timeutils.to_epoch(end) - begin)
        owned, failed = first.lookup.owned([scope_id], window)
        if failed:
            raise CollectError(f"{first.join}: {failed[scope_id]}")
        if not owned.get(scope_id):
            theirs = first.join.groupby[self._scope_key]
            return f"{first.join}: nothing there has {theirs} {scope_id}"
        return explain(metric_name, start, end, owned[scope_id][0])

    def _scope_join(self, metric_name: str) -> JoinOf | None:
        """Give the join that says whose the usage of a metric is, if one does."""
        first = next(iter(self._joins.get(metric_name, ())), None)
        return first if first and self._scope_key in first.join.groupby else None

    def _collect(self, metric_name: str, query: BatchQuery, ask: Ask) -> Found:
        run = _Run(metric_name, query)
        joins = self._joins[metric_name]
        if (first := self._scope_join(metric_name)) is not None:
            found = run.scoped(first, self._scope_key, ask)
            joins = joins[1:]
        else:
            found = run.ask(ask, query)
        for join in joins:
            found = run.labelled(join, found)
        if run.failed:
            kept = {scope: some for scope, some in found.items() if scope not in run.failed}
            raise BatchFailure(kept, run.failed)
        return found


class _Run:
    """One question for one metric; collects what failed."""

    def __init__(self, metric_name: str, query: BatchQuery) -> None:
        self._metric = metric_name
        self._query = query
        self._window = Window(tuple(query.begins), query.period)
        self._positions = {begin: index for index, begin in enumerate(query.begins)}
        #: Scope id -> why.
        self.failed: dict[str, str] = {}

    def ask(self, ask: Ask, query: BatchQuery) -> Found:
        """Ask the inner collector."""
        try:
            return ask(query)
        except BatchFailure as exc:
            self.failed |= exc.failed
            return exc.series

    def labelled(self, join: JoinOf, found: Found) -> Found:
        """Put the labels of a join on all series."""
        keyed = {scope: [(join.key(one), one) for one in some] for scope, some in found.items()}
        keys = {key for some in keyed.values() for key, _series in some}
        answer = self._find(join, {key for key in keys if key[0]})
        timelines, failed = answer.timelines, answer.failed
        result: Found = {}
        for scope, some in keyed.items():
            reason = next((failed[key[0]] for key, _series in some if key[0] in failed), None)
            if reason is not None:
                self.failed.setdefault(scope, reason)
                continue
            result[scope] = [
                part
                for key, series in some
                for _labels, part in join.apply(
                    series, timelines.get(key, NOTHING), self._positions
                )
            ]
        return result

    def scoped(self, join: JoinOf, scope_key: str, ask: Ask) -> Found:
        """Give the usage of the scopes when a join says whose it is."""
        lookup = join.lookup
        assert isinstance(lookup, ScopeLookup)
        scopes = list(dict.fromkeys(self._query.scopes))
        with self._named(join):
            owned, failed = lookup.owned(scopes, self._window)
        self.failed |= {scope: self._reason(join, why) for scope, why in failed.items()}
        values = sorted({value for some in owned.values() for value in some if value})
        if not values:
            return {}
        answer = self._find(join, {(value,) for value in values})
        failed = dict(answer.failed)
        try:
            usage = ask(BatchQuery(values, self._query.begins, self._query.period))
        except BatchFailure as exc:
            failed |= exc.failed
            usage = exc.series
        for scope, some in owned.items():
            reason = next((failed[value] for value in some if value in failed), None)
            if reason is not None:
                self.failed.setdefault(scope, reason)
        theirs = join.join.groupby[scope_key]
        found: Found = {}
        asked = set(scopes).difference(self.failed)
        for value in values:
            for series in usage.get(value, ()):
                timeline = answer.timelines.get(join.key(series), NOTHING)
                for labels, part in join.apply(series, timeline, self._positions):
                    if labels is not None and (scope := labels.get(theirs, "")) in asked:
                        found.setdefault(scope, []).append(part)
        return found

    def _find(self, join: JoinOf, keys: set[Key]) -> Answer:
        if not keys:
            return Answer()
        with self._named(join):
            answer = join.lookup.find(keys, self._window)
        failed = {value: self._reason(join, why) for value, why in answer.failed.items()}
        return Answer(answer.timelines, failed)

    @contextmanager
    def _named(self, join: JoinOf) -> Iterator[None]:
        try:
            yield
        except CollectError as exc:
            raise CollectError(self._reason(join, str(exc))) from exc

    def _reason(self, join: JoinOf, why: str) -> str:
        return f"metric '{self._metric}': {join.join}: {why}"


def _text(value: Any) -> str:
    """Give a label as sources of labels are asked for it."""
    return "" if value is None else str(value)
