# SPDX-License-Identifier: Apache-2.0
"""Puts rules into the tables as they are, also such as the API would refuse."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from cloudkitty import db
from cloudkitty.rating.hashmap import models

LONG_AGO = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - rule dates are naive


def clear():
    with db.session_for_write() as session:
        for model in (
            models.Mapping,
            models.Threshold,
            models.Field,
            models.Service,
            models.Group,
        ):
            session.query(model).delete()


class Rulebook:
    """Rules by readable names; a parent is "service" or "service/field"."""

    def __init__(self, session):
        self._session = session
        self._rows = {}

    def _row(self, model, path, **columns):
        key = (model, path)
        if key not in self._rows:
            self._rows[key] = self._add(model(**columns))
        return self._rows[key]

    def _add(self, row):
        self._session.add(row)
        self._session.flush()
        return row

    def parent(self, path):
        name, _, field = path.partition("/")
        service = self._row(models.Service, name, name=name)
        if not field:
            return {"service_id": service.id}
        row = self._row(models.Field, path, name=field, service_id=service.id)
        return {"field_id": row.id}

    def group(self, name):
        return None if name is None else self._row(models.Group, name, name=name).id

    def mapping(self, path, cost, *, value=None, kind="flat", group=None, **columns):
        columns = {"start": LONG_AGO, "created_by": "t", **columns}
        row = models.Mapping(
            **self.parent(path),
            group_id=self.group(group),
            value=value,
            map_type=kind,
            cost=Decimal(cost),
            **columns,
        )
        return self._add(row)

    def threshold(self, path, level, cost, *, kind="flat", group=None, **columns):
        row = models.Threshold(
            **self.parent(path),
            group_id=self.group(group),
            level=None if level is None else Decimal(level),
            map_type=kind,
            cost=Decimal(cost),
            **columns,
        )
        return self._add(row)


def load_case(rules):
    """Replace all rules by those of a vector (vectors/README.md)."""
    clear()
    names = {s["id"]: s["name"] for s in rules["services"]}
    paths = dict(names)
    for field in rules["fields"]:
        paths[field["id"]] = f"{names[field['service']]}/{field['name']}"
    groups = {g["id"]: g["name"] for g in rules["groups"]}

    def date(rule, name):
        text = rule.get(name)
        return None if text is None else dt.datetime.fromisoformat(text)

    with db.session_for_write() as session:
        book = Rulebook(session)
        for path in paths.values():
            book.parent(path)
        for name in groups.values():
            book.group(name)
        for rule in rules["mappings"]:
            book.mapping(
                paths[rule.get("service") or rule["field"]],
                rule["cost"],
                value=rule.get("value"),
                kind=rule["type"],
                group=groups.get(rule.get("group")),
                tenant_id=rule.get("tenant_id"),
                start=date(rule, "start") or LONG_AGO,
                end=date(rule, "end"),
                deleted=date(rule, "deleted"),
            )
        for rule in rules["thresholds"]:
            book.threshold(
                paths[rule.get("service") or rule["field"]],
                rule["level"],
                rule["cost"],
                kind=rule["type"],
                group=groups.get(rule.get("group")),
                tenant_id=rule.get("tenant_id"),
            )
