# SPDX-License-Identifier: Apache-2.0
"""What label joins cost: the same usage from a real Prometheus, without and with joins.

    python benchmarks/joins.py                 # a day of 200 scopes
    python benchmarks/joins.py --periods 1     # as in the steady state, one period at a time

Every series of the history has its domain and its project, so that the same points can be had
without a join (plain), with the project and the flavor from an info metric (scope), and with the
flavor alone from there (label). All metrics of a batch are asked for as the processor does it, by
its own code; the info metric counts once per batch, however many metrics use it.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import requests
from oslo_config import cfg

from cloudkitty import conf as ck_conf
from cloudkitty.collector.base import get_collector
from cloudkitty.processor.gather import Gatherer
from cloudkitty.processor.planner import Batch
from cloudkitty.processor.sizes import Density
from cloudkitty.prometheus.client import PrometheusClient
from cloudkitty.tests import prometheus

START = 1709251200
HOUR = 3600
REQUESTS: list[str] = []


def history(options: argparse.Namespace) -> str:
    """Give usage of every domain, and who owns it, with a sample every ten minutes."""
    domains = [
        (f"instance-{scope:04}-{number:03}", f"project-{scope:04}", f"flavor-{number % 4}")
        for scope in range(options.scopes)
        for number in range(options.domains)
    ]
    times = range(START + 30, START + options.periods * HOUR, 600)
    info = [
        (
            {"domain": d, "project_id": p, "flavor_name": f, "instance_name": f"vm-{d}"},
            [(t, 1) for t in times],
        )
        for d, p, f in domains
    ]
    families = [prometheus.Family("libvirt_domain_openstack_info", info)]
    for metric in range(options.metrics):
        series = [
            ({"domain": d, "project_id": p}, [(t, t % 7 + metric) for t in times])
            for d, p, _flavor in domains
        ]
        families.append(prometheus.Family(f"libvirt_{metric}", series))
    return prometheus.openmetrics(families)


def definitions(kind: str, metrics: int) -> dict[str, Any]:
    join = {"source": "prometheus", "metric": "libvirt_domain_openstack_info", "on": ["domain"]}
    given = {
        "plain": [],
        "scope": [{**join, "groupby": ["project_id"], "metadata": ["flavor_name"]}],
        "label": [{**join, "metadata": ["flavor_name"]}],
    }[kind]
    one: dict[str, Any] = {"unit": "u", "groupby": ["domain"], "joins": given}
    if not given:
        del one["joins"]
    return {f"libvirt_{metric}": one for metric in range(metrics)}


def server_seconds(url: str) -> float:
    """Give the CPU time that Prometheus has taken so far."""
    text = requests.get(url.replace("/api/v1", "/metrics"), timeout=60).text
    return float(re.search(r"^process_cpu_seconds_total (.*)$", text, re.MULTILINE)[1])


def measure(kind: str, url: str, options: argparse.Namespace) -> None:
    scopes = {f"project-{scope:04}": None for scope in range(options.scopes)}
    begins = range(START, START + options.periods * HOUR, HOUR)
    best: tuple[float, float, float, int, int] | None = None
    for _ in range(options.runs):
        # Built anew, so that nothing is remembered.
        collector = get_collector(cfg.CONF, {"metrics": definitions(kind, options.metrics)})
        gatherer = Gatherer(
            collector, Density(10_000_000), threading.Event(), threads=16, timeout=600
        )
        REQUESTS.clear()
        server, cpu, clock = server_seconds(url), time.process_time(), time.perf_counter()
        gathered = gatherer.gather(Batch(scopes, begins, HOUR))
        seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
        server = server_seconds(url) - server
        gatherer.close()
        assert not gathered.failed, gathered.failed
        points = sum(usage.points for usage in gathered.usages)
        found = cpu, seconds, server, points, len(REQUESTS)
        best = min(best or found, found)
    cpu, seconds, server, points, sent = best
    print(
        f"{kind:6} {sent:4} requests  {points:8} points  {seconds:6.2f} s"
        f"  {points / seconds:9,.0f} points/s  CPU per point {cpu / points * 1e6:5.2f} us,"
        f" of Prometheus {server / points * 1e6:5.2f} us"
    )


def counted(method: Any) -> Any:
    def count(self: PrometheusClient, promql: str, *args: Any, **kwargs: Any) -> Any:
        REQUESTS.append(promql)
        return method(self, promql, *args, **kwargs)

    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scopes", type=int, default=200)
    parser.add_argument("--domains", type=int, default=10, help="of each scope")
    parser.add_argument("--metrics", type=int, default=7)
    parser.add_argument("--periods", type=int, default=24)
    parser.add_argument(
        "--runs", type=int, default=3, help="of which the one with the least CPU time counts"
    )
    options = parser.parse_args()
    ck_conf.register_opts(cfg.CONF)
    PrometheusClient.query = counted(PrometheusClient.query)
    PrometheusClient.query_range = counted(PrometheusClient.query_range)
    with (
        tempfile.TemporaryDirectory() as directory,
        prometheus.running(history(options), Path(directory)) as url,
    ):
        cfg.CONF([], project="cloudkitty", default_config_files=[])
        cfg.CONF.set_override("collector", "prometheus", "collect")
        cfg.CONF.set_override("prometheus_url", url, "collector_prometheus")
        for kind in ("plain", "scope", "label"):
            measure(kind, url, options)


if __name__ == "__main__":
    main()
