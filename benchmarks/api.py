# SPDX-License-Identifier: Apache-2.0
"""Latency and throughput of the API over a month of rated usage.

    python benchmarks/api.py                              # SQLite, 1 million points
    python benchmarks/api.py --points 10000000
    python benchmarks/api.py --database URL               # an *empty* database
    python benchmarks/api.py --keep FILE                  # SQLite file that is filled once

Fills the storage with 30 days of 100 projects and 7 metrics (as many resources as make up the
points), stores 500 mappings, starts
``cloudkitty-api`` with two workers and asks over HTTP, with one client and with eight at a time.
Prints the median and the 99th percentile of the latency, and requests per second; with ``--runs``
the median of each over several runs, one after the other through all questions. The CPU time is
that of the workers for one request of a single client; a database server is not in it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path

import requests
import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import options as options_

from cloudkitty import conf as ck_conf
from cloudkitty import db
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.rating.hashmap import models as rules
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.usage import ScopeUsage, Series

PROJECTS = 100
METRICS = 7
DAYS = 30
HOUR = 3600
CLIENTS = (1, 8)
#: A month that is over: what "this month" is differs by the day of the run.
MONTH = int(dt.datetime(2026, 6, 1, tzinfo=dt.UTC).timestamp())
LIMITS = "begin=2026-06-01T00:00:00Z&end=2026-06-30T23:59:59Z"
PROJECT = f"{7:032x}"

CONF = """
[DEFAULT]
auth_strategy = noauth
api_paste_config = {paste}
[database]
connection = {database}
"""

ONE = f"{LIMITS}&filters=project_id:{PROJECT}"
QUESTIONS = {
    "month of one project, by type": f"/v2/summary?{ONE}&groupby=type",
    "month of one project, by day": f"/v2/summary?{ONE}&groupby=time-d",
    "month of all, by project and type": f"/v2/summary?{LIMITS}&groupby=project_id,type&limit=1000",
    "month of all, total": f"/v2/summary?{LIMITS}",
    "first page of frames, all": f"/v2/dataframes?{LIMITS}&limit=100",
    "deep page of frames, all": f"/v2/dataframes?{LIMITS}&limit=100&offset={{deep}}",
    "deep page of one project": f"/v2/dataframes?{ONE}&limit=100&offset={{deep_one}}",
    "list of 500 mappings": "/v1/rating/module_config/hashmap/mappings",
}


def fill(points: int) -> None:
    storage = SQLAlchemyStorage()
    resources = max(1, round(points / (PROJECTS * METRICS * DAYS * 24)))
    scopes = [f"{number:032x}" for number in range(PROJECTS)]
    for day in range(DAYS):
        begins = [MONTH + day * 86400 + hour * HOUR for hour in range(24)]
        for some in range(0, PROJECTS, 20):
            batch = [usage(scope, begins, resources) for scope in scopes[some : some + 20]]
            moved = [one.scope_id for one in batch]
            storage.commit(batch, lambda _session, moved=moved: moved)


def usage(scope: str, begins: list[int], resources: int) -> ScopeUsage:
    found = ScopeUsage(scope, HOUR, begins)
    for metric in range(METRICS):
        for resource in range(resources):
            qty = Decimal(f"{resource % 50}.{metric}5")
            price = qty * Decimal("0.0125")
            found.series.append(
                Series(
                    f"metric.{metric}",
                    "GiB",
                    ImmutableDict(id=f"{scope}-{metric}-{resource}", project_id=scope, user_id="u"),
                    ImmutableDict(flavor=f"m{resource % 4}"),
                    None,
                    True,  # noqa: FBT003
                    begins,
                    [qty] * 24,
                    [price] * 24,
                ),
            )
    return found


def fill_rules() -> None:
    with db.session_for_write() as session:
        service = rules.Service(name="metric.0")
        field = rules.Field(name="flavor", service=service)
        session.add_all([service, field])
        start = dt.datetime(2020, 1, 1)  # noqa: DTZ001 - rule dates are naive
        session.add_all(
            rules.Mapping(
                field=field,
                value=f"m{number}",
                cost=Decimal(number),
                map_type="flat",
                start=start,
                created_by="bench",
                created_at=start,
            )
            for number in range(500)
        )


def ask(base: str, path: str, clients: int, seconds: float) -> tuple[list[float], float]:
    latencies: list[float] = []
    failures: list[str] = []
    stop = time.perf_counter() + seconds

    def client() -> None:
        with requests.Session() as session:
            while time.perf_counter() < stop and not failures:
                started = time.perf_counter()
                response = session.get(base + path, timeout=120)
                latencies.append(time.perf_counter() - started)
                if response.status_code != 200:
                    failures.append(f"{path}: {response.status_code} {response.text[:200]}")

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(failures[0])
    return latencies, len(latencies) / (time.perf_counter() - begun)


def measure(
    server: int, base: str, path: str, clients: int, seconds: float
) -> tuple[float, float, float, float]:
    """Give median and 99th percentile of the latency, requests per second, and CPU of a request."""
    before = cpu_seconds(server)
    latencies, rate = ask(base, path, clients, seconds)
    cpu = (cpu_seconds(server) - before) / len(latencies)
    cuts = statistics.quantiles(latencies, n=100) if len(latencies) > 1 else latencies * 99
    return cuts[49], cuts[98], rate, cpu


def cpu_seconds(server: int) -> float:
    """Give the CPU time that the workers of a server have used."""
    ticks = 0
    children = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii")
    for child in children.split():
        stat = Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        ticks += sum(map(int, stat.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--keep", default="")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ck-bench-") as work:
        run(options, Path(work))


def run(options: argparse.Namespace, work: Path) -> None:
    file = options.keep or f"{work}/bench.sqlite"
    database = options.database or f"sqlite:///{file}"
    config = work / "cloudkitty.conf"
    paste = Path(__file__).parents[1] / "etc" / "cloudkitty" / "api_paste.ini"
    config.write_text(CONF.format(database=database, paste=paste))
    bin_ = Path(sys.executable).parent
    for command in (["cloudkitty-dbsync", "upgrade"], ["cloudkitty-storage-init"]):
        subprocess.run(
            [bin_ / command[0], "--config-file", config, *command[1:]],
            check=True,
            capture_output=True,
        )
    ck_conf.register_opts(cfg.CONF)
    options_.set_defaults(cfg.CONF)
    cfg.CONF(["--config-file", str(config)], project="cloudkitty")
    with db.session_for_read() as session:
        stored = session.scalar(sa.text("SELECT SUM(points) FROM ck_periods")) or 0
    if not stored:
        started = time.perf_counter()
        fill(options.points)
        fill_rules()
        with db.session_for_read() as session:
            stored = session.scalar(sa.text("SELECT SUM(points) FROM ck_periods"))
        print(f"{stored} points stored in {time.perf_counter() - started:.0f} s")
    db.reset()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    server = subprocess.Popen(
        [bin_ / "cloudkitty-api", "--config-file", config, "--port", str(port), "--workers", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        wait(base)
        print(f"{sa.make_url(database).drivername}, {stored} points")
        print(
            f"{'':36}{'1 client: p50':>14}{'p99':>10}{'req/s':>8}{'CPU':>10}"
            f"{'8 clients: p50':>16}{'p99':>10}{'req/s':>8}",
        )
        found: dict[tuple[str, int], list[tuple[float, ...]]] = {}
        for _run in range(options.runs):
            for name, path in QUESTIONS.items():
                asked = path.format(deep=int(stored) - 150, deep_one=int(stored) // PROJECTS - 150)
                for clients in CLIENTS:
                    measured = measure(server.pid, base, asked, clients, options.seconds)
                    found.setdefault((name, clients), []).append(measured)
        for name in QUESTIONS:
            line = f"{name:36}"
            for clients, width in zip(CLIENTS, (14, 16), strict=True):
                median, slow, rate, cpu = map(
                    statistics.median, zip(*found[name, clients], strict=True)
                )
                line += f"{median * 1000:{width - 3}.1f} ms{slow * 1000:7.1f} ms{rate:8.0f}"
                if clients == 1:
                    line += f"{cpu * 1000:7.1f} ms"
            print(line)
    finally:
        server.terminate()
        server.wait(30)


def wait(base: str) -> None:
    for _ in range(200):
        try:
            if requests.get(base + "/", timeout=5).status_code in {200, 300}:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise SystemExit("the API does not answer")


if __name__ == "__main__":
    main()
