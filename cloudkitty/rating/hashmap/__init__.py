# SPDX-License-Identifier: Apache-2.0
"""hashmap: prices by metric and by the values of labels (contract rating.md 4).

This module is the engine's side: rules are read (:mod:`.rules`), compiled (:mod:`.tariff`,
:mod:`.service`, :mod:`.formula`) and applied. The REST controllers and the migrations are loaded
when somebody asks for them: the processor needs neither.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating.base import RatingProcessorBase, Stage
from cloudkitty.rating.common.later import Later
from cloudkitty.rating.hashmap import history, record, rules
from cloudkitty.rating.hashmap.tariff import Tariff, Tariffs, rate_frame
from cloudkitty.usage import ScopeUsage


class HashMap(RatingProcessorBase):
    """Rates by the rules in the hashmap tables."""

    module_name = "hashmap"
    description = "HashMap rating module."
    hot_config = True
    batch = True
    pointwise = True
    config_controller = Later(
        "cloudkitty.rating.hashmap.controllers",
        "HashMapConfigController",
    )
    #: What the database tool asks for ``get_migration()`` (rating.md 2.7).
    db_api = Later("cloudkitty.rating.hashmap.migrations")

    # What was compiled last, shared by all instances of the process: classic use makes one
    # instance per scope, and each asks for the rules before every period.
    _latest: ClassVar[Tariffs | None] = None
    # What was restored last, and from what.
    _latest_restored: ClassVar[tuple[Mapping[str, Any], Tariffs] | None] = None
    # The same of the past, with what the audit log said.
    _latest_then: ClassVar[tuple[Tariffs, history.Log] | None] = None

    def __init__(self, tenant_id: str | None = None) -> None:
        super().__init__(tenant_id)
        self._tariffs: Tariffs | None = None
        self._tariff: Tariff | None = None
        #: The date that `_tariff` is of, host-local and naive.
        self._when: dt.datetime | None = None
        self._restored = False

    @property
    def version(self) -> str:
        """Text that stands for the rules in use."""
        return self._in_use().version

    def begin_batch(self) -> None:
        """Read the rules; what was compiled is kept when they are as they were."""
        if self._restored:
            return
        found = rules.load()
        latest = HashMap._latest
        if latest is None or latest.rules != found:
            latest = HashMap._latest = Tariffs(found)
        self._tariffs = latest

    def begin_batch_then(self) -> None:
        """Read the rules of every moment, also those that were deleted or changed since."""
        latest = HashMap._latest_then
        found, log = history.load(latest and latest[1])
        if latest is None or latest[0].rules != found or latest[1] is not log:
            tariffs = latest[0] if latest and latest[0].rules == found else Tariffs(found)
            latest = HashMap._latest_then = tariffs, log
        self._tariffs = latest[0]

    def reload_config(self, start: dt.datetime | None = None) -> None:
        """Read the rules and choose those in force at `start` (aware; None is now)."""
        self.begin_batch()
        self._when = timeutils.naive_local(start or dt.datetime.now(dt.UTC))
        self._tariff = self._in_use().of(self._tenant_id).at(self._when)

    def process(self, data: DataFrame) -> DataFrame:
        """Give a new frame with the prices of the rules in force added."""
        if self._tariff is None:
            self.reload_config()
        return rate_frame(data, self._tariff or {}, self._tenant_id)

    def rate_usage(self, usage: ScopeUsage) -> None:
        """Add the prices of the rules in force at each period's begin, in place."""
        self._in_use().rate(usage)

    def explain(self, data: DataFrame, *, everything: bool = False) -> Iterator[Stage]:
        """Say which rules in force make the prices of a frame."""
        from cloudkitty.rating.hashmap import trace
        from cloudkitty.rating.hashmap.view import View

        if self._when is None:
            self.reload_config()
        when = self._when or timeutils.naive_local(data.start)
        points = list(data.iterpoints())
        views: dict[str, View] = {}

        def why(number: int) -> Mapping[str, Any]:
            metric, point = points[number]
            if metric not in views:
                views[metric] = View(self._in_use(), self._tenant_id, when, metric)
            return trace.trace(views[metric], point, everything=everything)

        yield Stage(self.process(data), why)

    def snapshot(self) -> Mapping[str, Any]:
        """Give the rules in use: a part for each service."""
        return record.parts(self._in_use().rules)

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Use these rules in place of those in the database."""
        latest = HashMap._latest_restored
        if latest is None or latest[0] is not snapshot:
            # Usually the same for one tenant after another.
            latest = HashMap._latest_restored = snapshot, Tariffs(record.rules(snapshot))
        self._tariffs, self._tariff = latest[1], None
        self._restored = True

    def _in_use(self) -> Tariffs:
        if self._tariffs is None:
            self.begin_batch()
        if self._tariffs is None:  # begin_batch sets it or raises
            raise RuntimeError("hashmap has no rules loaded")
        return self._tariffs
