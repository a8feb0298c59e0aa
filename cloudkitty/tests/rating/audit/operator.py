# SPDX-License-Identifier: Apache-2.0
"""Somebody who changes hashmap's rules in every way that there is, by numbers."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from cloudkitty import db
from cloudkitty.rating.common.errors import RuleError
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.store import (
    field,
    group,
    mapping,
    mapping_update,
    parents,
    service,
    threshold,
)

SERVICES = ("cpu", "disk")
FIELDS = ("flavor", "size")
VALUES = ("small", "big")
GROUPS = ("g", "h")
TENANTS = (None, None, "a")
COSTS = ("1", "2.5", "0.5", "7")
HOUR = dt.timedelta(hours=1)


class Operator:
    """Does one thing after the other; `clock` says when. What is refused is not done."""

    def __init__(self, clock):
        self._clock = clock
        self.done = []

    def do(self, what, *numbers):
        name = ACTIONS[what % len(ACTIONS)]
        try:
            getattr(self, name)(*numbers)
        except (RuleError, IndexError):  # nothing there that it could be done to
            return
        self.done.append(name)

    def make_service(self, n, *_):
        service.create(SERVICES[n % 2])

    def make_field(self, n, m, *_):
        field.create(FIELDS[m % 2], _pick(service.get_all(), n).service_id)

    def make_group(self, n, *_):
        group.create(GROUPS[n % 2])

    def make_mapping(self, n, m, k):
        where, value = self._parent(n)
        now = self._clock.local()
        start = (None, now + 2 * HOUR, now + 5 * HOUR)[m % 3]
        mapping.create(
            mapping.NewMapping(
                cost=Decimal(COSTS[k % 4]),
                value=VALUES[m % 2] if value else None,
                type=("flat", "rate")[k % 2],
                group_id=self._group(k),
                tenant_id=TENANTS[n % 3],
                start=start,
                end=(start or now) + 6 * HOUR if k % 3 == 0 else None,
                **where,
            ),
            "user",
        )

    def close_mapping(self, n, m, _k):
        found = self._mapping(n)
        mapping_update.update(
            found.mapping_id,
            {"cost": found.cost, "end": self._clock.local() + (m % 4) * HOUR},
            "user",
        )

    def rewrite_mapping(self, n, m, k):
        later = [one for one in self._mappings() if one.start > self._clock.local()]
        mapping_update.update(
            _pick(later, n).mapping_id,
            {
                "cost": Decimal(COSTS[k % 4]),
                "start": self._clock.local() + (m % 6 + 1) * HOUR,
                "description": f"number {m}",
            },
            "user",
        )

    def delete_mapping(self, n, *_):
        mapping.delete(self._mapping(n).mapping_id, "user")

    def make_threshold(self, n, m, k):
        where, _value = self._parent(n)
        threshold.create(
            threshold.NewThreshold(
                level=Decimal(m % 3),
                cost=Decimal(COSTS[k % 4]),
                type=("flat", "rate")[k % 2],
                group_id=self._group(k),
                tenant_id=TENANTS[n % 3],
                **where,
            )
        )

    def change_threshold(self, n, m, k):
        found = _pick(threshold.get_all(parents.RuleFilter()), n)
        attributes = {"level": Decimal(m % 3), "cost": Decimal(COSTS[k % 4])}
        if k % 2:
            attributes["group_id"] = self._group(n)
        threshold.update(found.threshold_id, attributes)

    def delete_threshold(self, n, *_):
        threshold.delete(_pick(threshold.get_all(parents.RuleFilter()), n).threshold_id)

    def delete_group(self, n, m, *_):
        group.delete(_pick(group.get_all(), n).group_id, recursive=bool(m % 2))

    def delete_field(self, n, *_):
        fields = [one for each in service.get_all() for one in field.get_all(each.service_id)]
        field.delete(_pick(fields, n).field_id)

    def delete_service(self, n, *_):
        service.delete(_pick(service.get_all(), n).service_id)

    def _parent(self, n):
        """Give where a rule hangs, and whether on a field."""
        found = _pick(service.get_all(), n)
        fields = field.get_all(found.service_id)
        if not fields or n % 4 == 0:
            return {"service_id": found.service_id}, False
        return {"field_id": _pick(fields, n // 2).field_id}, True

    def _group(self, n):
        groups = group.get_all()
        return _pick(groups, n).group_id if groups and n % 3 else None

    def _mappings(self):
        return mapping.get_all(mapping.MappingFilter())

    def _mapping(self, n):
        return _pick(self._mappings(), n)


#: What is done most is there most often.
ACTIONS = (
    "make_service",
    "make_field",
    "make_field",
    "make_group",
    *["make_mapping"] * 7,
    "close_mapping",
    "rewrite_mapping",
    "delete_mapping",
    *["make_threshold"] * 4,
    "change_threshold",
    "change_threshold",
    "delete_threshold",
    "delete_group",
    "delete_field",
    "delete_service",
)


def _pick(things, n):
    return things[n % len(things)] if things else things[0]


def clear():
    """Empty the tables of rules and the audit log."""
    from cloudkitty.db.models import AuditEntry, AuditSource

    with db.session_for_write() as session:
        for model in (
            models.Mapping,
            models.Threshold,
            models.Field,
            models.Service,
            models.Group,
            AuditEntry,
            AuditSource,
        ):
            session.query(model).delete()
