# SPDX-License-Identifier: Apache-2.0
"""Groups of hashmap rules (contract api.md 7.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oslo_db import exception as db_exc
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.rating.common import values as shared
from cloudkitty.rating.common.db.transaction import retried, write
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import history
from cloudkitty.rating.hashmap.store.errors import ConflictError, NotFoundError, no_group
from cloudkitty.rating.hashmap.store.transaction import write_rules


@dataclass(frozen=True, slots=True)
class Group:
    """A bucket of one calculation."""

    group_id: str
    name: str


def find(session: Session, group_id: str) -> models.Group | None:
    """Give the row of a group, None when there is none."""
    if not shared.maybe_id(group_id):
        return None
    query = select(models.Group).where(models.Group.group_id == group_id)
    return session.execute(query).scalar_one_or_none()


def get_all() -> list[Group]:
    """Give all groups in order of creation."""
    with db.session_for_read() as session:
        rows = session.execute(select(models.Group).order_by(models.Group.id)).scalars()
        return [_record(row) for row in rows]


def get(group_id: str) -> Group:
    """Give one group; raises NotFoundError."""
    with db.session_for_read() as session:
        row = find(session, group_id)
        if row is None:
            raise NotFoundError(no_group(group_id))
        return _record(row)


@retried
def create(name: str | None) -> Group:
    """Make a group; raises InvalidError, or ConflictError when the name is taken."""
    name = shared.mandatory_name("name", name, shared.NAME_LIMIT)
    try:
        with write() as session:
            row = models.Group(name=name)
            session.add(row)
            session.flush()
            history.made(session, models.Group, row.id)
            return _record(row)
    except db_exc.DBDuplicateEntry as exc:
        with db.session_for_read() as session:
            query = select(models.Group.group_id).where(models.Group.name == name)
            taken = session.execute(query).scalars().first()
        raise ConflictError(f"Group {name} already exists (UUID: {taken})") from exc


@retried
def delete(group_id: str, *, recursive: bool = False) -> None:
    """Remove a group; raises NotFoundError.

    Its rules stay, without group; with `recursive` they are removed, deleted mappings included.
    """
    with write_rules() as session:
        row = find(session, group_id)
        if row is None:
            raise NotFoundError(no_group(group_id))
        for rule in (models.Mapping, models.Threshold):
            members = rule.group_id == row.id
            if recursive:
                history.remove(session, rule, members)
            else:
                with history.watch(session, rule, members):
                    session.execute(update(rule).where(members).values(group_id=None))
        history.remove(session, models.Group, models.Group.id == row.id)


def of_mapping(mapping_id: str) -> Group:
    """Give the group of a mapping; raises NotFoundError when it has none, or does not exist."""
    found = _of_rule(models.Mapping, models.Mapping.mapping_id == mapping_id, mapping_id)
    if found is None:
        raise NotFoundError(f"Mapping has no group (UUID: {mapping_id})")
    return found


def of_threshold(threshold_id: str) -> Group:
    """Give the group of a threshold; raises NotFoundError when it has none, or does not exist."""
    rule = models.Threshold
    found = _of_rule(rule, rule.threshold_id == threshold_id, threshold_id)
    if found is None:
        raise NotFoundError(f"Threshold has no group (UUID: {threshold_id})")
    return found


def _of_rule(rule: type[Any], is_it: ColumnElement[bool], rule_id: str) -> Group | None:
    if not shared.maybe_id(rule_id):
        return None
    with db.session_for_read() as session:
        query = select(models.Group).join(rule, rule.group_id == models.Group.id).where(is_it)
        row = session.execute(query).scalar_one_or_none()
        return None if row is None else _record(row)


def _record(row: models.Group) -> Group:
    return Group(group_id=row.group_id, name=row.name)
