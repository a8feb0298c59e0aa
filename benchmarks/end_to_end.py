# SPDX-License-Identifier: Apache-2.0
"""From a local source to committed rows: the real processor against a real database.

    python benchmarks/end_to_end.py                         # SQLite, 2 workers
    python benchmarks/end_to_end.py --database URL          # an *empty* database
    python benchmarks/end_to_end.py --scopes 100 --metrics 10 --resources 10 --periods 24

Starts ``benchmarks/source.py`` and ``cloudkitty-processor`` as processes of their own. The time
runs from the first request that the source sees to the commit that moves the last scope on.
Prints points, points/s, requests, connections, peak memory and CPU time of the processor's
processes, and checks that every point is there once.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from oslo_config import cfg

from cloudkitty import conf as ck_conf
from cloudkitty import db, timeutils

CONF = """
[database]
connection = {database}
[collect]
collector = prometheus
period = {period}
wait_periods = 1
metrics_conf = {work}/metrics.yml
[collector_prometheus]
prometheus_url = http://127.0.0.1:{port}/api/v1
[fetcher]
backend = source
[fetcher_source]
sources = {sources}
[orchestrator]
max_workers = {workers}
max_workers_reprocessing = 0
coordination_url = file://{work}/locks
[oslo_concurrency]
lock_path = {work}/locks
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def seed_rules(metrics: int) -> int:
    """A rate card like those in use: a flat price per metric, and one per flavor for each."""
    from cloudkitty.db.models import ModuleState
    from cloudkitty.rating.hashmap import models

    count = 0
    with db.session_for_write() as session:
        session.add(ModuleState(name="hashmap", state=True, priority=1))
        for number in range(metrics):
            service = models.Service(name=f"bench_{number}")
            field = models.Field(name="flavor", service=service)
            session.add_all([service, field])
            start = timeutils.naive_local(timeutils.from_epoch(0))
            rules = [models.Mapping(service=service, cost=Decimal("0.0125"), map_type="flat")]
            rules += [
                models.Mapping(field=field, value=value, cost=cost, map_type="rate")
                for value, cost in zip(
                    [f"flavor-{i}" for i in range(16)] + ["m1.tiny", "m1.small", "m1.large"],
                    [Decimal("1.1")] * 16 + [Decimal("0.5"), Decimal(1), Decimal(2)],
                    strict=True,
                )
            ]
            for rule in rules:
                rule.start, rule.created_by, rule.created_at = start, "bench", start
            session.add_all(rules)
            count += len(rules)
    return count


def seed_states(scopes: list[str], last: int) -> None:
    from cloudkitty.state.models import IdentifierState

    with db.session_for_write() as session:
        session.add_all(
            IdentifierState(
                identifier=scope,
                scope_key="project_id",
                fetcher="source",
                collector="prometheus",
                last_processed_timestamp=timeutils.naive_utc(timeutils.from_epoch(last)),
                active=True,
            )
            for scope in scopes
        )


def used(pid: int) -> dict[int, tuple[int, float]]:
    """Peak resident KiB and CPU seconds by process, for `pid` and what it started."""
    tasks = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    found = {}
    for one in [pid, *map(int, tasks)]:
        try:
            for line in Path(f"/proc/{one}/status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    ticks = Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split()
                    cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
                    found[one] = int(line.split()[1]), cpu
        except OSError:
            continue
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--scopes", type=int, default=100)
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--resources", type=int, default=10)
    parser.add_argument("--periods", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ck-bench-") as work:
        return run(options, Path(work))


def run(options: argparse.Namespace, work: Path) -> int:
    period = 3600
    database = options.database or f"sqlite:///{work}/bench.sqlite"
    scopes = [f"{i:032x}" for i in range(1, options.scopes + 1)]
    port = free_port()
    (work / "metrics.yml").write_text(
        "metrics:\n"
        + "".join(
            f"  bench_{i}:\n    unit: unit\n    groupby: [id, user_id]\n    metadata: [flavor]\n"
            for i in range(options.metrics)
        ),
    )
    config = work / "cloudkitty.conf"
    config.write_text(
        CONF.format(
            database=database,
            work=work,
            port=port,
            sources=",".join(scopes),
            workers=options.workers,
            period=period,
        ),
    )
    bin_ = Path(sys.executable).parent
    for command in (["cloudkitty-dbsync", "upgrade"], ["cloudkitty-storage-init"]):
        subprocess.run(
            [bin_ / command[0], "--config-file", config, *command[1:]],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    ck_conf.register_opts(cfg.CONF)
    cfg.CONF(["--config-file", str(config)], project="cloudkitty")
    rules = seed_rules(options.metrics)
    # LPT such that exactly `periods` periods are due: a period at T is due when T + P < now.
    now = int(time.time())
    newest = (now - 1) // period * period - period
    seed_states(scopes, newest - options.periods * period)
    source = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("source.py")),
            "--port",
            str(port),
            "--resources",
            str(options.resources),
        ],
    )
    log = (work / "processor.log").open("w")
    time.sleep(1)
    processor = subprocess.Popen(
        [bin_ / "cloudkitty-processor", "--config-file", config],
        stdout=log,
        stderr=log,
    )
    try:
        finished, usage = wait(processor, newest, len(scopes))
        stats = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/stats"))
    finally:
        processor.terminate()
        processor.wait(30)
        source.terminate()
    if finished is None:
        print((work / "processor.log").read_text()[-4000:])
        return 1
    expected = options.scopes * options.metrics * options.resources * options.periods
    stored = count_points()
    seconds = finished - stats["first"]
    print(f"database          {sa.make_url(database).drivername}")
    print(f"workers           {options.workers}, {rules} mappings")
    print(f"points            {stored} stored, {expected} expected")
    print(f"seconds           {seconds:.2f}")
    print(f"points/s          {stored / seconds:,.0f}")
    print(f"requests          {stats['requests']} on {stats['connections'] - 1} connections")
    print(f"peak memory MiB   {[round(kib / 1024) for kib, _ in usage.values()]} (master, workers)")
    print(f"CPU seconds       {[cpu for _, cpu in usage.values()]} with the start")
    return 0 if stored == expected else 1


def wait(
    processor: subprocess.Popen,
    newest: int,
    scopes: int,
) -> tuple[float | None, dict[int, tuple[int, float]]]:
    """Wait until every scope is at `newest`; gives the moment and what the processes have used."""
    query = sa.text(
        "SELECT COUNT(*) FROM cloudkitty_storage_states WHERE last_processed_timestamp >= :t",
    ).bindparams(sa.bindparam("t", type_=sa.DateTime))
    deadline = time.time() + 600
    while time.time() < deadline and processor.poll() is None:
        with db.session_for_read() as session:
            done = session.execute(
                query,
                {"t": timeutils.naive_utc(timeutils.from_epoch(newest))},
            ).scalar()
        if done == scopes:
            finished = time.time()
            return finished, used(processor.pid)
        time.sleep(0.02)
    return None, {}


def count_points() -> int:
    with db.session_for_read() as session:
        return session.execute(sa.text("SELECT COUNT(*) FROM ck_points")).scalar()


if __name__ == "__main__":
    sys.exit(main())
