# SPDX-License-Identifier: Apache-2.0
"""What mappings and thresholds hang on: a service or a field, and perhaps a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from cloudkitty.rating.common import values as shared
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import field, group, service
from cloudkitty.rating.hashmap.store.errors import InvalidError, no_field, no_group, no_service


@dataclass(frozen=True, slots=True)
class Parents:
    """Where a rule hangs, as the tables number it; `kind` and `uuid` are for messages."""

    kind: str
    uuid: str
    service_id: int | None
    field_id: int | None

    def owns(self, rule: type[Any]) -> ColumnElement[bool]:
        """Give the condition for the rules of this parent."""
        if self.service_id is not None:
            condition: ColumnElement[bool] = rule.service_id == self.service_id
        else:
            condition = rule.field_id == self.field_id
        return condition


def resolve(session: Session, service_id: str | None, field_id: str | None) -> Parents:
    """Give the one parent that is named; raises InvalidError when it does not exist."""
    if service_id:
        row = service.find(session, service_id)
        if row is None:
            raise InvalidError(no_service(service_id))
        return Parents("service", service_id, row.id, None)
    parent = field.find(session, field_id or "")
    if parent is None:
        raise InvalidError(no_field(field_id or ""))
    return Parents("field", field_id or "", None, parent.id)


def of_rule(row: models.Mapping | models.Threshold) -> Parents:
    """Give the parent that a stored rule has."""
    if row.service is not None:
        return Parents("service", row.service.service_id, row.service_id, None)
    uuid = row.field.field_id if row.field is not None else ""
    return Parents("field", uuid, None, row.field_id)


def resolve_group(session: Session, group_id: str | None) -> int | None:
    """Give the number of a group, None for none; raises InvalidError when it does not exist."""
    if not group_id:
        return None
    row = group.find(session, group_id)
    if row is None:
        raise InvalidError(no_group(group_id))
    return row.id


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFilter:
    """Which mappings or thresholds to list; everything is ANDed (contract api.md 7.5).

    `field_id` is ignored with `service_id`, `no_group` with `group_id`, `tenant_id` without
    `filter_tenant`.
    """

    service_id: str | None = None
    field_id: str | None = None
    group_id: str | None = None
    no_group: bool = False
    tenant_id: str | None = None
    filter_tenant: bool = False

    def admits_tenant(self, tenant_id: str | None) -> bool:
        """Whether a rule of that tenant is asked for; compared exactly on every database."""
        return not self.filter_tenant or (self.tenant_id or None) == tenant_id


def select_rules(rule: type[Any]) -> Select[Any]:
    """Give the query for rules with the UUIDs of what they hang on, in order of creation."""
    return (
        select(
            rule,
            models.Service.service_id,
            models.Field.field_id,
            models.Group.group_id,
        )
        .outerjoin(models.Service, models.Service.id == rule.service_id)
        .outerjoin(models.Field, models.Field.id == rule.field_id)
        .outerjoin(models.Group, models.Group.id == rule.group_id)
        .order_by(rule.id)
    )


#: What `conditions` gives when nothing can match.
NOTHING: Final = None


def conditions(rule: type[Any], wanted: RuleFilter) -> list[ColumnElement[bool]] | None:
    """Give the SQL conditions of a filter for `select_rules`, NOTHING when nothing can match."""
    ids = (wanted.service_id, wanted.field_id, wanted.group_id)
    if not all(shared.maybe_id(text) for text in ids if text):
        return NOTHING
    if wanted.filter_tenant and not shared.storable(wanted.tenant_id or ""):
        return NOTHING
    found: list[ColumnElement[bool]] = []
    if wanted.service_id:
        found.append(models.Service.service_id == wanted.service_id)
    elif wanted.field_id:
        found.append(models.Field.field_id == wanted.field_id)
    if wanted.group_id:
        found.append(models.Group.group_id == wanted.group_id)
    elif wanted.no_group:
        found.append(rule.group_id.is_(None))
    if wanted.filter_tenant:
        found.append(rule.tenant_id == (wanted.tenant_id or None))
    return found
