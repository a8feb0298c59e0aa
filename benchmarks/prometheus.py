# SPDX-License-Identifier: Apache-2.0
"""Collecting from a real Prometheus: in batches, and scope by scope and period by period.

    python benchmarks/prometheus.py                    # 1,000 scopes, 7 metrics, 2 resources
    python benchmarks/prometheus.py --resources 10 --interval 3600

A history is made up with promtool, one sample of each series per ``--interval`` seconds, and served
by a Prometheus that scrapes nothing. "Batch" is what the processor does: ``fetch_batch`` of 200
scopes at a time. "One by one" is ``fetch_all`` for each scope and period, 16 at a time. The larger
of the two ranges is measured one by one with a part of the scopes.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from oslo_config import cfg

from cloudkitty import conf as ck_conf
from cloudkitty.collector.base import BaseCollector, BatchQuery, get_collector
from cloudkitty.tests import prometheus

HOUR = 3600
START = 20000 * 86400
METRICS = 7


def history(scopes: list[str], resources: int, hours: int, interval: int) -> str:
    times = range(START - HOUR, START + hours * HOUR + interval, interval)
    return prometheus.openmetrics(
        prometheus.Family(
            f"bench_{metric}",
            [
                (
                    {
                        "project_id": scope,
                        "id": f"{scope[-6:]}-{number}",
                        "user_id": f"user-{scope[-4:]}",
                        "flavor": f"m1.{number % 4}",
                    },
                    [(when, number + 1) for when in times],
                )
                for scope in scopes
                for number in range(resources)
            ],
        )
        for metric in range(METRICS)
    )


def build(url: str) -> Any:
    ck_conf.register_opts(cfg.CONF)
    cfg.CONF([], project="benchmark", default_config_files=[], default_config_dirs=[])
    cfg.CONF.set_override("collector", "prometheus", group="collect")
    cfg.CONF.set_override("prometheus_url", url, group="collector_prometheus")
    metric = {"unit": "u", "groupby": ["id", "user_id"], "metadata": ["flavor"]}
    return get_collector(
        cfg.CONF, {"metrics": {f"bench_{number}": metric for number in range(METRICS)}}
    )


def counted(collector: Any) -> Iterator[int]:
    """Count the questions that the collector's client is asked from now on."""
    counter = itertools.count()
    client = collector._client  # noqa: SLF001

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            next(counter)
            return method(*args, **kwargs)

        return call

    client.query = counting(type(client).query.__get__(client))
    client.query_range = counting(type(client).query_range.__get__(client))
    return counter


def measure(name: str, collector: Any, scopes: list[str], periods: int, *, batch: bool) -> None:
    counter = counted(collector)
    begins = [START + k * HOUR for k in range(periods)]
    width = 200 if batch else len(scopes)
    fetch = type(collector).fetch_batch if batch else BaseCollector.fetch_batch
    points = 0
    cpu, started = time.process_time(), time.perf_counter()
    for metric in collector.conf:
        for first in range(0, len(scopes), width):
            query = BatchQuery(scopes[first : first + width], begins, HOUR)
            found = fetch(collector, metric, query)
            points += sum(len(s.begins) for series in found.values() for s in series)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    requests = next(counter)
    print(
        f"{name:<42} {points:>9,} points {requests:>7,} requests "
        f"({requests / periods:,.1f} per period) {seconds:>7.1f} s "
        f"{points / seconds:>9,.0f} points/s  {cpu / points * 1e6:>6.1f} us CPU per point"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scopes", type=int, default=1000)
    parser.add_argument("--resources", type=int, default=2)
    parser.add_argument("--periods", type=int, default=24)
    parser.add_argument("--interval", type=int, default=900)
    parser.add_argument("--sample", type=int, default=40, help="scopes of the longest measurement")
    options = parser.parse_args()
    scopes = [f"{number:032x}" for number in range(options.scopes)]
    text = history(scopes, options.resources, options.periods, options.interval)
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        with prometheus.running(text, Path(directory)) as url:
            del text
            collector = build(url)
            print(f"history made and served after {time.perf_counter() - started:.0f} s")
            some, n, p = scopes[: options.sample], options.scopes, options.periods
            measure(f"batch, {n} scopes, 1 period", collector, scopes, 1, batch=True)
            measure(f"one by one, {n} scopes, 1 period", collector, scopes, 1, batch=False)
            measure(f"batch, {n} scopes, {p} periods", collector, scopes, p, batch=True)
            measure(f"one by one, {len(some)} scopes, {p} periods", collector, some, p, batch=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB, the history's text included")


if __name__ == "__main__":
    main()
