# SPDX-License-Identifier: Apache-2.0
"""noop: the rating module that is always on and changes nothing (contract rating.md 6)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from cloudkitty.dataframe import DataFrame
from cloudkitty.rating.base import RatingProcessorBase
from cloudkitty.usage import ScopeUsage


class Noop(RatingProcessorBase):
    """Leaves every price as it is."""

    module_name = "noop"
    description = "Dummy test module."
    batch = True
    version = ""
    pointwise = True

    @property
    def enabled(self) -> bool:
        """Always on, whatever state is stored."""
        return True

    @property
    def priority(self) -> int:
        """Always 1, whatever priority is stored."""
        return 1

    def process(self, data: DataFrame) -> DataFrame:
        """Give `data` itself."""
        return data

    def reload_config(self, start: dt.datetime | None = None) -> None:
        """There are no rules."""

    def rate_usage(self, usage: ScopeUsage) -> None:
        """Change nothing."""

    def snapshot(self) -> Mapping[str, Any]:
        """There are no rules."""
        return {}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """There are no rules."""
