# SPDX-License-Identifier: Apache-2.0
"""The table that ``make run`` shows, and how it knows that everything is there."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cloudkitty.demo.run import progress, ratecard
from cloudkitty.demo.run.report import Row, table
from cloudkitty.demo.run.settings import from_environment


def test_table() -> None:
    rows = [
        Row("crm", 12.5, {"instance": 1234.0, "volume": 0.25, "odd": 1.0}),
        Row("mail", 0.0, {"volume": 3.0}),
    ]

    text = table(rows, {"instance": "instance", "ip": "ip", "volume": "GiB"}, "project, 2026-11")

    assert text.splitlines() == [
        "project, 2026-11    instance  volume   cost",
        "                  instance·h   GiB·h",
        "-------------------------------------------",
        "crm                    1,234    0.25  12.50",
        "mail                       -       3   0.00",
        "-------------------------------------------",
        "total                  1,234    3.25  12.50",
        "(not shown, but in the cost: odd)",
    ]


def test_what_was_moved_is_no_state() -> None:
    text = table([Row("a", 1.0, {"net": 2.0})], {"net": "GB"}, "namespace", {"net"})

    assert text.splitlines()[1].split() == ["GB"]


def test_the_newest_period_that_is_due(tmp_path: Path) -> None:
    settings = from_environment({}, tmp_path)
    hour = dt.datetime(2026, 11, 5, 10, tzinfo=dt.UTC)

    def due(seconds: int) -> dt.datetime:
        return progress.last_due(settings, hour.timestamp() + seconds)

    # The hour from 09:00 on has ended at 10:00, and is due in the second after.
    assert due(1) == hour - dt.timedelta(hours=1)
    assert due(0) == hour - dt.timedelta(hours=2)
    assert due(3600) == hour - dt.timedelta(hours=1)


def test_every_metric_of_the_demo_has_a_price(tmp_path: Path) -> None:
    from cloudkitty.demo.run import source

    assert set(ratecard.DEMO) == set(
        source.units(source.definitions(from_environment({}, tmp_path)))
    )


def test_every_value_of_the_demo_has_a_price() -> None:
    from cloudkitty.demo.cloud import FLAVORS, PROJECTS

    assert set(ratecard.DEMO["instance"].values) == set(FLAVORS)
    assert set(ratecard.DEMO["volume.size"].values) == {
        kind for project in PROJECTS.values() for kind in project.volume_types
    }
