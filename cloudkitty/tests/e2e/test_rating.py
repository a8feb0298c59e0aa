# SPDX-License-Identifier: Apache-2.0
"""From a real Prometheus through real processors into real databases: every digit, once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from cloudkitty.tests.e2e import outcome, processes
from cloudkitty.tests.e2e.cloud import Cloud
from cloudkitty.tests.e2e.processes import Site

pytestmark = pytest.mark.e2e


def test_totals_are_the_sums_worked_out_by_hand(
    make_site: Callable[..., Site], cloud: Cloud
) -> None:
    site = make_site()
    with site.processor() as process:
        outcome.wait(cloud, 40)
        outcome.check_simulation(cloud, 20)
        before = time.monotonic()
        assert processes.stop(process) == 0
        assert time.monotonic() - before < 15
    outcome.check(cloud)
    assert "Traceback" not in site.output()


def test_nothing_is_stored_twice_or_lost_when_processes_are_killed(
    make_site: Callable[..., Site],
    cloud: Cloud,
) -> None:
    site = make_site(batch_scopes=1, batch_periods=1)
    chance = random.Random(7)
    kills = 0
    deadline = time.monotonic() + 30
    while kills < 8 and not outcome.done(cloud) and time.monotonic() < deadline:
        before = outcome.periods_done()
        process = site.start()
        while outcome.periods_done() == before and time.monotonic() < deadline:
            time.sleep(0.01)
        for _ in range(2):
            time.sleep(chance.uniform(0, 0.2))
            for worker in processes.children(process)[:1]:
                os.kill(worker, signal.SIGKILL)
                kills += 1
        time.sleep(chance.uniform(0, 0.2))
        processes.kill_all(process)
        kills += 1
    assert outcome.periods_done()
    assert kills >= 3
    site.write(batch_scopes=200, batch_periods=24)
    with site.processor():
        outcome.wait(cloud, 40)
    outcome.check(cloud)


def test_two_processors_at_once_without_a_lock_service(
    make_site: Callable[..., Site],
    cloud: Cloud,
) -> None:
    site = make_site(coordination="", batch_scopes=2, batch_periods=4)
    with site.processor(), site.processor():
        outcome.wait(cloud, 50)
    outcome.check(cloud)
    assert "Traceback" not in site.output()
