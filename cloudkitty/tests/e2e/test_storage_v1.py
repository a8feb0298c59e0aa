# SPDX-License-Identifier: Apache-2.0
"""The whole way on a storage of the first generation: every point, once, whoever dies."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from cloudkitty import db, timeutils
from cloudkitty.storage.base import get_storage
from cloudkitty.tests.e2e import outcome, processes
from cloudkitty.tests.e2e.cloud import PERIOD, Cloud
from cloudkitty.tests.e2e.processes import Site

pytestmark = pytest.mark.e2e

VERSION_1 = "[storage]\nversion = 1\n"


def rows() -> int:
    with db.session_for_read() as session:
        return session.execute(sa.text("SELECT COUNT(*) FROM rated_data_frames")).scalar() or 0


def check(cloud: Cloud) -> None:
    frames = get_storage(cfg.CONF, backend="sqlalchemy", version=1).retrieve(
        begin=timeutils.from_epoch(cloud.before),
        end=timeutils.from_epoch(cloud.newest + PERIOD),
        paginate=False,
    )
    stored = Counter(
        (
            timeutils.to_epoch(frame.start),
            point.groupby["tenant_id"],
            metric,
            point.groupby["id"],
            f"{point.qty:.5f}",
            f"{point.price:.9e}",
        )
        for frame in frames["dataframes"]
        for metric, point in frame.iterpoints()
    )
    expected = Counter(
        (
            *point[:4],
            f"{point.qty.quantize(Decimal('0.00001'), ROUND_HALF_UP):.5f}",
            f"{point.price:.9e}",
        )
        for point in cloud.points()
    )
    assert not stored - expected
    assert not expected - stored


def test_every_point_is_stored_once(make_site: Callable[..., Site], cloud: Cloud) -> None:
    site = make_site(batch_scopes=1, batch_periods=1)
    site.write(VERSION_1)
    done = site.run("cloudkitty-storage-init")
    assert done.returncode == 0, done.stderr
    for _ in range(3):
        before = rows()
        process = site.start()
        deadline = time.monotonic() + 30
        while rows() == before and not outcome.done(cloud):
            assert time.monotonic() < deadline, site.output()
            time.sleep(0.01)
        processes.kill_all(process)
    site.write(VERSION_1, batch_scopes=200, batch_periods=24)
    with site.processor():
        outcome.wait(cloud, 40)
    check(cloud)
