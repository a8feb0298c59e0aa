# SPDX-License-Identifier: Apache-2.0
"""Points that hashmap rates in a second, in this process.

    python benchmarks/rating.py                # 5, 50, 205 and 500 mappings
    python benchmarks/rating.py --periods 1    # as in the steady state, one period at a time
    python benchmarks/rating.py --profile      # where the time goes, with 205 mappings

The rules lie in an SQLite database and are read through ``Rating.begin_batch``, as for each batch
of the processor: that is the second figure. Seconds of the first are CPU time, so that others on
the machine do not count: rating waits for nothing.

Usage is that of an ordinary cloud: instances priced by flavour, volumes by type and with a volume
discount, images, networks and floating IPs by metric; one rule in ten is some tenant's own.
"""

from __future__ import annotations

import argparse
import cProfile
import datetime as dt
import pstats
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal

from oslo_config import cfg
from oslo_db import options as options_

from cloudkitty import conf as ck_conf
from cloudkitty import db
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.db import module_info, schema
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.modules import Rating
from cloudkitty.usage import ScopeUsage, Series

START = 20000 * 86400
LONG_AGO = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - rule dates are naive
METRICS = ("image.size", "instance", "ip.floating", "network.bytes", "volume.size")


def make_rules(mappings: int) -> None:
    """Store one mapping for each metric, and the others by flavour and volume type."""
    with db.session_for_write() as session:
        for model in (models.Mapping, models.Threshold, models.Field, models.Service):
            session.query(model).delete()
        services = {name: models.Service(name=name) for name in METRICS}
        session.add_all(services.values())
        session.flush()
        fields = [
            models.Field(name="flavor", service_id=services["instance"].id),
            models.Field(name="volume_type", service_id=services["volume.size"].id),
        ]
        session.add_all(fields)
        session.flush()
        for index in range(mappings):
            rule = models.Mapping(
                cost=Decimal(f"0.0{index + 1}25"),
                map_type="flat",
                start=LONG_AGO,
                created_by="b",
            )
            if index < len(METRICS):
                rule.service_id = services[METRICS[index]].id
            else:
                rule.field_id = fields[index % 2].id
                rule.value = f"kind{index // 2}"
                rule.tenant_id = f"{index % 200:032x}" if index % 10 == 0 else None
            session.add(rule)
        for level, rate in ((100, "0.9"), (1000, "0.8")):
            session.add(
                models.Threshold(
                    service_id=services["volume.size"].id,
                    level=Decimal(level),
                    cost=Decimal(rate),
                    map_type="rate",
                ),
            )


def make_usage(scopes: int, resources: int, periods: int) -> Iterator[ScopeUsage]:
    """Give usage of every metric by every scope."""
    begins = [START + 3600 * period for period in range(periods)]
    for scope in range(scopes):
        usage = ScopeUsage(f"{scope:032x}", 3600, begins)
        for metric in METRICS:
            for resource in range(resources):
                kind = f"kind{(scope + resource) % 120}"
                qty = Decimal(f"{(scope * 7 + resource * 31) % 2000}.{resource % 10}")
                usage.series.append(
                    Series(
                        metric,
                        "unit",
                        ImmutableDict(
                            id=f"{scope}-{metric}-{resource}",
                            project_id=usage.scope_id,
                            user_id="u",
                        ),
                        ImmutableDict(flavor=kind, volume_type=kind, name=f"r{resource}"),
                        None,
                        True,  # noqa: FBT003
                        begins,
                        [qty + period for period in range(periods)],
                        [Decimal(0)] * periods,
                    ),
                )
        yield usage


def measure(
    options: argparse.Namespace,
    mappings: int,
    profile: cProfile.Profile | None = None,
) -> None:
    """Print the figures for so many mappings, and where the time goes."""
    make_rules(mappings)
    rating = Rating()
    rating.begin_batch()
    again = time.perf_counter()
    rating.begin_batch()
    again = time.perf_counter() - again
    usages = list(make_usage(options.scopes, options.resources, options.periods))
    points = sum(usage.points for usage in usages)
    best = 0.0
    for _ in range(options.rounds):
        for usage in usages:
            for series in usage.series:
                series.prices = [Decimal(0)] * options.periods
        began = time.process_time()
        rating.rate(usages)
        best = max(best, points / (time.process_time() - began))
    print(f"{mappings:5} mappings  {best:11,.0f} points/s  rules read in {again * 1e3:6.1f} ms")
    if profile is not None:
        profile.runcall(rating.rate, usages)
        pstats.Stats(profile).sort_stats("tottime").print_stats(12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scopes", type=int, default=200)
    parser.add_argument("--resources", type=int, default=10, help="resources of a scope and metric")
    parser.add_argument("--periods", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mappings", type=int, nargs="*", default=[5, 50, 205, 500])
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()

    ck_conf.register_opts(cfg.CONF)
    cfg.CONF([], project="cloudkitty", default_config_files=[], default_config_dirs=[])
    options_.set_defaults(cfg.CONF)
    with tempfile.TemporaryDirectory() as directory:
        cfg.CONF.set_override("connection", f"sqlite:///{directory}/rating.sqlite", "database")
        schema.create_all(db.get_engine())
        module_info.set_state("hashmap", enabled=True)
        if options.profile:
            measure(options, 205, cProfile.Profile())
        else:
            for mappings in options.mappings:
                measure(options, mappings)
        db.reset()


if __name__ == "__main__":
    main()
