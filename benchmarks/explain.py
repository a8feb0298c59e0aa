# SPDX-License-Identifier: Apache-2.0
"""What it takes to write rules down, and to explain prices by them, in this process.

    python benchmarks/explain.py                    # 205 and 10,000 mappings, SQLite
    python benchmarks/explain.py --database URL     # an *empty* database

For each number of mappings: writing the rule set down the first time, finding it written, the size
of its parts; explaining a page of 100 points of many projects, the first time and again, and a page
of one project. Rules and usage are those of ``rating.py``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import options as options_
from rating import START, make_rules, make_usage

from cloudkitty import conf as ck_conf
from cloudkitty import db, timeutils
from cloudkitty.db import models, module_info, schema
from cloudkitty.rating.explain.periods import Explainer
from cloudkitty.rating.modules import Rating
from cloudkitty.storage.base import get_storage
from cloudkitty.storage.v2.base import BaseStorage, Placed

PAGE = 100


def timed(function: Callable[..., Any], *args: Any) -> tuple[float, Any]:
    """Give milliseconds and the result."""
    began = time.perf_counter()
    result = function(*args)
    return (time.perf_counter() - began) * 1e3, result


def page(storage: BaseStorage, **filters: str) -> list[Placed]:
    """Read the first points."""
    begin = timeutils.from_epoch(START)
    day = {"begin": begin, "end": begin + dt.timedelta(days=1), "filters": filters or None}
    with storage.stream(**day, limit=PAGE) as (_total, points):
        return list(points)


def measure(mappings: int) -> None:
    """Print the figures for so many mappings."""
    make_rules(mappings)
    rating = Rating()
    rating.begin_batch()
    written, version = timed(rating.record)
    known, _ = timed(rating.record)
    size = sa.select(sa.func.sum(sa.func.length(models.RuleContent.data)))
    with db.session_for_read() as session:
        print(
            f"{mappings:6} mappings  written in {written:6.1f} ms  known in {known:5.3f} ms  "
            f"all parts so far {int(session.scalar(size)):,} bytes",
        )
    usages = list(make_usage(50, 10, 4))
    rating.rate(usages)
    for usage in usages:
        usage.rules_version = version
    storage = get_storage()
    storage.replace(usages, lambda _session: {usage.scope_id for usage in usages})
    for what, filters in (
        ("many projects", {}),
        ("again", {}),
        ("one project", {"project_id": f"{3:032x}"}),
    ):
        points = page(storage, **filters)
        took, found = timed(Explainer(storage, "project_id", everything=True).explain, points)
        assert all(one["reproduced"] for one in found)
        print(f"       {len(points)} points of {what:14} {took:6.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mappings", type=int, nargs="*", default=[205, 10_000])
    parser.add_argument("--database", metavar="URL")
    options = parser.parse_args()

    ck_conf.register_opts(cfg.CONF)
    cfg.CONF([], project="cloudkitty", default_config_files=[], default_config_dirs=[])
    options_.set_defaults(cfg.CONF)
    with tempfile.TemporaryDirectory() as directory:
        url = options.database or f"sqlite:///{directory}/explain.sqlite"
        cfg.CONF.set_override("connection", url, "database")
        schema.create_all(db.get_engine())
        module_info.set_state("hashmap", enabled=True)
        for mappings in options.mappings:
            measure(mappings)
        db.reset()


if __name__ == "__main__":
    main()
