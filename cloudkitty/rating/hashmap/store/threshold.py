# SPDX-License-Identifier: Apache-2.0
"""Thresholds of hashmap (contract api.md 7.6, D17 to D19)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping as Attributes
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oslo_db import exception as db_exc
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.db.transaction import retried
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import history, parents, values
from cloudkitty.rating.hashmap.store.errors import ConflictError, NotFoundError
from cloudkitty.rating.hashmap.store.parents import Parents, RuleFilter
from cloudkitty.rating.hashmap.store.transaction import write_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A price from some quantity, or some number in a field, upwards."""

    threshold_id: str
    level: Decimal | None
    type: str
    cost: Decimal
    service_id: str | None
    field_id: str | None
    group_id: str | None
    tenant_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewThreshold:
    """What a caller says about a threshold to be made."""

    level: Decimal | None
    cost: Decimal | None
    type: str | None = "flat"
    service_id: str | None = None
    field_id: str | None = None
    group_id: str | None = None
    tenant_id: str | None = None


def get_all(wanted: RuleFilter) -> list[Threshold]:
    """Give the thresholds that `wanted` describes, in order of creation."""
    conditions = parents.conditions(models.Threshold, wanted)
    if conditions is parents.NOTHING:
        return []
    query = parents.select_rules(models.Threshold).where(*conditions)
    with db.session_for_read() as session:
        found = [_record(*row) for row in session.execute(query)]
    return [threshold for threshold in found if wanted.admits_tenant(threshold.tenant_id)]


def get(threshold_id: str) -> Threshold:
    """Give one threshold; raises NotFoundError."""
    with db.session_for_read() as session:
        return _record_of(session, threshold_id)


@retried
def create(new: NewThreshold) -> Threshold:
    """Make a threshold; raises InvalidError or ConflictError."""
    level = values.exact("level", new.level, values.LEVEL_SCALE)
    cost = values.exact("cost", new.cost, values.COST_SCALE)
    row_type = values.rule_type(new.type)
    tenant = shared.text("tenant_id", new.tenant_id, values.TENANT_LIMIT)
    values.check_parents(new.service_id, new.field_id)
    with write_rules() as session:
        parent = parents.resolve(session, new.service_id, new.field_id)
        row = models.Threshold(
            threshold_id=str(uuid.uuid4()),
            level=level,
            cost=cost,
            map_type=row_type,
            service_id=parent.service_id,
            field_id=parent.field_id,
            group_id=parents.resolve_group(session, new.group_id),
            tenant_id=tenant,
        )
        _check_free(session, row, parent)
        session.add(row)
        _flush(session, row, parent)
        history.made(session, models.Threshold, row.id)
        return _record_of(session, row.threshold_id)


@retried
def update(threshold_id: str, attributes: Attributes[str, Any]) -> None:
    """Change a threshold as a PUT with these attributes does; the same again writes nothing.

    `attributes` holds what the body held, by the names of the API. An absent type is ``flat``, an
    absent tenant is none, an absent group stays and a null one detaches.

    Raises NotFoundError, InvalidError or ConflictError.
    """
    level = values.exact("level", attributes.get("level"), values.LEVEL_SCALE)
    cost = values.exact("cost", attributes.get("cost"), values.COST_SCALE)
    row_type = values.rule_type(attributes.get("type", "flat"))
    tenant = shared.text("tenant_id", attributes.get("tenant_id"), values.TENANT_LIMIT)
    with write_rules() as session:
        row = _find(session, threshold_id)
        group_id = row.group_id
        if "group_id" in attributes:
            group_id = parents.resolve_group(session, attributes["group_id"])
        moved = (level, tenant, group_id) != (row.level, row.tenant_id, row.group_id)
        with history.watch(session, models.Threshold, models.Threshold.id == row.id):
            row.level, row.tenant_id, row.group_id = level, tenant, group_id
            row.cost, row.map_type = cost, row_type
            if moved:
                parent = parents.of_rule(row)
                with session.no_autoflush:
                    _check_free(session, row, parent)
                _flush(session, row, parent)


@retried
def delete(threshold_id: str) -> None:
    """Remove a threshold; raises NotFoundError."""
    with write_rules() as session:
        row = _find(session, threshold_id)
        history.remove(session, models.Threshold, models.Threshold.id == row.id)


def _check_free(session: Session, row: models.Threshold, parent: Parents) -> None:
    """Raise ConflictError when another threshold has the same level, parent, tenant and group.

    With a tenant the group plays no part: the table's unique keys do not know it.
    """
    threshold = models.Threshold
    query = select(
        threshold.threshold_id,
        threshold.level,
        threshold.tenant_id,
        threshold.group_id,
    ).where(parent.owns(threshold), threshold.tenant_id == row.tenant_id)
    # Levels are compared here: an old SQLite file may hold one as a binary float.
    for threshold_id, level, tenant, group_id in session.execute(query):
        same_place = tenant == row.tenant_id and (tenant is not None or group_id == row.group_id)
        if threshold_id != row.threshold_id and level == row.level and same_place:
            raise _conflict(row, parent)


def _flush(session: Session, row: models.Threshold, parent: Parents) -> None:
    try:
        session.flush()
    except db_exc.DBDuplicateEntry as exc:  # tenants that only the database takes for the same
        raise _conflict(row, parent) from exc


def _conflict(row: models.Threshold, parent: Parents) -> ConflictError:
    return ConflictError(
        f"Threshold '{row.level}' already exists for {parent.kind} '{parent.uuid}', "
        f"tenant: '{row.tenant_id}'",
    )


def _find(session: Session, threshold_id: str) -> models.Threshold:
    if shared.maybe_id(threshold_id):
        query = select(models.Threshold).where(models.Threshold.threshold_id == threshold_id)
        row = session.execute(query).scalar_one_or_none()
        if row is not None:
            return row
    raise NotFoundError(f"No such threshold: {threshold_id}")


def _record_of(session: Session, threshold_id: str) -> Threshold:
    if shared.maybe_id(threshold_id):
        query = parents.select_rules(models.Threshold)
        found = query.where(models.Threshold.threshold_id == threshold_id)
        row = session.execute(found).one_or_none()
        if row is not None:
            return _record(*row)
    raise NotFoundError(f"No such threshold: {threshold_id}")


def _record(
    row: models.Threshold,
    service_id: str | None,
    field_id: str | None,
    group_id: str | None,
) -> Threshold:
    return Threshold(
        threshold_id=row.threshold_id,
        level=row.level,
        type=row.map_type,
        cost=row.cost,
        service_id=service_id,
        field_id=field_id,
        group_id=group_id,
        tenant_id=row.tenant_id,
    )
