# SPDX-License-Identifier: Apache-2.0
"""The recorded storage answers, on every engine."""

from __future__ import annotations

import zoneinfo
from typing import Any

import pytest

from cloudkitty import storage as storage_module
from cloudkitty import timeutils
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests.storage.v2 import vectors


@pytest.mark.parametrize("scenario", vectors.scenarios(), ids=lambda s: s["name"])
def test_scenario(
    database: str, conf: Any, monkeypatch: pytest.MonkeyPatch, scenario: dict[str, Any]
) -> None:
    timeutils.set_local_timezone(zoneinfo.ZoneInfo(scenario["timezone"]))
    conf.config(period=scenario["period"], group="collect")
    vectors.freeze(monkeypatch, scenario.get("now"))
    storage = storage_module.get_storage(backend="sqlalchemy", version=2)
    assert isinstance(storage, SQLAlchemyStorage)
    frames = vectors.frames_of(scenario)
    if frames:
        storage.push(frames)
    for step in scenario["steps"]:
        try:
            vectors.play(storage, step)
        except AssertionError as exc:
            raise AssertionError(f"{step['id']}: {step}\n{exc}") from exc
        # What is rolled up must answer alike.
        storage.roll_up_closed_days(timeutils.from_epoch(4_000_000_000))
