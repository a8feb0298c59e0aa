# SPDX-License-Identifier: Apache-2.0
"""Writing and reading of the default storage, in this process.

    python benchmarks/storage.py                     # SQLite
    python benchmarks/storage.py --database URL      # an *empty* database
    python benchmarks/storage.py --profile           # where the time of commit() goes

Commits batches of rated usage (scopes x metrics x resources x 24 periods, a UTC day each) and then
asks for the totals and pages that the API asks for. Prints points/s and milliseconds.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
from decimal import Decimal

from oslo_config import cfg
from oslo_db import options as options_

from cloudkitty import conf as ck_conf
from cloudkitty import db, timeutils
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.db import schema
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.usage import ScopeUsage, Series

DAY = 86400
START = 20000 * DAY


def batch(options: argparse.Namespace, day: int) -> list[ScopeUsage]:
    begins = list(range(START + day * DAY, START + (day + 1) * DAY, 3600))
    found = []
    for scope in range(options.scopes):
        usage = ScopeUsage(f"{scope:032x}", 3600, begins)
        for metric in range(options.metrics):
            for resource in range(options.resources):
                qty = Decimal(f"{resource}.{metric}5")
                usage.series.append(
                    Series(
                        f"metric_{metric}",
                        "GiB",
                        ImmutableDict(
                            id=f"{scope}-{metric}-{resource}",
                            project_id=usage.scope_id,
                            user_id="u",
                        ),
                        ImmutableDict(flavor=f"m{resource % 4}"),
                        None,
                        True,  # noqa: FBT003
                        begins,
                        [qty] * len(begins),
                        [qty * Decimal("0.0125")] * len(begins),
                    ),
                )
        found.append(usage)
    return found


def timed(name: str, function) -> None:
    best = min(_once(function) for _ in range(3))
    print(f"{name:42} {best * 1000:9.1f} ms")


def _once(function) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--scopes", type=int, default=100)
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--resources", type=int, default=10)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ck-bench-") as work:
        ck_conf.register_opts(cfg.CONF)
        cfg.CONF([], project="cloudkitty", default_config_files=[])
        options_.set_defaults(cfg.CONF)
        cfg.CONF.set_override(
            "connection",
            options.database or f"sqlite:///{work}/bench.sqlite",
            "database",
        )
        schema.create_all(db.get_engine())
        run(options)


def run(options: argparse.Namespace) -> None:
    storage = SQLAlchemyStorage()
    profile = cProfile.Profile() if options.profile else None
    for day in range(options.days):
        usages = batch(options, day)
        points = sum(usage.points for usage in usages)
        scopes = {usage.scope_id for usage in usages}
        if profile and day:
            profile.enable()
        seconds = _once(
            lambda usages=usages, scopes=scopes: storage.commit(usages, lambda _s: scopes)
        )
        if profile:
            profile.disable()
        print(f"commit day {day}: {points} points, {points / seconds:,.0f} points/s")
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(20)
    limits = {
        "begin": timeutils.from_epoch(START + 1800),
        "end": timeutils.from_epoch(START + options.days * DAY),
    }
    one = {"project_id": f"{0:032x}"}
    timed("total, all projects", lambda: storage.total(**limits))
    timed("total by project", lambda: storage.total(groupby=["project_id"], **limits))
    timed(
        "total by project and type", lambda: storage.total(groupby=["project_id", "type"], **limits)
    )
    timed("one project by type", lambda: storage.total(groupby=["type"], filters=one, **limits))
    timed(
        "one project by type and resource",
        lambda: storage.total(groupby=["type", "id"], filters=one, **limits),
    )
    timed("one project by day", lambda: storage.total(groupby=["time-d"], filters=one, **limits))
    timed("one project by period", lambda: storage.total(groupby=["time"], filters=one, **limits))
    timed("first page of one project", lambda: storage.retrieve(filters=one, limit=100, **limits))
    timed("deep page, all projects", lambda: storage.retrieve(offset=points, limit=100, **limits))


if __name__ == "__main__":
    main()
