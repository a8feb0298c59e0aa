# SPDX-License-Identifier: Apache-2.0
"""Periods that were rated with wrong prices are rated again, whatever happens meanwhile."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.rating.hashmap.models import Mapping
from cloudkitty.state import schedule
from cloudkitty.state.scope import states_for
from cloudkitty.tests import prometheus
from cloudkitty.tests.e2e import outcome, processes
from cloudkitty.tests.e2e.cloud import PERIOD, Cloud
from cloudkitty.tests.e2e.processes import Site

pytestmark = pytest.mark.e2e


def rate_wrongly(site: Site, cloud: Cloud) -> None:
    """Rate everything with prices that are then put right."""
    with db.session_for_write() as session:
        right = dict(session.execute(sa.select(Mapping.id, Mapping.cost)).all())
        session.execute(sa.update(Mapping).values(cost=7))
    with site.processor():
        outcome.wait(cloud, 40)
    with db.session_for_write() as session:
        for id_, cost in right.items():
            session.execute(sa.update(Mapping).where(Mapping.id == id_).values(cost=cost))


def order(cloud: Cloud, first: int = 0, last: int = -1) -> None:
    """Have periods of every project rated again."""
    window = schedule.Window(
        timeutils.from_epoch(cloud.begins[first]),
        timeutils.from_epoch(cloud.begins[last]),
    )
    assert schedule.create(outcome.ORIGIN, None, window, "wrong prices", PERIOD) == cloud.projects


def wait(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while schedule.unfinished():
        assert time.monotonic() < deadline, schedule.unfinished()
        time.sleep(0.1)


def test_wrong_prices_are_put_right(make_site: Callable[..., Site], cloud: Cloud) -> None:
    site = make_site()
    rate_wrongly(site, cloud)
    states = states_for(outcome.ORIGIN)
    site.write(workers=1, reprocessing=2)
    with site.processor() as process:
        site.wait_for_log("rating reprocessor")
        order(cloud, 0, 12)
        order(cloud, 13, -1)
        wait(40)
        assert processes.stop(process) == 0
    outcome.check(cloud)
    assert states_for(outcome.ORIGIN) == states
    assert all(one.current == one.window.end for one in schedule.list_schedules())
    assert "Traceback" not in site.output()


def test_every_period_is_whole_when_processes_are_killed(
    make_site: Callable[..., Site],
    cloud: Cloud,
) -> None:
    site = make_site()
    rate_wrongly(site, cloud)
    order(cloud)
    site.write(workers=0, reprocessing=2, batch_scopes=2, batch_periods=1)
    chance = random.Random(11)
    kills = 0
    deadline = time.monotonic() + 15
    while kills < 8 and schedule.unfinished() and time.monotonic() < deadline:
        before = schedule.unfinished()
        process = site.start()
        while schedule.unfinished() == before and time.monotonic() < deadline:
            time.sleep(0.01)
        for _ in range(2):
            time.sleep(chance.uniform(0, 0.2))
            for worker in processes.children(process)[:1]:
                os.kill(worker, signal.SIGKILL)
                kills += 1
        time.sleep(chance.uniform(0, 0.2))
        processes.kill_all(process)
        kills += 1
        _check_every_period_is_whole(cloud)
    assert kills >= 3
    site.write(batch_scopes=200, batch_periods=24)
    with site.processor():
        wait(40)
    outcome.check(cloud)


def _check_every_period_is_whole(cloud: Cloud) -> None:
    """No period has points of both price lists, or lacks any."""
    per_period: dict[tuple[str, int], int] = {}
    for point in cloud.points():
        key = (point.project, point.begin)
        per_period[key] = per_period.get(key, 0) + 1
    with db.session_for_read() as session:
        rows = session.execute(
            sa.text("SELECT begin, scope_id, COUNT(*) FROM ck_points GROUP BY begin, scope_id"),
        ).all()
    assert len(rows) == len(per_period)
    assert sorted(n for _begin, _scope, n in rows) == sorted(per_period.values())


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_nothing_is_lost_while_the_source_is_down(
    make_site: Callable[..., Site],
    cloud: Cloud,
    tmp_path: Path,
) -> None:
    site = make_site()
    rate_wrongly(site, cloud)
    expected = {key: qty for key, (qty, _price) in cloud.expected().items()}
    order(cloud)
    port = prometheus.free_port()
    site.write(workers=0, reprocessing=1, prometheus=f"http://127.0.0.1:{port}/api/v1")
    directory = tmp_path / "later"
    directory.mkdir()
    with site.processor():
        site.wait_for_log("trying again")
        found = {key: qty for key, (qty, _price) in outcome.totals(cloud).items()}
        assert found == expected
        with prometheus.running(prometheus.openmetrics(cloud.history()), directory, port=port):
            wait(50)
    outcome.check(cloud)
