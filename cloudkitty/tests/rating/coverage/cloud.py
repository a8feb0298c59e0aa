# SPDX-License-Identifier: Apache-2.0
"""A small cloud whose usage is rated by the rules in the database and stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from cloudkitty import db, timeutils
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.db import module_info
from cloudkitty.rating import coverage
from cloudkitty.rating.coverage.report import Coverage
from cloudkitty.rating.hashmap import HashMap
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests.rating.hashmap.rulebook import Rulebook
from cloudkitty.usage import ScopeUsage, Series

DAY = 86400
HOUR = 3600
#: Midnight UTC of 1 June 2026.
START = 1780272000
BEGIN, END = timeutils.from_epoch(START), timeutils.from_epoch(START + 3 * DAY)
#: Hours of the day before and of three days: the last one has not been rolled up.
HOURS = range(24, 3 * 24 - 6)


def rules(make: Callable[[Rulebook], Any]) -> None:
    """Put rules into the database."""
    with db.session_for_write() as session:
        make(Rulebook(session))


def switch(name: str, *, on: bool = True) -> None:
    """Turn a rating module on or off."""
    module_info.set_state(name, on)


def series(
    metric: str,
    labels: dict[str, Any],
    qtys: Iterable[Any] = (1,),
    hours: Iterable[int] = range(66),
    **options: Any,
) -> Series:
    """Give a series that has the quantities in turn."""
    begins = [START + hour * HOUR for hour in hours]
    some = [Decimal(str(qty)) for qty in qtys]
    return Series(
        metric,
        options.get("unit", "u"),
        ImmutableDict(options.get("groupby", {})),
        ImmutableDict(labels),
        None,
        options.get("calendar", True),
        begins,
        [some[index % len(some)] for index in range(len(begins))],
        [Decimal(0)] * len(begins),
    )


def rate(scope: str, found: list[Series], *, by_rules: bool = True) -> ScopeUsage:
    """Rate and store usage of a scope."""
    for number, one in enumerate(found):
        labels = {"id": f"{scope}-{number}", "project_id": scope, **one.groupby}
        one.groupby = ImmutableDict(labels)
    begins = sorted({begin for one in found for begin in one.begins})
    usage = ScopeUsage(scope, HOUR, begins, found)
    if by_rules:
        module = HashMap()
        module.begin_batch()
        module.rate_usage(usage)
    SQLAlchemyStorage().commit([usage], lambda _session: [scope])
    return usage


def look(**options: Any) -> Coverage:
    """Look at the three days."""
    return coverage.look(SQLAlchemyStorage(), BEGIN, END, **options)
