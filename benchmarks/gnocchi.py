# SPDX-License-Identifier: Apache-2.0
"""Collecting from a real Gnocchi: in batches, and scope by scope and period by period.

    eval "$(tools/services.sh start gnocchi)"
    python benchmarks/gnocchi.py                    # 1,000 scopes, 7 metrics of 6 resource types

Every scope has one resource of each type of the shipped ``metrics.yml``, with measures every five
minutes for ``--periods`` hours; they are written first, which takes some minutes, and removed at
the end. "Batch" is what the processor does: all metrics of 200 scopes at the same time, each with
``fetch_batch``. "One by one" is ``fetch_all`` for each scope and period, 16 at a time, measured
with a part of the scopes. ``--changed`` of 100 scopes have a resource that changes in each period.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from oslo_config import cfg

from cloudkitty import conf as ck_conf
from cloudkitty.collector import metrics
from cloudkitty.collector.base import BaseCollector, BatchQuery, get_collector
from cloudkitty.tests import gnocchi

HOUR = 3600
START = 20000 * 86400
SHIPPED = Path(__file__).parent.parent / "etc" / "cloudkitty" / "metrics.yml"
RESOURCES = {
    "instance": ["cpu"],
    "image": ["image.size"],
    "volume": ["volume.size"],
    "instance_network_interface": ["network.outgoing.bytes.rate", "network.incoming.bytes.rate"],
    "network": ["ip.floating"],
    "ceph_account": ["radosgw.objects.size"],
}


def populate(server: gnocchi.Server, scopes: list[str], periods: int, changed: int) -> None:
    end = START + periods * HOUR
    for number, scope in enumerate(scopes):
        for kind, names in RESOURCES.items():
            restless = number % 100 < changed and kind == "instance"
            server.resource(
                kind,
                scope,
                started=START - HOUR,
                attributes={"flavor_name": "m1.0"} if kind == "instance" else {},
                metrics={name: gnocchi.constant(number, START, end) for name in names},
                revisions=[
                    (START + hour * HOUR + 1234, {"flavor_name": f"m1.{hour}"})
                    for hour in range(periods)
                    if restless
                ],
            )
        if number % 100 == 99:
            server.write()
    server.write()


def build(url: str) -> Any:
    ck_conf.register_opts(cfg.CONF)
    cfg.CONF([], project="benchmark", default_config_files=[], default_config_dirs=[])
    cfg.CONF.set_override("collector", "gnocchi", group="collect")
    for name, value in {"auth_type": "basic", "user": "admin", "endpoint": url}.items():
        cfg.CONF.set_override(f"gnocchi_{name}", value, group="collector_gnocchi")
    return get_collector(cfg.CONF, metrics.load(str(SHIPPED)))


def counted(collector: Any) -> Iterator[int]:
    """Count the requests of the collector's client from now on."""
    counter = itertools.count()
    client = collector._client  # noqa: SLF001
    send: Callable[..., Any] = type(client)._send.__get__(client)  # noqa: SLF001

    def counting(*args: Any, **kwargs: Any) -> Any:
        next(counter)
        return send(*args, **kwargs)

    client._send = counting  # noqa: SLF001
    return counter


def measure(name: str, collector: Any, scopes: list[str], periods: int, *, batch: bool) -> None:
    counter = counted(collector)
    begins = [START + k * HOUR for k in range(periods)]
    width = 200 if batch else len(scopes)
    fetch = type(collector).fetch_batch if batch else BaseCollector.fetch_batch
    points = 0
    cpu, started = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(len(collector.conf) if batch else 1) as pool:
        for first in range(0, len(scopes), width):
            query = BatchQuery(scopes[first : first + width], begins, HOUR)
            answers = [pool.submit(fetch, collector, key, query) for key in collector.conf]
            found = [series for answer in answers for series in answer.result().values()]
            points += sum(len(one.begins) for series in found for one in series)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    requests = next(counter)
    print(
        f"{name:<42} {points:>9,} points {requests:>7,} requests "
        f"({requests / periods * 1000 / len(scopes):,.0f} per period and 1,000 scopes) "
        f"{seconds:>7.1f} s {points / seconds:>9,.0f} points/s "
        f"{cpu / points * 1e6:>6.1f} us CPU per point",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scopes", type=int, default=1000)
    parser.add_argument("--periods", type=int, default=6)
    parser.add_argument("--changed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=50, help="scopes to ask for one by one")
    options = parser.parse_args()
    with gnocchi.server() as server:
        scopes = [server.project() for _ in range(options.scopes)]
        started = time.perf_counter()
        populate(server, scopes, options.periods, options.changed)
        print(f"written after {time.perf_counter() - started:.0f} s", flush=True)
        some, n, p = scopes[: options.sample], options.scopes, options.periods
        for periods in (1, p):
            # Each begins without knowing how much the source can answer.
            collector = build(server.url)
            measure(
                f"batch, {n} scopes, {periods} period(s)", collector, scopes, periods, batch=True
            )
            measure(
                f"one by one, {len(some)} scopes, {periods} period(s)",
                collector,
                some,
                periods,
                batch=False,
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
