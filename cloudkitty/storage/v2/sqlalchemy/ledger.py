# SPDX-License-Identifier: Apache-2.0
"""The ledger of periods: one row for everything a scope has at one begin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.db.types import exact_sum
from cloudkitty.storage.v2.sqlalchemy import models, rollup
from cloudkitty.timeutils import SECONDS_PER_DAY

PERIODS: Final = models.Period.__table__
_POINTS: Final = models.Point.__table__

#: Scope id and begin.
Key = tuple[int, int]

#: What the processor rated.
RATED: Final = "rated"
#: What somebody pushed.
POSTED: Final = "posted"


@dataclass(slots=True)
class Entry:
    """What a ledger row says about its points."""

    points: int
    price: Decimal
    status: str
    rolled: bool = False
    rules_version: str | None = None


def insert(session: Session, entries: Mapping[Key, Entry]) -> None:
    """Insert rows; raises DBDuplicateEntry when somebody else has made one of them meanwhile."""
    if entries:
        session.execute(
            sa.insert(PERIODS),
            [
                {
                    "scope_id": scope_id,
                    "begin": begin,
                    "points": entry.points,
                    "price": entry.price,
                    "status": entry.status,
                    "rules_version": entry.rules_version,
                    "rolled": entry.rolled,
                }
                for (scope_id, begin), entry in sorted(entries.items(), key=lambda kv: kv[0])
            ],
        )


def lock_days(session: Session, keys: Iterable[Key]) -> dict[Key, bool]:
    """Lock the ledger rows of the days that `keys` lie on; gives key -> rolled."""
    days: dict[int, set[int]] = {}
    for scope_id, begin in keys:
        days.setdefault(scope_id, set()).add(begin // SECONDS_PER_DAY)
    found: dict[Key, bool] = {}
    for scope_id in sorted(days):
        for first, last in _runs(sorted(days[scope_id])):
            for _scope_id, begin, rolled in rollup.lock(session, [scope_id], first, last):
                found[scope_id, begin] = rolled
    return found


def recount(session: Session, keys: Collection[Key]) -> None:
    """Bring rows up to date with their points."""
    if keys:
        session.execute(
            sa.update(PERIODS)
            .where(
                PERIODS.c.scope_id == sa.bindparam("of_scope"),
                PERIODS.c.begin == sa.bindparam("at_begin"),
            )
            .values(**_counted()),
            [{"of_scope": scope_id, "at_begin": begin} for scope_id, begin in sorted(keys)],
        )


def mark_rated(session: Session, versions: Mapping[Key, str | None]) -> None:
    """Say of rows that were there before that they are rated, by which rule set."""
    if versions:
        session.execute(
            sa.update(PERIODS)
            .where(
                PERIODS.c.scope_id == sa.bindparam("of_scope"),
                PERIODS.c.begin == sa.bindparam("at_begin"),
            )
            .values(status=RATED, rules_version=sa.bindparam("by_rules")),
            [
                {"of_scope": scope_id, "at_begin": begin, "by_rules": version}
                for (scope_id, begin), version in sorted(versions.items(), key=lambda kv: kv[0])
            ],
        )


def recount_where(session: Session, *conditions: Any) -> None:
    """Bring the rows that meet `conditions` up to date with their points."""
    session.execute(sa.update(PERIODS).where(*conditions).values(**_counted()))


def _counted() -> dict[str, Any]:
    own = (_POINTS.c.begin == PERIODS.c.begin, _POINTS.c.scope_id == PERIODS.c.scope_id)
    count = sa.select(sa.func.count()).select_from(_POINTS).where(*own)
    price = sa.select(exact_sum(_POINTS.c.price)).where(*own)
    return {
        "points": count.correlate(PERIODS).scalar_subquery(),
        "price": sa.func.coalesce(price.correlate(PERIODS).scalar_subquery(), sa.text("'0'")),
    }


def _runs(days: Sequence[int]) -> list[tuple[int, int]]:
    """Give the runs of consecutive days: (first, last)."""
    runs: list[tuple[int, int]] = []
    for day in days:
        if runs and runs[-1][1] + 1 == day:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs
