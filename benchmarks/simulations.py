# SPDX-License-Identifier: Apache-2.0
"""A month of a cloud rated anew by a draft of rules, from what is stored.

    python benchmarks/simulations.py                      # SQLite
    python benchmarks/simulations.py --database URL       # an *empty* database, or one filled so
    python benchmarks/simulations.py --keep FILE          # SQLite file that is filled once
    python benchmarks/simulations.py --changing 7         # no series keeps its quantity

Stores 30 days of 1,000 projects with 7 series each (5 million points), two of which have another
quantity every hour, as measured traffic does. They are rated by hashmap as they are stored. Then
simulations run, each in a process of its own: by the same rules, which must change nothing to the
last digit, by dearer ones, with a threshold that only looking at points can tell, and with a script
(on a twentieth of the projects). Prints seconds, points per second and peak memory of the process.
"""

from __future__ import annotations

import argparse
import cProfile
import datetime as dt
import json
import pstats
import random
import resource
import subprocess
import sys
import tempfile
import time
from decimal import Decimal

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import options as options_

from cloudkitty import conf as ck_conf
from cloudkitty import db
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.db import schema
from cloudkitty.rating import document
from cloudkitty.rating.hashmap.tariff import Tariffs
from cloudkitty.simulation import simulate
from cloudkitty.state.simulations import Question
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.usage import ScopeUsage, Series

PROJECTS = 1000
METRICS = ("instance", "volume", "image", "floating", "router", "traffic.in", "traffic.out")
DAYS = 30
HOUR = 3600
MONTH = int(dt.datetime(2026, 6, 1, tzinfo=dt.UTC).timestamp())

LIVE = """
modules: {hashmap: {enabled: true}}
hashmap:
  services:
    instance:
      fields:
        flavor:
          mappings:
            - {value: m0, cost: 0.0135}
            - {value: m1, cost: 0.027}
            - {value: m2, cost: 0.054, end: "2026-06-16T00:00:00"}
            - {value: m2, cost: 0.05, start: "2026-06-16T00:00:00"}
            - {value: m3, cost: 0.108}
    volume: {mappings: [{cost: 0.000137}]}
    image: {mappings: [{cost: 0.00005}]}
    floating: {mappings: [{cost: 0.005}]}
    traffic.in: {mappings: [{cost: 0.00000001}]}
    traffic.out: {mappings: [{cost: 0.00000009}]}
"""
DEARER = LIVE.replace("0.000137", "0.00015").replace("0.00000009", "0.0000001")
VOLUME = DEARER.replace(
    "traffic.out: {mappings: [{cost: 0.0000001}]}",
    "traffic.out: {mappings: [{cost: 0.0000001}], thresholds: [{level: 50000, cost: 0.8, "
    "type: rate}]}",
)
SCRIPT = (
    DEARER.replace("{enabled: true}}", "{enabled: true}, pyscripts: {enabled: true}}")
    + """
pyscripts:
  - name: discount
    data: |
      for point in data["usage"].get("traffic.out", []):
          if point["vol"]["qty"] > 50000:
              point["rating"]["price"] *= 8
              point["rating"]["price"] /= 10
"""
)
#: Name -> rules, groupby, every how many projects.
RUNS = {
    "the same rules, by project": (LIVE, ["project_id"], 1),
    "dearer, by project": (DEARER, ["project_id"], 1),
    "dearer, by project and type": (DEARER, ["project_id", "type"], 1),
    "dearer, by type and day": (DEARER, ["type", "time-d"], 1),
    "with a threshold, by project": (VOLUME, ["project_id"], 1),
    "with a script, 50 projects": (SCRIPT, ["project_id"], 20),
}


def prepare(database: str) -> None:
    ck_conf.register_opts(cfg.CONF)
    options_.set_defaults(cfg.CONF)
    cfg.CONF([], project="cloudkitty", default_config_files=[])
    cfg.CONF.set_override("connection", database, group="database")


