# SPDX-License-Identifier: Apache-2.0
"""Taking over a large database of CloudKitty 25.0.0.

    python benchmarks/adoption.py                        # SQLite
    python benchmarks/adoption.py --database URL         # an *empty* database
    python benchmarks/adoption.py --state head           # at the last revisions, as on MariaDB

Makes the tables as 25.0.0 leaves them, a million rows of storage version 1 and 100,000 mappings in
them, and runs what ``cloudkitty-dbsync upgrade`` does: a dry run, the upgrade, and the upgrade
again. Prints seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import io
import json
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import options as options_

from cloudkitty import conf as ck_conf
from cloudkitty import db
from cloudkitty.cli import modules, upgrade
from cloudkitty.tests.db import old_databases, old_rows

CHUNK = 10_000
BEGIN = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - the column has no zone


def fill(points: int, mappings: int, *, windows: bool) -> None:
    old_rows.insert(
        "hashmap_services", {"id": 1, "service_id": old_rows.uuid(1), "name": "instance"}
    )
    old_rows.insert(
        "hashmap_fields",
        {"id": 1, "field_id": old_rows.uuid(2), "name": "flavor", "service_id": 1},
    )
    sqlite = db.get_engine().dialect.name == "sqlite"
    for start in range(0, mappings, CHUNK):
        old_rows.insert(
            "hashmap_mappings",
            *(
                {
                    "mapping_id": old_rows.uuid(n + 100),
                    "value": f"flavor-{n}",
                    "cost": n / 1000 if sqlite else Decimal(n) / 1000,
                    "map_type": "flat",
                    "field_id": 1,
                    **({"name": f"{n:032x}", "created_by": "admin"} if windows else {}),
                }
                for n in range(start, min(start + CHUNK, mappings))
            ),
        )
    for start in range(0, points, CHUNK):
        insert_points(start, min(start + CHUNK, points))


def insert_points(start: int, stop: int) -> None:
    names = ("begin", "end", "unit", "qty", "res_type", "rate", "desc", "tenant_id")
    date = sa.DateTime()
    columns = [sa.column(n, date if n in {"begin", "end"} else None) for n in names]
    hour = dt.timedelta(hours=1)
    rows = [
        {
            "begin": BEGIN + hour * (n // 1000),
            "end": BEGIN + hour * (n // 1000 + 1),
            "unit": "instance",
            "qty": 1,
            "res_type": "instance",
            "rate": 0.25,
            "desc": json.dumps({"flavor": "m1", "id": f"i-{n % 1000}", "project_id": "p"}),
            "tenant_id": f"{n % 100:032x}",
        }
        for n in range(start, stop)
    ]
    with db.get_engine().begin() as connection:
        connection.execute(sa.insert(sa.table("rated_data_frames", *columns)), rows)


def timed(name: str, function: Callable[[], None]) -> None:
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        function()
    print(f"{name:12} {time.perf_counter() - started:8.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="")
    parser.add_argument("--state", choices=["half", "head"], default="half")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--mappings", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ck-bench-") as work:
        ck_conf.register_opts(cfg.CONF)
        cfg.CONF([], project="cloudkitty", default_config_files=[])
        options_.set_defaults(cfg.CONF)
        url = options.database or f"sqlite:///{work}/bench.sqlite"
        cfg.CONF.set_override("connection", url, group="database")
        old_databases.build(options.state)
        old_databases.build_storages()
        fill(options.points, options.mappings, windows=options.state == "head")
        found = modules.migrations()
        timed("dry run", lambda: upgrade.dry_run(found, url, whole=True))
        timed("upgrade", lambda: upgrade.upgrade(found, "head", whole=True))
        timed("again", lambda: upgrade.upgrade(found, "head", whole=True))
        with db.get_engine().connect() as connection:
            table = sa.table("rated_data_frames")
            kept = connection.scalar(sa.select(sa.func.count()).select_from(table))
        assert kept == options.points, kept


if __name__ == "__main__":
    main()
