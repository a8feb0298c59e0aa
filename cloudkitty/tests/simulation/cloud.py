# SPDX-License-Identifier: Apache-2.0
"""A small cloud whose usage is rated by a document and stored."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint, ImmutableDict
from cloudkitty.db.engines import EXACT
from cloudkitty.rating import document
from cloudkitty.rating.hashmap.tariff import Tariffs
from cloudkitty.simulation import Outcome, simulate
from cloudkitty.state.simulations import Question
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage, models
from cloudkitty.usage import ScopeUsage, Series

DAY = 86400
HOUR = 3600
#: In the night from Saturday to Sunday clocks go back in Europe.
START = timeutils.to_epoch(timeutils.parse_iso("2026-10-24T00:00:00"))
ON = "modules: {hashmap: {enabled: true}}\n"

Row = tuple[Any, ...]


def series(
    metric: str, scope: str, id_: str, hours: Sequence[int], qtys: Iterable[Any], **metadata: Any
) -> Series:
    """Give a series of a resource; quantities are repeated as often as it takes."""
    numbers = list(map(Decimal, qtys))
    return Series(
        metric,
        "u",
        ImmutableDict(id=id_, project_id=scope),
        ImmutableDict(metadata),
        begins=[START + hour * HOUR for hour in hours],
        qtys=[numbers[index % len(numbers)] for index in range(len(hours))],
        prices=[Decimal(0)] * len(hours),
    )


def usages(hours: int = 60) -> list[ScopeUsage]:
    """Give a bit of everything: constant, changing and odd quantities, few and many points."""
    all_ = range(hours)
    begins = [START + hour * HOUR for hour in all_]
    return [
        ScopeUsage(
            scope,
            HOUR,
            begins,
            [
                series("instance", scope, "i1", all_, [1], flavor="small", vcpus=2),
                series("instance", scope, "i2", all_[5:40], [1], flavor="big", vcpus="8"),
                series("network", scope, "n", all_, ["0.1", "12345.678901234567", "0", "7e-9"]),
                series("volume", scope, "v1", all_, [10] * 25 + [20] * 35),
                series("volume", scope, "v2", all_[30:31], ["0"]),
                series("unknown", scope, "x", all_[::7], ["3.5"]),
            ],
        )
        for scope in ("a", "b", "Ä")
    ]


def store(storage: SQLAlchemyStorage, batch: Sequence[ScopeUsage], rules: str) -> None:
    """Rate usage as the processor does, by the rules of a document, and store it."""
    tariffs = Tariffs(document.loads(rules).hashmap)
    for usage in batch:
        tariffs.rate(usage)
    ids = [usage.scope_id for usage in batch]
    assert storage.commit(batch, lambda _session: ids) == ids


def post(storage: SQLAlchemyStorage, scope: str, hour: int, price: str) -> None:
    """Push a point with a price of its own."""
    start, end = (timeutils.from_epoch(START + at * HOUR) for at in (hour, hour + 1))
    point = DataPoint("u", Decimal(3), Decimal(price), {"id": "p", "project_id": scope}, {})
    storage.push([DataFrame(start, end, {"instance": [point]})])


def ask(
    storage: SQLAlchemyStorage,
    rules: str,
    *groupby: str,
    hours: tuple[int, int] = (0, 100),
    **filters: list[str],
) -> Outcome:
    """Simulate."""
    first, stop = (START + hour * HOUR for hour in hours)
    question = Question(first=first, stop=stop, groupby=groupby, filters=filters, rules=rules)
    return simulate(storage, question, document.loads(rules), lambda _part: None)


def rated(batch: Sequence[ScopeUsage], rules: str) -> list[ScopeUsage]:
    """Give usage rated from scratch by a document, point by point."""
    found = copy.deepcopy(list(batch))
    tariffs = Tariffs(document.loads(rules).hashmap)
    for usage in found:
        for one in usage.series:
            one.prices = [Decimal(0)] * len(one.begins)
        tariffs.rate(usage)
    return found


def expected(
    batch: Sequence[ScopeUsage], groupby: Sequence[str], hours: tuple[int, int] = (0, 100)
) -> dict[Row, Decimal]:
    """Add prices up by group, point by point."""
    out: dict[Row, Decimal] = defaultdict(Decimal)
    first, stop = (START + hour * HOUR for hour in hours)
    for usage in batch:
        for one in usage.series:
            for begin, price in zip(one.begins, one.prices, strict=True):
                if not first <= begin < stop:
                    continue
                labels = {**one.groupby, **timeutils.calendar_keys(begin), "type": one.metric}
                key = tuple(begin if name == "time" else labels.get(name, "") for name in groupby)
                out[key] = EXACT.add(out[key], price)
    return dict(out)


def simulated(outcome: Outcome, groupby: Sequence[str]) -> dict[Row, Decimal]:
    """Give the simulated prices in the same form."""
    names = [name for name in groupby if name != "time"]
    out = {}
    for row in outcome.rows:
        values = dict(zip(names, row.values, strict=True))
        key = tuple(row.bucket if name == "time" else values[name] for name in groupby)
        out[key] = row.simulated
    return out


def empty() -> None:
    """Delete all that is stored."""
    with db.session_for_write() as session:
        for table in reversed(models.Base.metadata.sorted_tables):
            session.execute(sa.delete(table))
