# SPDX-License-Identifier: Apache-2.0
"""The questions to Gnocchi for one metric: for one scope and period, or for many together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from cloudkitty.collector import metrics
from cloudkitty.collector.gnocchi_query import MetricQuery, iso
from cloudkitty.collector.gnocchi_resources import Changes, Resources
from cloudkitty.collector.gnocchi_series import GroupReader, Reading
from cloudkitty.collector.halving import Chunk, extend
from cloudkitty.gnocchi.client import GnocchiClient
from cloudkitty.gnocchi.errors import GnocchiError

#: The scope of what is asked for without one.
EVERYBODY: Final = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One definition of metrics.yml, made ready."""

    key: str
    definition: Mapping[str, Any]
    query: MetricQuery
    reader: GroupReader

    @classmethod
    def of(cls, key: str, definition: Mapping[str, Any], scope_key: str, period: int) -> Self:
        """Make a validated definition ready; `period` is that of collecting."""
        query = MetricQuery.of(metrics.source_name(key), definition, period)
        return cls(key, definition, query, GroupReader(key, definition, scope_key))


@dataclass(frozen=True, slots=True)
class Cells:
    """Scopes (none: everybody's usage) and consecutive periods."""

    scopes: Sequence[str]
    begins: Sequence[int]
    period: int

    @property
    def end(self) -> int:
        """The end of the last period."""
        return self.begins[-1] + self.period


class Questions:
    """Asks one Gnocchi; safe for threads.

    Methods take the time by the monotonic clock at which everything must be there (None: no
    limit) and raise GnocchiError.
    """

    def __init__(self, client: GnocchiClient, resources: Resources, scope_key: str) -> None:
        self._client = client
        self._resources = resources
        self._scope_key = scope_key

    def arguments(self, metric: Metric, cells: Cells, q_filter: Any = None) -> dict[str, Any]:
        """Give what ``GnocchiClient.aggregates`` is called with."""
        query = metric.query
        return {
            "operations": query.operations,
            "search": query.search(self._scope_key, cells.scopes, q_filter),
            "resource_type": query.resource_type,
            "groupby": query.groupby,
            "start": iso(query.start(cells.begins[0])),
            "stop": iso(cells.end),
            "granularity": query.granularity or None,
        }

    def together(
        self, metric: Metric, cells: Cells, until: float | None = None, q_filter: Any = None
    ) -> Reading:
        """Ask for everything in one question; scopes and periods must be such that this is exact.

        `q_filter` is a further condition on resources.
        """
        arguments = self.arguments(metric, cells, q_filter)
        try:
            groups = self._client.aggregates(**arguments, seconds=_left(until))
        except GnocchiError as exc:
            if exc.no_metric:
                return Reading()
            raise
        if not groups:
            return Reading()
        lookup = self._resources.lookup(
            metric.definition,
            cells.scopes,
            cells.begins,
            cells.end,
            q_filter=q_filter,
            seconds=_left(until),
        )
        scopes = cells.scopes or [EVERYBODY]
        return metric.reader.read(groups, scopes, cells.begins, cells.period, lookup)

    def batch(self, metric: Metric, chunk: Chunk, period: int, until: float) -> Reading:
        """Ask for scopes and periods with as few questions as give what single ones would."""
        scopes, begins, query = chunk.scopes, chunk.begins, metric.query
        splits = len(begins) == 1 or query.splits(begins)
        changes = Changes()
        if not query.custom and (len(scopes) > 1 or (len(begins) > 1 and splits)):
            changes = self._resources.changes(
                query.resource_type,
                scopes,
                query.start(begins[0]),
                begins[-1] + period,
                seconds=_left(until),
            )
        alone = changes.shared if not query.custom else frozenset(scopes)
        together = [scope for scope in scopes if scope not in alone]
        # For these one period at a time is exact, and so it is for one period.
        restless: list[str] = []
        calm = together
        if len(begins) > 1:
            restless = [one for one in together if not splits or one in changes.restless]
            calm = [one for one in together if splits and one not in changes.restless]

        questions = [Cells(calm, begins, period)] if calm else []
        for begin in begins:
            questions += [Cells(restless, [begin], period)] if restless else []
            questions += [Cells([one], [begin], period) for one in scopes if one in alone]
        reading = Reading()
        for cells in questions:
            found = self.together(metric, cells, until)
            extend(reading.found, found.found)
            reading.left_out += found.left_out
        return reading


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - time.monotonic(), 0.0)
