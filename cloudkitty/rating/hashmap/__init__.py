# SPDX-License-Identifier: Apache-2.0
"""hashmap: prices by metric and by the values of labels (contract rating.md 4).

This module is the engine's side: rules are read (:mod:`.rules`), compiled (:mod:`.tariff`,
:mod:`.service`, :mod:`.formula`) and applied. The REST controllers and the migrations are loaded
when somebody asks for them: the processor needs neither.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating.base import RatingProcessorBase
from cloudkitty.rating.common.later import Later
from cloudkitty.rating.hashmap import rules
from cloudkitty.rating.hashmap.tariff import Tariff, Tariffs, rate_frame
from cloudkitty.usage import ScopeUsage


class HashMap(RatingProcessorBase):
    """Rates by the rules in the hashmap tables."""

    module_name = "hashmap"
    description = "HashMap rating module."
    hot_config = True
    batch = True
    config_controller = Later(
        "cloudkitty.rating.hashmap.controllers",
        "HashMapConfigController",
    )
    #: What the database tool asks for ``get_migration()`` (rating.md 2.7).
    db_api = Later("cloudkitty.rating.hashmap.migrations")

    # What was compiled last, shared by all instances of the process: classic use makes one
    # instance per scope, and each asks for the rules before every period.
    _latest: ClassVar[Tariffs | None] = None

    def __init__(self, tenant_id: str | None = None) -> None:
        super().__init__(tenant_id)
        self._tariffs: Tariffs | None = None
        self._tariff: Tariff | None = None

    @property
    def version(self) -> str:
        """Text that stands for the rules in use."""
        return self._in_use().version

    def begin_batch(self) -> None:
        """Read the rules; what was compiled is kept when they are as they were."""
        found = rules.load()
        latest = HashMap._latest
        if latest is None or latest.rules != found:
            latest = HashMap._latest = Tariffs(found)
        self._tariffs = latest

    def reload_config(self, start: dt.datetime | None = None) -> None:
        """Read the rules and choose those in force at `start` (aware; None is now)."""
        self.begin_batch()
        when = timeutils.naive_local(start or dt.datetime.now(dt.UTC))
        self._tariff = self._in_use().of(self._tenant_id).at(when)

    def process(self, data: DataFrame) -> DataFrame:
        """Give a new frame with the prices of the rules in force added."""
        if self._tariff is None:
            self.reload_config()
        return rate_frame(data, self._tariff or {}, self._tenant_id)

    def rate_usage(self, usage: ScopeUsage) -> None:
        """Add the prices of the rules in force at each period's begin, in place."""
        self._in_use().rate(usage)

    def _in_use(self) -> Tariffs:
        if self._tariffs is None:
            self.begin_batch()
        if self._tariffs is None:  # begin_batch sets it or raises
            raise RuntimeError("hashmap has no rules loaded")
        return self._tariffs
