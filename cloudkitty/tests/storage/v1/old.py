# SPDX-License-Identifier: Apache-2.0
"""The table of rated points as CloudKitty 25.0.0 made it, with rows as it wrote them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import sqlalchemy as sa

from cloudkitty import db

_COLUMNS = {
    "mysql": (
        "`id` int NOT NULL AUTO_INCREMENT PRIMARY KEY, `begin` datetime NOT NULL, "
        "`end` datetime NOT NULL, `unit` varchar(255) NOT NULL, `qty` decimal(15,5) DEFAULT NULL, "
        "`res_type` varchar(255) NOT NULL, `rate` float NOT NULL, `desc` text NOT NULL, "
        "`tenant_id` varchar(32) DEFAULT NULL"
    ),
    "postgresql": (
        '"id" serial PRIMARY KEY, "begin" timestamp NOT NULL, "end" timestamp NOT NULL, '
        '"unit" varchar(255) NOT NULL, "qty" numeric(15,5) NOT NULL, '
        '"res_type" varchar(255) NOT NULL, "rate" float NOT NULL, "desc" text NOT NULL, '
        '"tenant_id" varchar(32)'
    ),
    "sqlite": (
        '"id" INTEGER NOT NULL PRIMARY KEY, "begin" DATETIME NOT NULL, "end" DATETIME NOT NULL, '
        '"unit" VARCHAR(255) NOT NULL, "qty" NUMERIC(15, 5) NOT NULL, '
        '"res_type" VARCHAR(255) NOT NULL, "rate" FLOAT NOT NULL, "desc" TEXT NOT NULL, '
        '"tenant_id" VARCHAR(32)'
    ),
}
_OPTIONS = {"mysql": " ENGINE=InnoDB DEFAULT CHARSET=utf8"}


def naive(text: str) -> dt.datetime:
    """Give a datetime as drivers of the first generation use it: UTC without saying so."""
    return dt.datetime.fromisoformat(text)


def create() -> None:
    """Make table, indexes and version table."""
    engine = db.get_engine()
    name = engine.dialect.name
    options = _OPTIONS.get(name, "")
    end = "`end`" if name == "mysql" else '"end"'
    begin = "`begin`" if name == "mysql" else '"begin"'
    with engine.begin() as connection:
        for statement in (
            f"CREATE TABLE rated_data_frames ({_COLUMNS[name]}){options}",
            f"CREATE INDEX idx_rated_data_frames_date ON rated_data_frames ({begin}, {end})",
            f"CREATE INDEX idx_tenantid_begin_end ON rated_data_frames (tenant_id, {begin}, {end})",
            (
                "CREATE TABLE storage_sqlalchemy_alembic "
                "(version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
            ),
            "INSERT INTO storage_sqlalchemy_alembic VALUES ('d875621d0384')",
        ):
            connection.exec_driver_sql(statement)


def insert(*rows: dict[str, Any]) -> None:
    """Insert rows; `desc` is an object, or a text as it is."""
    engine = db.get_engine()
    # As SQLite keeps dates.
    fraction = ".000000" if engine.dialect.name == "sqlite" else ""
    names = ("begin", "end", "unit", "qty", "res_type", "rate", "desc", "tenant_id")
    table = sa.table("rated_data_frames", *map(sa.column, names))
    defaults = {
        "begin": "2024-01-15 10:00:00",
        "end": "2024-01-15 11:00:00",
        "unit": "instance",
        "qty": 1,
        "res_type": "cpu",
        "rate": 1.0,
        "desc": {},
        "tenant_id": "p1",
    }
    with engine.begin() as connection:
        for given in rows:
            row = {**defaults, **given}
            row["begin"] += fraction
            row["end"] += fraction
            if not isinstance(row["desc"], str):
                row["desc"] = json.dumps(row["desc"])
            connection.execute(sa.insert(table), row)


def count(where: str = "1 = 1") -> int:
    """Count rows, with data or without."""
    with db.get_engine().connect() as connection:
        statement = f"SELECT COUNT(*) FROM rated_data_frames WHERE {where}"
        return int(connection.exec_driver_sql(statement).scalar() or 0)
