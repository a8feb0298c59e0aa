# SPDX-License-Identifier: Apache-2.0
"""Fields of hashmap services (contract api.md 7.3)."""

from __future__ import annotations

from dataclasses import dataclass

from oslo_db import exception as db_exc
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.db.transaction import retried, write
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import history, service
from cloudkitty.rating.hashmap.store.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    no_field,
    no_service,
)
from cloudkitty.rating.hashmap.store.transaction import write_rules


@dataclass(frozen=True, slots=True)
class Field:
    """A label of a metric's points that rules may look at."""

    field_id: str
    name: str
    service_id: str


def find(session: Session, field_id: str) -> models.Field | None:
    """Give the row of a field, None when there is none."""
    if not shared.maybe_id(field_id):
        return None
    query = select(models.Field).where(models.Field.field_id == field_id)
    return session.execute(query).scalar_one_or_none()


def get_all(service_id: str) -> list[Field]:
    """Give the fields of a service in order of creation; none for an unknown service."""
    with db.session_for_read() as session:
        parent = service.find(session, service_id)
        if parent is None:
            return []
        query = (
            select(models.Field)
            .where(models.Field.service_id == parent.id)
            .order_by(models.Field.id)
        )
        return [_record(row, service_id) for row in session.execute(query).scalars()]


def get(field_id: str) -> Field:
    """Give one field; raises NotFoundError."""
    with db.session_for_read() as session:
        row = find(session, field_id)
        if row is None:
            raise NotFoundError(no_field(field_id))
        return _record(row, row.service.service_id)


@retried
def create(name: str | None, service_id: str) -> Field:
    """Make a field; raises InvalidError, or ConflictError when the service has one of that name."""
    name = shared.mandatory_name("name", name, shared.NAME_LIMIT)
    try:
        with write() as session:
            parent = service.find(session, service_id)
            if parent is None:
                raise InvalidError(no_service(service_id))
            row = models.Field(name=name, service_id=parent.id)
            session.add(row)
            session.flush()
            history.made(session, models.Field, row.id)
            return _record(row, service_id)
    except db_exc.DBDuplicateEntry as exc:
        with db.session_for_read() as session:
            query = (
                select(models.Field.field_id)
                .join(models.Service)
                .where(models.Service.service_id == service_id, models.Field.name == name)
            )
            taken = session.execute(query).scalars().first()
        raise ConflictError(f"Field {name} already exists (UUID: {taken})") from exc
    except db_exc.DBReferenceError as exc:  # the service went away in between
        raise InvalidError(no_service(service_id)) from exc


@retried
def delete(field_id: str) -> None:
    """Remove a field and every rule of it; raises NotFoundError."""
    with write_rules() as session:
        row = find(session, field_id)
        if row is None:
            raise NotFoundError(no_field(field_id))
        for rule in (models.Mapping, models.Threshold):
            history.remove(session, rule, rule.field_id == row.id)
        history.remove(session, models.Field, models.Field.id == row.id)


def _record(row: models.Field, service_id: str) -> Field:
    return Field(field_id=row.field_id, name=row.name, service_id=service_id)
