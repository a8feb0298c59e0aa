# SPDX-License-Identifier: Apache-2.0
"""How long it takes to say what rules cover, and how much memory.

    python benchmarks/coverage.py                         # SQLite, 1 million points
    python benchmarks/coverage.py --points 10000000
    python benchmarks/coverage.py --database URL          # an *empty* database
    python benchmarks/coverage.py --keep FILE             # SQLite file that is filled once

Fills the storage as ``benchmarks/api.py`` does (30 days of 100 projects and 7 metrics), with 500
mappings, of which a few match, and asks for intervals of several lengths, each in a process of its
own: seconds, and the peak of memory above that of a process that has asked nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from api import DAYS, MONTH, fill, fill_rules
from oslo_config import cfg
from oslo_db import options as options_

from cloudkitty import conf as ck_conf
from cloudkitty import db, timeutils
from cloudkitty.db import module_info, schema
from cloudkitty.rating import coverage
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage

DAY = 86400
#: Name -> first second, last second, hours of the day at which a rule comes into force.
INTERVALS: dict[str, tuple[int, int]] = {
    "a day": (MONTH, MONTH + DAY),
    "7 days": (MONTH, MONTH + 7 * DAY),
    "7 days, not from midnight": (MONTH + 9 * 3600, MONTH + 7 * DAY + 9 * 3600),
    "30 days": (MONTH, MONTH + DAYS * DAY),
    "30 days, a rule a day changes": (MONTH, MONTH + DAYS * DAY),
}


def configure(database: str) -> None:
    ck_conf.register_opts(cfg.CONF)
    cfg.CONF([], project="cloudkitty", default_config_files=[])
    options_.set_defaults(cfg.CONF)
    cfg.CONF.set_override("connection", database, "database")


def prepare(points: int) -> None:
    schema.create_all(db.get_engine())
    with db.session_for_read() as session:
        stored = session.scalar(sa.text("SELECT SUM(points) FROM ck_periods"))
    if not stored:
        fill(points)
        fill_rules()
        module_info.set_state("hashmap", True)  # noqa: FBT003
    with db.session_for_read() as session:
        for table in ("ck_periods", "ck_series", "ck_daily"):
            count = "SUM(points)" if table == "ck_periods" else "COUNT(*)"
            print(f"{table}: {session.scalar(sa.text(f'SELECT {count} FROM {table}'))}")


def change_rules(*, daily: bool) -> None:
    """Have a mapping end every day, or none."""
    with db.session_for_write() as session:
        session.execute(
            sa.text(
                'UPDATE hashmap_mappings SET "end" = NULL'.replace(
                    '"', "`" if session.get_bind().dialect.name == "mysql" else '"'
                )
            )
        )
        if daily:
            from cloudkitty.rating.hashmap import models

            found = session.scalars(sa.select(models.Mapping).limit(DAYS - 1)).all()
            for number, mapping in enumerate(found):
                mapping.end = timeutils.naive_local(
                    timeutils.from_epoch(MONTH) + dt.timedelta(days=number + 1)
                )


def measure(name: str) -> None:
    """Ask once, in this process."""
    storage = SQLAlchemyStorage()
    with db.session_for_read() as session:
        session.execute(sa.text("SELECT 1"))
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    found = coverage.look(storage, *map(timeutils.from_epoch, INTERVALS[name]))
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"{name:32} {found.ledger.points:>12,} points {seconds:8.2f} s "
        f"(CPU of this process {after.ru_utime - before.ru_utime:6.2f} s) "
        f"{(after.ru_maxrss - before.ru_maxrss) / 1024:8.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--keep", default="")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--measure", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        configure(options.database)
        measure(options.measure)
        return
    with tempfile.TemporaryDirectory(prefix="ck-bench-") as work:
        file = options.keep or f"{work}/bench.sqlite"
        database = options.database or f"sqlite:///{file}"
        configure(database)
        prepare(options.points)
        for name in INTERVALS:
            change_rules(daily="changes" in name)
            db.reset()
            subprocess.run(
                [sys.executable, Path(__file__), "--database", database, "--measure", name],
                check=True,
            )


if __name__ == "__main__":
    main()
