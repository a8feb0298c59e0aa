# SPDX-License-Identifier: Apache-2.0
"""When two mappings are in each other's way (contract api.md D14, D15, rating.md 4.7)."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store.errors import ConflictError
from cloudkitty.rating.hashmap.store.parents import Parents


def check_free(session: Session, row: models.Mapping, parent: Parents) -> None:
    """Raise ConflictError when another mapping has the name, or the place at the same time.

    The place is value, tenant, parent and group. The database may compare texts more loosely than
    rating does, so what it finds is compared again, exactly.
    """
    if _name_taken(session, row) or _place_taken(session, row, parent):
        raise ConflictError(
            f"Mapping '{row.value}' already exists for {parent.kind} '{parent.uuid}', "
            f"tenant: '{row.tenant_id}'",
        )


def overlap(
    start: dt.datetime,
    end: dt.datetime | None,
    other_start: dt.datetime,
    other_end: dt.datetime | None,
) -> bool:
    """Whether two validities share an instant; ends are exclusive, None is never."""
    return (other_end is None or start < other_end) and (end is None or other_start < end)


def _name_taken(session: Session, row: models.Mapping) -> bool:
    mapping = models.Mapping
    query = select(mapping.mapping_id, mapping.name).where(
        mapping.deleted.is_(None),
        mapping.name == row.name,
    )
    return any(
        name == row.name and mapping_id != row.mapping_id
        for mapping_id, name in session.execute(query)
    )


def _place_taken(session: Session, row: models.Mapping, parent: Parents) -> bool:
    mapping = models.Mapping
    value = mapping.value == row.value
    query = select(
        mapping.mapping_id,
        mapping.value,
        mapping.tenant_id,
        mapping.start,
        mapping.end,
    ).where(
        mapping.deleted.is_(None),
        parent.owns(mapping),
        mapping.group_id == row.group_id,
        mapping.tenant_id == row.tenant_id,
        value if row.value else or_(mapping.value.is_(None), mapping.value == ""),
    )
    return any(
        mapping_id != row.mapping_id
        and (other_value or "") == (row.value or "")
        and tenant == row.tenant_id
        and overlap(row.start, row.end, start, end)
        for mapping_id, other_value, tenant, start, end in session.execute(query)
    )
