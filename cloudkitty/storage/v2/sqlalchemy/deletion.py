# SPDX-License-Identifier: Apache-2.0
"""delete(): points, and what ledger and roll-ups say about them, in one transaction (5.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.storage.v2.sqlalchemy import ledger, models, rollup
from cloudkitty.storage.v2.sqlalchemy.conditions import Selection

PERIODS: Final = models.Period.__table__
POINTS: Final = models.Point.__table__
SERIES: Final = models.Series.__table__
DAILY: Final = models.Daily.__table__


def delete(session: Session, selection: Selection, status: str | None = None) -> None:
    """Delete the points of `selection`; the caller's transaction makes it all or nothing.

    With `status`, only those whose ledger row has it. Whole periods go with their ledger rows.
    Where only some points of a period go, its ledger row stays and is counted anew.
    """
    if selection.empty:
        return
    scopes = selection.scope_ids
    first_day, last_day = (
        rollup.day_of(selection.first),
        rollup.day_of(selection.stop - 1),
    )
    locked = rollup.lock(session, scopes, first_day, last_day)
    days = sorted({rollup.day_of(begin) for _scope, begin, rolled in locked if rolled})
    within = [
        POINTS.c.begin >= selection.first,
        POINTS.c.begin < selection.stop,
        *selection.scope_condition(POINTS.c.scope_id),
    ]
    ledger_rows = [
        PERIODS.c.begin >= selection.first,
        PERIODS.c.begin < selection.stop,
        *selection.scope_condition(PERIODS.c.scope_id),
    ]
    if status is not None:
        ledger_rows.append(PERIODS.c.status == status)
        own = (PERIODS.c.begin == POINTS.c.begin, PERIODS.c.scope_id == POINTS.c.scope_id)
        within.append(sa.exists().where(*own, PERIODS.c.status == status).correlate(POINTS))
    if selection.by_series or selection.by_calendar:
        session.execute(sa.delete(POINTS).where(*within, _matching(selection)))
        ledger.recount_where(session, *ledger_rows)
    else:
        session.execute(sa.delete(POINTS).where(*within))
        session.execute(sa.delete(PERIODS).where(*ledger_rows))
    if status is not None:
        rollup.recompute(session, scopes, days)
    else:
        _correct(session, scopes, days, selection)


def _matching(selection: Selection) -> sa.ColumnElement[bool]:
    return (
        sa.exists()
        .where(
            SERIES.c.id == POINTS.c.series_id,
            *selection.series_condition(SERIES.c, POINTS.c.begin),
        )
        .correlate(POINTS)
    )


def _correct(
    session: Session,
    scopes: Sequence[int] | None,
    days: Sequence[int],
    selection: Selection,
) -> None:
    """Bring the roll-ups of `days` up to date."""
    whole_first, whole_last = selection.whole_days
    if not (selection.by_series or selection.by_calendar) and whole_first <= whole_last:
        for table in (DAILY, rollup.TOTALS):
            session.execute(
                sa.delete(table).where(
                    table.c.day >= whole_first,
                    table.c.day <= whole_last,
                    *selection.scope_condition(table.c.scope_id),
                ),
            )
        days = [day for day in days if not whole_first <= day <= whole_last]
    rollup.recompute(session, scopes, days)
