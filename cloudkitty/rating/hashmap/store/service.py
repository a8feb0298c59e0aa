# SPDX-License-Identifier: Apache-2.0
"""Services of hashmap (contract api.md 7.2)."""

from __future__ import annotations

from dataclasses import dataclass

from oslo_db import exception as db_exc
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.db.transaction import retried, write
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import history
from cloudkitty.rating.hashmap.store.errors import ConflictError, NotFoundError, no_service
from cloudkitty.rating.hashmap.store.transaction import write_rules


@dataclass(frozen=True, slots=True)
class Service:
    """A metric, by its name in data frames."""

    service_id: str
    name: str


def find(session: Session, service_id: str) -> models.Service | None:
    """Give the row of a service, None when there is none."""
    if not shared.maybe_id(service_id):
        return None
    query = select(models.Service).where(models.Service.service_id == service_id)
    return session.execute(query).scalar_one_or_none()


def get_all() -> list[Service]:
    """Give all services in order of creation."""
    with db.session_for_read() as session:
        rows = session.execute(select(models.Service).order_by(models.Service.id)).scalars()
        return [_record(row) for row in rows]


def get(service_id: str) -> Service:
    """Give one service; raises NotFoundError."""
    with db.session_for_read() as session:
        row = find(session, service_id)
        if row is None:
            raise NotFoundError(no_service(service_id))
        return _record(row)


@retried
def create(name: str | None) -> Service:
    """Make a service; raises InvalidError, or ConflictError when the name is taken."""
    name = shared.mandatory_name("name", name, shared.NAME_LIMIT)
    try:
        with write() as session:
            row = models.Service(name=name)
            session.add(row)
            session.flush()
            history.made(session, models.Service, row.id)
            return _record(row)
    except db_exc.DBDuplicateEntry as exc:
        # Compared by the database: a collation may take another spelling for the same name.
        with db.session_for_read() as session:
            query = select(models.Service.service_id).where(models.Service.name == name)
            taken = session.execute(query).scalars().first()
        raise ConflictError(f"Service {name} already exists (UUID: {taken})") from exc


@retried
def delete(service_id: str) -> None:
    """Remove a service, its fields and every rule of both; raises NotFoundError.

    Deletes what is below explicitly: databases exist whose foreign keys do not (contract
    sql-schema.md 3.2).
    """
    with write_rules() as session:
        row = find(session, service_id)
        if row is None:
            raise NotFoundError(no_service(service_id))
        fields = select(models.Field.id).where(models.Field.service_id == row.id)
        field_ids = list(session.execute(fields).scalars())
        for rule in (models.Mapping, models.Threshold):
            below = or_(rule.service_id == row.id, rule.field_id.in_(field_ids))
            history.remove(session, rule, below)
        history.remove(session, models.Field, models.Field.service_id == row.id)
        history.remove(session, models.Service, models.Service.id == row.id)


def _record(row: models.Service) -> Service:
    return Service(service_id=row.service_id, name=row.name)
