# SPDX-License-Identifier: Apache-2.0
"""Taking over the hashmap tables of a database that stopped before the head (sql-schema.md 5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from cloudkitty.db import windows

#: When a rule of before there were validity windows began to be valid.
START: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - host-local, as all dates of rules

_PARENTS: Final = {"service_id": "hashmap_services", "field_id": "hashmap_fields"}
_RULES: Final = {"hashmap_mappings": "mappings", "hashmap_thresholds": "thresholds"}


def add_windows() -> None:
    """Do what the revision 8a591f85865f does, for mappings at 4e0232ce."""
    windows.add(
        "hashmap_mappings",
        start=START,
        names_from="mapping_id",
        not_unique=[("value", "field_id", "tenant_id"), ("value", "service_id", "tenant_id")],
        decimals={"cost": 28},
    )


def remarks(connection: Connection) -> Iterator[str]:
    """Yield what is odd about rules that are there: all of it is kept as it is."""
    for table, rules in _RULES.items():
        rows = sa.table(table, *map(sa.column, ("cost", "level", *_PARENTS)))
        found: list[tuple[sa.ColumnElement[bool], str]] = [
            (rows.c.cost.is_(None), "have no cost: nothing is rated until they have, or go")
        ]
        if table == "hashmap_thresholds":
            found.append((rows.c.level.is_(None), "have no level: they never apply"))
        for column, parents in _PARENTS.items():
            parent = sa.table(parents, sa.column("id"))
            known = sa.exists(sa.select(parent.c.id).where(parent.c.id == rows.c[column]))
            orphan = sa.and_(rows.c[column].is_not(None), ~known)
            found.append((orphan, f"have a {column} that is not in {parents}: they never apply"))
        for condition, what in found:
            query = sa.select(sa.func.count()).select_from(rows).where(condition)
            number = connection.scalar(query)
            if number:
                yield f"{number} {rules} {what}"
