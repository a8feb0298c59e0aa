# SPDX-License-Identifier: Apache-2.0
"""Making room for whole periods that are rated again: a step of the replacing transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import timeutils
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.sqlalchemy import conditions, deletion, rollup
from cloudkitty.usage import ScopeUsage


def clear(session: Session, usages: Sequence[ScopeUsage], scope_key: str) -> set[tuple[int, int]]:
    """Remove all that the scopes of `usages` have in their periods, whoever stored it.

    Gives the (scope, day) pairs that were rolled up. Their roll-ups are gone: the caller rolls
    them up again in the same transaction.
    """
    windows: dict[tuple[int, int], list[str]] = {}
    for usage in usages:
        if usage.begins:
            window = (usage.begins[0], usage.begins[-1] + usage.period)
            windows.setdefault(window, []).append(usage.scope_id)
    rolled: set[tuple[int, int]] = set()
    for (first, stop), scopes in sorted(windows.items()):
        selection = conditions.select(
            session,
            query.open_interval(timeutils.from_epoch(first), timeutils.from_epoch(stop)),
            query.filters({scope_key: scopes}),
            scope_key,
            metadata_too=False,
        )
        if not selection.empty:
            rolled |= _clear(session, selection)
    return rolled


def _clear(session: Session, selection: conditions.Selection) -> set[tuple[int, int]]:
    first_day, last_day = rollup.day_of(selection.first), rollup.day_of(selection.stop - 1)
    whole = selection.whole_scopes or ()
    locked = rollup.lock(session, selection.scope_ids, first_day, last_day)
    rolled = {
        (scope_id, rollup.day_of(begin))
        for scope_id, begin, is_rolled in locked
        if is_rolled and scope_id in whole
    }
    if whole:
        for table in (deletion.POINTS, deletion.PERIODS):
            _delete(
                session,
                table,
                whole,
                table.c.begin >= selection.first,
                table.c.begin < selection.stop,
            )
        days = conditions.integers(sorted({day for _scope_id, day in rolled}))
        _delete(session, deletion.DAILY, whole, deletion.DAILY.c.day.in_(days))
    if selection.whole_scopes != selection.scope_ids:
        # Points that name no single scope: their labels tell.
        deletion.delete(session, selection)
    return rolled


def _delete(session: Session, table: sa.Table, scopes: Sequence[int], *where: Any) -> None:
    of_scopes = table.c.scope_id.in_(conditions.integers(scopes))
    session.execute(sa.delete(table).where(of_scopes, *where))
