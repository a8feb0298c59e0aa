# SPDX-License-Identifier: Apache-2.0
"""Rated data for tests of v1, posted through v2."""

from __future__ import annotations

from typing import Any

from cloudkitty.tests.webapi import Api


def point(project: str | None, price: str = "0.1", qty: str = "1", **metadata: Any) -> Any:
    """A point of a project, None for nobody's."""
    groupby = {"id": f"r-{project}"} | ({} if project is None else {"project_id": project})
    return {
        "vol": {"unit": "u", "qty": qty},
        "rating": {"price": price},
        "groupby": groupby,
        "metadata": metadata,
    }


def post(api: Api, hour: int, **usage: list[Any]) -> None:
    """Store points by metric type in an hour of 1 November 2026, which is whole in every zone."""
    period = {
        "begin": f"2026-11-01T{hour:02}:00:00+00:00",
        "end": f"2026-11-01T{hour + 1:02}:00:00+00:00",
    }
    answer = api.post("/v2/dataframes", {"dataframes": [{"period": period, "usage": usage}]})
    assert answer.status_int == 204, answer.text
