# SPDX-License-Identifier: Apache-2.0
"""Mappings of hashmap: list, read, make, remove (contract api.md 7.5, rating.md 4.7)."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.rating import dates
from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.db import audit, window
from cloudkitty.rating.common.db.transaction import retried, stored_date
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import history, parents, values
from cloudkitty.rating.hashmap.store.errors import InvalidError, NotFoundError
from cloudkitty.rating.hashmap.store.mapping_conflicts import check_free
from cloudkitty.rating.hashmap.store.parents import RuleFilter
from cloudkitty.rating.hashmap.store.transaction import write_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A price for a service or for one value of a field; dates are host-local and naive."""

    mapping_id: str
    value: str | None
    type: str
    cost: Decimal
    service_id: str | None
    field_id: str | None
    group_id: str | None
    tenant_id: str | None
    created_at: dt.datetime
    start: dt.datetime
    end: dt.datetime | None
    name: str
    description: str | None
    deleted: dt.datetime | None
    created_by: str
    updated_by: str | None
    deleted_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingFilter(RuleFilter):
    """Which mappings to list; all that is given is ANDed (contract api.md 7.5)."""

    deleted: bool = False
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    created_by: str | None = None
    updated_by: str | None = None
    deleted_by: str | None = None
    description: str | None = None
    is_active: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMapping:
    """What a caller says about a mapping to be made."""

    cost: Decimal | None
    value: str | None = ""
    type: str | None = "flat"
    service_id: str | None = None
    field_id: str | None = None
    group_id: str | None = None
    tenant_id: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    name: str | None = None
    description: str | None = None


def get_all(wanted: MappingFilter) -> list[Mapping]:
    """Give the mappings that `wanted` describes, in order of creation."""
    conditions = parents.conditions(models.Mapping, wanted)
    if conditions is parents.NOTHING:
        return []
    query = parents.select_rules(models.Mapping).where(
        *conditions, *window.conditions(models.Mapping, wanted)
    )
    with db.session_for_read() as session:
        found = [_record(*row) for row in session.execute(query)]
    return [
        mapping
        for mapping in found
        if wanted.admits_tenant(mapping.tenant_id) and window.admits(wanted, mapping)
    ]


def get(mapping_id: str) -> Mapping:
    """Give one mapping, a deleted one too; raises NotFoundError."""
    with db.session_for_read() as session:
        return record_of(session, mapping_id)


@retried
def create(new: NewMapping, user: str | None, *, force: bool = False) -> Mapping:
    """Make a mapping, with `force` also one that starts in the past.

    Raises InvalidError or ConflictError.
    """
    cost = values.exact("cost", new.cost, values.COST_SCALE)
    row_type = values.rule_type(new.type)
    value = shared.text("value", new.value, values.VALUE_LIMIT)
    tenant = shared.text("tenant_id", new.tenant_id, values.TENANT_LIMIT)
    name = shared.text("name", new.name, values.MAPPING_NAME_LIMIT) or uuid.uuid4().hex
    description = shared.text("description", new.description, shared.DESCRIPTION_LIMIT)
    now = dates.local_now()
    start = new.start or now
    if not force:
        shared.check_not_past(start, now)
    shared.check_window(start, new.end)
    values.check_parents(new.service_id, new.field_id)
    if new.service_id and value:
        raise InvalidError("You can't specify a value and a service_id.")
    if new.field_id and not value:
        raise InvalidError("You must specify a value for a field mapping.")
    with write_rules() as session:
        parent = parents.resolve(session, new.service_id, new.field_id)
        row = models.Mapping(
            mapping_id=str(uuid.uuid4()),
            value=value,
            cost=cost,
            map_type=row_type,
            service_id=parent.service_id,
            field_id=parent.field_id,
            group_id=parents.resolve_group(session, new.group_id),
            tenant_id=tenant,
            name=name,
            created_at=stored_date(session, now),
            start=stored_date(session, start),
            end=None if new.end is None else stored_date(session, new.end),
            description=description,
            created_by=audit.name(session, models.Mapping.__tablename__, user),
        )
        check_free(session, row, parent)
        session.add(row)
        session.flush()
        history.made(session, models.Mapping, row.id)
        return record_of(session, row.mapping_id)


@retried
def delete(mapping_id: str, user: str | None) -> None:
    """Delete a mapping softly; raises NotFoundError, also when it is deleted already."""
    with write_rules() as session:
        row = find_alive(session, mapping_id)
        with history.watch(session, models.Mapping, models.Mapping.id == row.id):
            row.deleted = stored_date(session, dates.local_now())
            row.deleted_by = audit.name(session, models.Mapping.__tablename__, user)


def find_alive(session: Session, mapping_id: str) -> models.Mapping:
    """Give the row of a mapping that is not deleted; raises NotFoundError."""
    if shared.maybe_id(mapping_id):
        query = parents.select_rules(models.Mapping).where(
            models.Mapping.mapping_id == mapping_id,
            models.Mapping.deleted.is_(None),
        )
        row: models.Mapping | None = session.execute(query).scalars().one_or_none()
        if row is not None:
            return row
    raise NotFoundError(f"No such mapping: {mapping_id}")


def record_of(session: Session, mapping_id: str) -> Mapping:
    """Give a mapping as the API shows it; raises NotFoundError."""
    if shared.maybe_id(mapping_id):
        query = parents.select_rules(models.Mapping)
        row = session.execute(query.where(models.Mapping.mapping_id == mapping_id)).one_or_none()
        if row is not None:
            return _record(*row)
    raise NotFoundError(f"No such mapping: {mapping_id}")


def _record(
    row: models.Mapping,
    service_id: str | None,
    field_id: str | None,
    group_id: str | None,
) -> Mapping:
    return Mapping(
        mapping_id=row.mapping_id,
        value=row.value,
        type=row.map_type,
        cost=row.cost,
        service_id=service_id,
        field_id=field_id,
        group_id=group_id,
        tenant_id=row.tenant_id,
        created_at=row.created_at,
        start=row.start,
        end=row.end,
        name=row.name,
        description=row.description,
        deleted=row.deleted,
        created_by=row.created_by,
        updated_by=row.updated_by,
        deleted_by=row.deleted_by,
    )
