# SPDX-License-Identifier: Apache-2.0
"""Changes of mappings: what may still change depends on whether the rule runs (api.md 7.5, D16)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping as Attributes
from decimal import Decimal
from typing import Any, Final

from sqlalchemy.orm import Session

from cloudkitty.rating import dates
from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.db import audit
from cloudkitty.rating.common.db.transaction import retried, stored_date
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import history, mapping, parents, values
from cloudkitty.rating.hashmap.store.mapping_conflicts import check_free
from cloudkitty.rating.hashmap.store.transaction import write_rules

# What a body may say about a rule that runs, if it says what is so. Not `updated_by`: a client
# that repeats its PUT cannot know that its first one has changed it.
_FIXED: Final = (
    "value",
    "type",
    "cost",
    "service_id",
    "field_id",
    "group_id",
    "tenant_id",
    "created_at",
    "start",
    "name",
    "description",
    "deleted",
    "created_by",
    "deleted_by",
)


@retried
def update(mapping_id: str, attributes: Attributes[str, Any], user: str | None) -> None:
    """Change a mapping as a PUT with these attributes does; the same again writes nothing.

    `attributes` holds what the body held, by the names of the API, dates host-local and naive.
    Raises NotFoundError, InvalidError, or ConflictError when the new dates meet another mapping.
    """
    cost = values.exact("cost", attributes.get("cost"), values.COST_SCALE)
    description = shared.text(
        "description",
        attributes.get("description"),
        shared.DESCRIPTION_LIMIT,
    )
    with write_rules() as session:
        row = mapping.find_alive(session, mapping_id)
        now = dates.local_now()
        with history.watch(session, models.Mapping, models.Mapping.id == row.id):
            if row.start < now:
                changed = _close(session, row, {**attributes, "cost": cost}, now)
            else:
                changed = _rewrite(session, row, attributes, cost, description, now)
            if changed:
                row.updated_by = audit.name(session, models.Mapping.__tablename__, user)


def _close(
    session: Session,
    row: models.Mapping,
    attributes: Attributes[str, Any],
    now: dt.datetime,
) -> bool:
    """Give a running rule its end, the only change it admits; whether anything changed."""
    same = _says_what_is_so(mapping.record_of(session, row.mapping_id), attributes)
    end = _stored(session, attributes.get("end"))
    if not shared.closes(row.start, row.end, end, now, same=same):
        return False
    row.end = end
    return True


def _rewrite(
    session: Session,
    row: models.Mapping,
    attributes: Attributes[str, Any],
    cost: Decimal,
    description: str | None,
    now: dt.datetime,
) -> bool:
    """Change a rule that has not started; whether anything changed.

    An absent end or description clears it, an absent start stays; other attributes do not count.
    """
    start = _stored(session, attributes.get("start")) or row.start
    end = _stored(session, attributes.get("end"))
    shared.check_not_past(start, now)
    shared.check_window(start, end)
    moved = (start, end) != (row.start, row.end)
    if not moved and (cost, description) == (row.cost, row.description):
        return False
    row.cost, row.description, row.start, row.end = cost, description, start, end
    if moved:
        with session.no_autoflush:
            check_free(session, row, parents.of_rule(row))
    return True


def _stored(session: Session, moment: dt.datetime | None) -> dt.datetime | None:
    return None if moment is None else stored_date(session, moment)


def _says_what_is_so(stored: mapping.Mapping, attributes: Attributes[str, Any]) -> bool:
    """Whether every attribute given is as stored; empty ones say nothing."""
    return all(
        attributes[name] == getattr(stored, name)
        for name in _FIXED
        if attributes.get(name) not in (None, "")
    )