def fill(changing: int) -> None:
    storage = SQLAlchemyStorage()
    tariffs = Tariffs(document.loads(LIVE).hashmap)
    numbers = random.Random(7)
    scopes = [f"{number:032x}" for number in range(PROJECTS)]
    for day in range(DAYS):
        begins = [MONTH + day * 86400 + hour * HOUR for hour in range(24)]
        for some in range(0, PROJECTS, 100):
            batch = [usage(scope, begins, numbers, changing) for scope in scopes[some : some + 100]]
            for one in batch:
                tariffs.rate(one)
            moved = [one.scope_id for one in batch]
            storage.commit(batch, lambda _session, moved=moved: moved)


def usage(scope: str, begins: list[int], numbers: random.Random, changing: int) -> ScopeUsage:
    found = ScopeUsage(scope, HOUR, begins)
    for place, metric in enumerate(METRICS):
        if len(METRICS) - place <= changing:
            qtys = [Decimal(str(round(numbers.random() * 100_000, 6))) for _ in begins]
        else:
            qtys = [Decimal(int(scope, 16) % 40 + 1) if metric == "volume" else Decimal(1)] * 24
        found.series.append(
            Series(
                metric,
                "unit",
                ImmutableDict(id=f"{scope}-{metric}", project_id=scope, user_id="u"),
                ImmutableDict(flavor=f"m{int(scope, 16) % 4}"),
                begins=begins,
                qtys=qtys,
                prices=[Decimal(0)] * 24,
            ),
        )
    return found


def measure(name: str, profile: str) -> None:
    rules, groupby, every = RUNS[name]
    scopes = [f"{number:032x}" for number in range(0, PROJECTS, every)]
    question = Question(
        first=MONTH,
        stop=MONTH + DAYS * 86400,
        groupby=groupby,
        filters={"project_id": scopes} if every > 1 else {},
        rules=rules,
    )
    storage = SQLAlchemyStorage()
    found = document.loads(rules)
    profiler = cProfile.Profile()
    started, cpu = time.perf_counter(), time.process_time()
    if profile:
        profiler.enable()
    outcome = simulate(storage, question, found, lambda _part: None)
    profiler.disable()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if profile:
        pstats.Stats(profiler).sort_stats(profile).print_stats(25)
    if rules is LIVE:
        assert all(row.current == row.simulated for row in outcome.rows), "there is a difference"
    answer = outcome.answer
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu": cpu,
                "points": answer["points"],
                "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "rows": len(outcome.rows),
                "current": answer["current"],
                "simulated": answer["simulated"],
            },
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--keep", default="")
    parser.add_argument("--changing", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--profile", default="", help="sort order of a profile, e.g. tottime")
    parser.add_argument("--measure", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        prepare(options.database)
        measure(options.measure, options.profile)
        return
    with tempfile.TemporaryDirectory(prefix="ck-bench-") as work:
        run(options, work)


def run(options: argparse.Namespace, work: str) -> None:
    database = options.database or f"sqlite:///{options.keep or f'{work}/bench.sqlite'}"
    prepare(database)
    schema.create_all(db.get_engine())
    with db.session_for_read() as session:
        stored = session.scalar(sa.text("SELECT SUM(points) FROM ck_periods")) or 0
    if not stored:
        started = time.perf_counter()
        fill(options.changing)
        print(f"filled in {time.perf_counter() - started:.0f} s")
    print(f"{sa.make_url(database).drivername}, {options.changing} of 7 series change")
    print(
        f"{'':32}{'points':>11}{'groups':>8}{'seconds':>16}{'CPU':>8}{'points/s':>12}{'memory':>10}"
    )
    for name in RUNS:
        if options.only not in name:
            continue
        found = []
        for _ in range(options.runs):
            command = [sys.executable, __file__, "--measure", name, "--database", database]
            if options.profile:
                command += ["--profile", options.profile]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            *said, last = done.stdout.strip().split("\n")
            print("\n".join(said), end="\n" if said else "")
            found.append(json.loads(last))
        seconds = [one["seconds"] for one in found]
        fastest, one = min(seconds), found[0]
        spread = f"{fastest:.1f} to {max(seconds):.1f}"
        print(
            f"{name:32}{one['points']:>11,}{one['rows']:>8,}{spread:>16}{one['cpu']:>8.1f}"
            f"{one['points'] / fastest:>12,.0f}{one['memory']:>6.0f} MiB",
        )


if __name__ == "__main__":
    main()
