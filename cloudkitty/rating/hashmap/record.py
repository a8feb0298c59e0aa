# SPDX-License-Identifier: Apache-2.0
"""hashmap's rules as data that can be kept, and back (:mod:`cloudkitty.rating.snapshots`).

A part for each service: prices look at the order of rules within a service only (rating.md 4.2).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from cloudkitty.rating.hashmap.rules import MappingRule, Price, Rules, ThresholdRule

_Rule = MappingRule | ThresholdRule


def parts(rules: Rules) -> dict[str, Any]:
    """Give service -> its rules, as JSON data."""
    found: dict[str, dict[str, list[Any]]] = {
        service: {"mappings": [], "thresholds": []} for service in rules.services
    }
    for mapping in rules.mappings:
        found[mapping.service]["mappings"].append([*_common(mapping), mapping.value])
    for threshold in rules.thresholds:
        level = str(threshold.level)
        found[threshold.service]["thresholds"].append([*_common(threshold), level])
    return found


def rules(parts: Mapping[str, Any]) -> Rules:
    """Give the rules of parts; raises KeyError, TypeError or ValueError for what is none."""
    return Rules(
        tuple(sorted(parts)),
        tuple(_mapping(service, row) for service in parts for row in parts[service]["mappings"]),
        tuple(
            _threshold(service, row) for service in parts for row in parts[service]["thresholds"]
        ),
    )


def _common(rule: _Rule) -> list[Any]:
    price = [rule.price.flat, str(rule.price.cost)]
    dates = [date and date.isoformat() for date in (rule.start, rule.end)]
    return [rule.id, rule.field, rule.group, rule.tenant, *price, *dates]


def _mapping(service: str, row: Sequence[Any]) -> MappingRule:
    id_, field, group, tenant, flat, cost, start, end, value = row
    price = Price(flat, Decimal(cost))
    dates = dt.datetime.fromisoformat(start), _date(end)
    return MappingRule(service, field, group, value, price, tenant, *dates, id_)


def _threshold(service: str, row: Sequence[Any]) -> ThresholdRule:
    id_, field, group, tenant, flat, cost, start, end, level = row
    price = Price(flat, Decimal(cost))
    dates = _date(start), _date(end)
    return ThresholdRule(service, field, group, Decimal(level), price, tenant, *dates, id_)


def _date(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)
