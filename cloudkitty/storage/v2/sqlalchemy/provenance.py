# SPDX-License-Identifier: Apache-2.0
"""Where the prices of a period come from, as the ledger has it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import timeutils
from cloudkitty.storage.v2.base import Provenance
from cloudkitty.storage.v2.sqlalchemy import identity, ledger, models
from cloudkitty.storage.v2.sqlalchemy.ledger import PERIODS

_SCOPES: Final = models.Scope.__table__
#: Periods looked up in one statement.
_CHUNK: Final = 400


def count(
    session: Session, scope_key: str, scope_ids: Collection[str], first: int, stop: int
) -> dict[str, int]:
    """Give scope id -> number of periods in [first, stop) that have a rule set, if any."""
    found: dict[str, int] = {}
    ordered = sorted(scope_ids)
    for start in range(0, len(ordered), _CHUNK):
        statement = (
            sa.select(_SCOPES.c.identifier, sa.func.count())
            .select_from(PERIODS.join(_SCOPES, _SCOPES.c.id == PERIODS.c.scope_id))
            .where(
                _SCOPES.c.scope_key == scope_key,
                _SCOPES.c.identifier.in_(ordered[start : start + _CHUNK]),
                PERIODS.c.begin >= first,
                PERIODS.c.begin < stop,
                PERIODS.c.status == ledger.RATED,
                PERIODS.c.rules_version.is_not(None),
            )
            .group_by(_SCOPES.c.identifier)
        )
        found.update(map(tuple, session.execute(statement)))
    return found


def of(
    session: Session,
    scope_key: str,
    periods: Collection[tuple[str, dt.datetime]],
) -> Mapping[tuple[str, dt.datetime], Provenance]:
    """Give what the ledger says of periods of scopes; what it has no row of is not in it."""
    wanted = {
        (*identity.scope_name(scope_key, scope), timeutils.to_epoch(begin)): (scope, begin)
        for scope, begin in periods
    }
    found = {}
    keys = sorted(wanted)
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        statement = (
            sa.select(
                _SCOPES.c.scope_key,
                _SCOPES.c.identifier,
                PERIODS.c.begin,
                PERIODS.c.status,
                PERIODS.c.rules_version,
            )
            .select_from(PERIODS.join(_SCOPES, _SCOPES.c.id == PERIODS.c.scope_id))
            .where(
                _SCOPES.c.identifier.in_({identifier for _key, identifier, _begin in some}),
                PERIODS.c.begin.in_({begin for *_name, begin in some}),
            )
        )
        for key, identifier, begin, status, version in session.execute(statement):
            if (key, identifier, begin) in wanted:
                rated = status == ledger.RATED
                found[wanted[key, identifier, begin]] = Provenance(rated, version)
    return found
