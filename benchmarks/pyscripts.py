# SPDX-License-Identifier: Apache-2.0
"""Points that a three-line script rates in a second: in this process, and isolated.

    python benchmarks/pyscripts.py                # 1000 scopes of 20 points, one period
    python benchmarks/pyscripts.py --periods 24   # a day to catch up
    python benchmarks/pyscripts.py --points 5     # small scopes

Each way begins and ends with usage as the processor has it. "Frames" is the simplest way: a data
frame for each scope and period is made into a dict, given to the script, and read back.
"In-process" is the engine that the isolated process has, called here. "Isolated" is what the
processor does.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from oslo_config import cfg

from cloudkitty import conf as ck_conf
from cloudkitty.dataframe import DataFrame, ImmutableDict
from cloudkitty.rating.pyscripts import PyScripts, jobs
from cloudkitty.rating.pyscripts.isolation import shared
from cloudkitty.rating.pyscripts.scripts import Script, Scripts
from cloudkitty.sandbox.confine import Limits
from cloudkitty.sandbox.engine import Engine, Source
from cloudkitty.sandbox.guard import Guard
from cloudkitty.usage import ScopeUsage, Series

START = 20000 * 86400
HOUR = 3600
SCRIPT = b"""
for points in data['usage'].values():
    for p in points:
        p['rating']['price'] += p['vol']['qty'] * (3 if p['metadata'].get('flavor') == 'k1' else 2)
"""
SOURCE = Source("bench", "bench", SCRIPT)


# The one script, without a database.
MODULE = PyScripts()
MODULE._scripts = Scripts(  # noqa: SLF001
    [Script(SOURCE.key, 1, SOURCE.name, dt.datetime(2000, 1, 1), None)],  # noqa: DTZ001
    {SOURCE.key: SOURCE},
)


def cloud(scopes: int, points: int, periods: int) -> list[ScopeUsage]:
    begins = [START + i * HOUR for i in range(periods)]
    return [
        ScopeUsage(
            f"{scope:032x}",
            HOUR,
            begins,
            [
                Series(
                    "instance",
                    "instance",
                    ImmutableDict(project_id=f"{scope:032x}", id=f"{scope}-{number}"),
                    ImmutableDict(flavor=f"k{number % 3}", image="i1", host="h7", state="active"),
                    begins=list(begins),
                    qtys=[Decimal("1.5")] * periods,
                    prices=[Decimal(0)] * periods,
                )
                for number in range(points)
            ],
        )
        for scope in range(scopes)
    ]


def by_frames(usages: list[ScopeUsage]) -> None:
    code = compile(SCRIPT, "<PyScripts: bench>", "exec")
    for usage in usages:
        rated = []
        for frame in usage.frames():
            left = {"data": frame.as_dict(mutable=True)}
            exec(code, left)
            rated.append(DataFrame.from_dict(left["data"]))
        usage.replace_from_frames(rated)


def in_process(usages: list[ScopeUsage]) -> None:
    engine = Engine(Guard(Limits(0, 0, 0, network=True, imports=None, user=None)))
    engine.use([SOURCE])
    # The engine keeps what scripts print.
    with contextlib.redirect_stdout(sys.stdout), contextlib.redirect_stderr(sys.stderr):
        for usage in usages:
            job = jobs.of_usage(usage, lambda _begin: ("bench",))
            assert job is not None
            answer = engine.rate(job, lambda _period, _script: None)
            jobs.apply(usage, job, jobs.parsed(job, answer))


def isolated(usages: list[ScopeUsage]) -> None:
    assert not MODULE.rate_usages(usages)


def used_cpu() -> tuple[float, float]:
    """CPU seconds of this process, and of the one for scripts."""
    running = shared()._process  # noqa: SLF001
    assert running is not None
    fields = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time(), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scopes", type=int, default=1000)
    parser.add_argument("--points", type=int, default=20, help="of a scope, in a period")
    parser.add_argument("--periods", type=int, default=1)
    parser.add_argument("--batch", type=int, default=40_000, help="points at once")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    ck_conf.register_opts(cfg.CONF)
    cfg.CONF([], project="benchmark", default_config_files=[])
    begun = time.perf_counter()
    shared().check(SOURCE)
    print(f"start of the process: {1000 * (time.perf_counter() - begun):.0f} ms")
    total = args.scopes * args.points * args.periods
    at_once = max(1, args.batch // (args.points * args.periods))
    ways: dict[str, Callable[[list[ScopeUsage]], None]] = {
        "frames": by_frames,
        "in-process": in_process,
        "isolated": isolated,
    }
    prices = set()
    for name, way in ways.items():
        seconds, cpu = [], []
        for _ in range(args.repeat):
            usages = cloud(args.scopes, args.points, args.periods)
            begun, used = time.perf_counter(), used_cpu()
            for first in range(0, len(usages), at_once):
                way(usages[first : first + at_once])
            seconds.append(time.perf_counter() - begun)
            cpu.append([after - before for after, before in zip(used_cpu(), used, strict=True)])
        prices.add(sum(p for u in usages for s in u.series for p in s.prices))
        own, scripts = (1e6 * min(each) / total for each in zip(*cpu, strict=True))
        print(
            f"{name:12} {total / min(seconds):10,.0f} points/s, CPU for a point: "
            f"{own:.1f} µs here, {scripts:.1f} µs in the process for scripts"
        )
    assert len(prices) == 1, prices
    shared().close()


if __name__ == "__main__":
    main()
