# SPDX-License-Identifier: Apache-2.0
"""A script that raises, in the processor: its scope waits for the script to be repaired."""

from __future__ import annotations

import logging
import time

import pytest

from cloudkitty.state.scope import states_for
from cloudkitty.tests import webapi
from cloudkitty.tests.processor.rig import NEWEST, ORIGIN, P, Rig, seed
from cloudkitty.timeutils import from_epoch, to_epoch

SCRIPTS = "/v1/rating/module_config/pyscripts/scripts"
BROKEN = """\
for points in data['usage'].values():
    for point in points:
        if point['groupby']['project_id'] == 'bad':
            raise LookupError('no price for ' + point['groupby']['id'])
        point['rating']['price'] = 5
"""
REPAIRED = BROKEN.replace("raise LookupError('no price for ' + point['groupby']['id'])", "pass")


def prices(rig):
    """Scope -> (number of its points, their prices)."""
    found = {}
    for frame in rig.storage.retrieve(
        begin=from_epoch(NEWEST), end=from_epoch(int(rig.clock.now)), paginate=False
    )["dataframes"]:
        for _metric, point in frame.iterpoints():
            found.setdefault(point.groupby["project_id"], []).append(int(point.price))
    return {scope: (len(some), set(some)) for scope, some in found.items()}


def lasts():
    return {s: to_epoch(state.last_processed) for s, state in states_for(ORIGIN).items()}


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


def test_a_script_that_raises(api, caplog):
    switch = {"module_id": "pyscripts", "enabled": True}
    assert api.put("/v1/rating/modules/pyscripts", switch).status_int == 302
    made = api.post(SCRIPTS, {"name": "pricing", "data": BROKEN}).json
    # Rules may not begin in the past, so the periods lie in the future.
    last = int(time.time()) // P * P + P
    names = ["bad", "fine-1", "fine-2"]
    seed(names, (NEWEST - last) // P)
    rig = Rig(names)
    rig.clock.now = last + 5 * P + 1
    caplog.set_level(logging.WARNING)

    rig.rounds()
    done = last + 3 * P
    assert lasts() == {"bad": last, "fine-1": done, "fine-2": done}
    assert prices(rig) == {"fine-1": (12, {5}), "fine-2": (12, {5})}
    (line,) = (r.getMessage() for r in caplog.records if r.name.startswith("cloudkitty.processor"))
    assert "1 scope(s) not rated (bad), trying again in 5 s: rating failed: " in line
    assert "script 'pricing', line 4: LookupError: no price for bad-0 (scope bad, period " in line

    # It stays so, and others are not kept from their next period.
    rig.clock.now += P
    rig.rounds()
    assert lasts() == {"bad": last, "fine-1": done + P, "fine-2": done + P}

    # What a script that is in force says cannot be changed: another one takes its place.
    assert api.delete(f"{SCRIPTS}/{made['script_id']}").status_int == 204
    assert api.post(SCRIPTS, {"name": "pricing", "data": REPAIRED}).status_int == 201
    rig.clock.now = rig.backoff.until("bad")
    rig.rounds()
    assert set(lasts().values()) == {done + P}
    assert prices(rig) == dict.fromkeys(names, (16, {5}))
