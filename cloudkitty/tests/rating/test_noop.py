# SPDX-License-Identifier: Apache-2.0
"""noop is always there and changes nothing (rating.md 6)."""

from __future__ import annotations

import datetime as dt

from cloudkitty.dataframe import DataFrame
from cloudkitty.db import module_info
from cloudkitty.rating.noop import Noop


def test_what_it_says_of_itself(sqlite_database):
    module = Noop()
    module.set_state(enabled=False)
    module.set_priority(7)
    assert module_info.all_states() == {"noop": (False, 7)}
    assert module.module_info == {
        "name": "noop",
        "description": "Dummy test module.",
        "hot_config": False,
        "enabled": True,
        "priority": 1,
    }
    assert module.config_controller is None


def test_gives_the_frame_itself():
    frame = DataFrame(
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
    )
    module = Noop(tenant_id="a")
    module.reload_config(frame.start)
    assert module.process(frame) is frame
    assert module.quote(frame) is frame
