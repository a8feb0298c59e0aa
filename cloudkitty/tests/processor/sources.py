# SPDX-License-Identifier: Apache-2.0
"""Collectors and fetchers that make usage up, and fail where a test wants them to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from cloudkitty.collector import metrics
from cloudkitty.collector.base import BaseCollector, BatchFailure, BatchQuery, CollectError
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.fetcher.base import BaseFetcher
from cloudkitty.usage import Series

CONF = {"metrics": {"cpu": {"unit": "instance"}, "disk": {"unit": "GiB", "alt_name": "a_disk"}}}


class MadeUp(BaseCollector):
    """Every scope has `resources` series of one point per period."""

    collector_name = "made-up"

    def __init__(self, resources: int = 2, period: int = 3600) -> None:
        super().__init__(period=period, conf=CONF)
        self.resources = resources
        self.asked: list[tuple[str, BatchQuery]] = []
        #: (metric key, scope, begin) -> whether the source fails for it.
        self.fails: Callable[[str, str, int], bool] = lambda _key, _scope, _begin: False
        self.down = False
        self.seconds = 0.0
        #: Called before the first answer.
        self.before_first: Callable[[], object] | None = None
        self.usage: Callable[[str], bool] = lambda _scope: True
        self._lock = threading.Lock()

    @staticmethod
    def check_configuration(conf: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return metrics.validate(conf, "project_id")

    def fetch_all(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def fetch_batch(self, metric_name: str, query: BatchQuery) -> dict[str, list[Series]]:
        with self._lock:
            self.asked.append((metric_name, query))
            before, self.before_first = self.before_first, None
        if before:
            before()
        time.sleep(self.seconds)
        if self.down:
            raise CollectError("the source is down")
        name = metrics.frame_name(metric_name, self.conf[metric_name])
        failed = {
            scope: f"metric '{metric_name}': refused"
            for scope in query.scopes
            if any(self.fails(metric_name, scope, begin) for begin in query.begins)
        }
        found = {
            scope: [
                Series(
                    name,
                    "unit",
                    ImmutableDict({"project_id": scope, "id": f"{scope}-{n}"}),
                    ImmutableDict({}),
                    begins=list(query.begins),
                    qtys=[Decimal(n + 1)] * len(query.begins),
                    prices=[Decimal(0)] * len(query.begins),
                )
                for n in range(self.resources)
            ]
            for scope in query.scopes
            if scope not in failed and self.usage(scope)
        }
        if failed:
            raise BatchFailure(found, failed)
        return found


class Announced(BaseFetcher):
    """Announces what it is told to."""

    name = "announced"

    def __init__(self, scopes: list[str]) -> None:
        super().__init__()
        self.scopes = scopes
        #: Scopes that existed a short while ago.
        self.recent: list[str] = []
        self.down = False
        self.calls = 0

    def get_tenants(self) -> list[str]:
        self.calls += 1
        if self.down:
            raise CollectError("the fetcher is down")
        return list(self.scopes)

    def get_recent(self) -> list[str]:
        return list(self.recent)
