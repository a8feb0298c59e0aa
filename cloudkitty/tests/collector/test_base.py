# SPDX-License-Identifier: Apache-2.0
"""The batch form that the base class makes for collectors without their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from cloudkitty.collector import BaseCollector, BatchFailure, CollectError, NoDataCollected
from cloudkitty.collector.base import BatchQuery
from cloudkitty.dataframe import DataPoint
from cloudkitty.tests.collector.helpers import HOUR, TEN, flat


class Classic(BaseCollector):
    collector_name = "classic"

    @staticmethod
    def check_configuration(conf: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return {"m": {"unit": "u"}}

    def fetch_all(
        self,
        metric_name: str,
        start: dt.datetime,
        end: dt.datetime,
        scope_id: str,
        q_filter: Any = None,
    ) -> list[DataPoint]:
        if scope_id == "bad":
            raise CollectError("no answer")
        if scope_id == "idle":
            raise NoDataCollected("classic", "m")
        return [DataPoint("u", start.hour, 0, {"project_id": scope_id}, {})]


def test_periods_of_all_scopes_are_joined() -> None:
    collector = Classic(period=HOUR, conf={})
    found = collector.fetch_batch("m", BatchQuery(["a", "idle"], [TEN, TEN + HOUR], HOUR))
    assert flat(found) == [
        ("a", TEN, [("project_id", "a")], [], "10"),
        ("a", TEN + HOUR, [("project_id", "a")], [], "11"),
    ]


def test_a_scope_that_fails_is_told_apart() -> None:
    collector = Classic(period=HOUR, conf={})
    with pytest.raises(BatchFailure) as caught:
        collector.fetch_batch("m", BatchQuery(["a", "bad"], [TEN], HOUR))
    assert caught.value.failed == {"bad": "metric 'm': no answer"}
    assert list(caught.value.series) == ["a"]
