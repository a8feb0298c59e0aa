# SPDX-License-Identifier: Apache-2.0
"""The rules of hashmap as plain tuples, read for all tenants in five statements.

Everything that decides a price is in :class:`Rules`, in primary-key order (contract rating.md
4.2), and the ids of rules for who asks where it came from; two equal ones rate alike, so comparing
them tells whether anything has to be compiled anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.rating.hashmap import models

#: The group of rules that have none; a group of this name merges with them (rating.md 4.1).
DEFAULT_GROUP: Final = "_DEFAULT_"


class Price(NamedTuple):
    """What a rule does: a flat price, or a rate that multiplies."""

    flat: bool
    cost: Decimal


class MappingRule(NamedTuple):
    """A mapping; its parent is `service`, or the field of that name below it."""

    service: str
    field: str | None
    group: str
    value: str | None
    price: Price
    tenant: str | None
    start: dt.datetime
    end: dt.datetime | None
    #: What the API calls it by; empty for a rule that is not stored.
    id: str = ""


class ThresholdRule(NamedTuple):
    """A threshold; its parent is `service`, or the field of that name below it.

    The tables know no dates of thresholds: they are those of the history, where a past is rated
    again (:mod:`.history`), None for always.
    """

    service: str
    field: str | None
    group: str
    level: Decimal
    price: Price
    tenant: str | None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    #: What the API calls it by; empty for a rule that is not stored.
    id: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules at one moment, except deleted ones; dates are host-local and naive."""

    services: tuple[str, ...]
    mappings: tuple[MappingRule, ...]
    thresholds: tuple[ThresholdRule, ...]

    def version(self) -> str:
        """Give a short text that differs whenever the rules do; equal on every SQL engine."""
        return hashlib.sha256(repr(self).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class _Parents:
    """Names of what rules refer to by number."""

    def __init__(self, session: Session) -> None:
        service, field, group = models.Service, models.Field, models.Group
        self.services: dict[int, str] = dict(_rows(session, service.id, service.name))
        self.fields: dict[int, tuple[str, str]] = {
            id_: (self.services[of], name)
            for id_, of, name in _rows(session, field.id, field.service_id, field.name)
            if of in self.services
        }
        self.groups: dict[int, str] = dict(_rows(session, group.id, group.name))

    def of(self, service_id: int | None, field_id: int | None) -> tuple[str, str | None] | None:
        """Give (service, field or None); None for a rule whose parent is gone."""
        if service_id is not None:
            service = self.services.get(service_id)
            return None if service is None else (service, None)
        return None if field_id is None else self.fields.get(field_id)

    def group(self, group_id: int | None) -> str:
        return DEFAULT_GROUP if group_id is None else self.groups.get(group_id, DEFAULT_GROUP)


def load() -> Rules:
    """Read the rules of all tenants; raises what the database raises."""
    with db.session_for_read() as session:
        parents = _Parents(session)
        return Rules(
            tuple(sorted(parents.services.values())),
            tuple(_mappings(session, parents)),
            tuple(_thresholds(session, parents)),
        )


def _price(kind: str, cost: Decimal | None, rule: str) -> Price:
    # Old MySQL databases could hold rules without a cost. Nobody knows what they meant, and a
    # guess would end on a bill.
    if cost is None:
        raise ValueError(f"hashmap {rule} has no cost; give it one, or delete it")
    return Price(kind == "flat", trimmed(cost))


def trimmed(number: Decimal) -> Decimal:
    """Give the same number without trailing zeros after the point.

    Engines differ in them (1.5, 1.5000000000000000000000000000); prices made of short costs are
    short as well, which is cheaper to compute, store and send.
    """
    text = format(number, "f")
    return Decimal(text.rstrip("0").rstrip(".")) if "." in text else Decimal(text)


def _rows(session: Session, *columns: Any) -> list[Any]:
    # Loaded whole, so that the statements follow each other at once.
    return list(session.execute(select(*columns).order_by(columns[0])))


def _mappings(session: Session, parents: _Parents) -> list[MappingRule]:
    m = models.Mapping
    rows = session.execute(
        select(
            m.mapping_id,
            m.service_id,
            m.field_id,
            m.group_id,
            m.value,
            m.map_type,
            m.cost,
            m.tenant_id,
            m.start,
            m.end,
        )
        .where(m.deleted.is_(None))
        .order_by(m.id),
    )
    out = []
    for id_, service_id, field_id, group_id, value, kind, cost, tenant, start, end in rows:
        parent = parents.of(service_id, field_id)
        if parent is not None:
            price = _price(kind, cost, f"mapping {id_}")
            group = parents.group(group_id)
            out.append(MappingRule(*parent, group, value, price, tenant, start, end, id_))
    return out


def _thresholds(session: Session, parents: _Parents) -> list[ThresholdRule]:
    t = models.Threshold
    rows = session.execute(
        select(
            t.threshold_id,
            t.service_id,
            t.field_id,
            t.group_id,
            t.level,
            t.map_type,
            t.cost,
            t.tenant_id,
        ).order_by(t.id),
    )
    out = []
    for id_, service_id, field_id, group_id, level, kind, cost, tenant in rows:
        parent = parents.of(service_id, field_id)
        # A level can only be null when somebody wrote to the database (rating.md 4.8).
        if parent is not None and level is not None and level.is_finite():
            price = _price(kind, cost, f"threshold {id_}")
            group = parents.group(group_id)
            out.append(ThresholdRule(*parent, group, trimmed(level), price, tenant, id=id_))
    return out
