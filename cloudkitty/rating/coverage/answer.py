# SPDX-License-Identifier: Apache-2.0
"""What was found as it is given to others: the API's answer, and the command's JSON."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Literal, TypedDict

from cloudkitty import timeutils
from cloudkitty.rating.coverage.report import (
    TEXTS,
    Coverage,
    Example,
    Level,
    OverlapPart,
    Overlapping,
    Unpriced,
    UnusedRule,
    group,
    kind,
)
from cloudkitty.rating.hashmap.rules import MappingRule, ThresholdRule, trimmed

Result = Literal["ok", "warning"]


class RatingModule(TypedDict):
    """A rating module and whether it is on."""

    module_id: str
    enabled: bool


class PointCounts(TypedDict):
    """All points of the interval, each counted in one of the others."""

    total: int
    priced: int
    priced_at_zero: int
    without_quantity: int
    unpriced: int
    ignored: int


class UsageValues(TypedDict):
    """Usage with the same values of the fields that rules look at; null for an absent one."""

    values: dict[str, str | None]
    points: int
    qty: Decimal
    series: int
    scopes: int


class UnpricedUsage(TypedDict):
    """Usage of one metric type without a price, for one reason.

    `values` are those with the most points, `more_values` is how many others there are.
    """

    type: str
    unit: str
    reason: str
    text: str
    ignored: bool
    points: int
    qty: Decimal
    series: int
    scopes: int
    values: list[UsageValues]
    more_values: int


class UnusedMappingOrThreshold(TypedDict):
    """A rule that no usage matches; one that is not in force is none the worse."""

    result: Result
    reason: str
    text: str
    replaced_by: list[str]
    kind: Literal["mapping", "threshold"]
    id: str
    service: str
    field: str | None
    value: str | None
    level: Decimal | None
    group: str | None
    tenant_id: str | None
    type: Literal["flat", "rate"]
    cost: Decimal
    start: dt.datetime | None
    end: dt.datetime | None


class OverlappingRules(TypedDict):
    """Rules of one parent in one group; `rules` are the ids of some of them."""

    group: str | None
    field: str | None
    kind: Literal["mapping", "threshold"]
    rules: list[str]


class OverlapExample(TypedDict):
    """A series that the rules apply to."""

    scope_id: str | None
    groupby: dict[str, Any]
    values: dict[str, str | None]


class RuleOverlap(TypedDict):
    """Rules that apply to the same usage."""

    result: Result
    kind: str
    text: str
    service: str
    parts: list[OverlappingRules]
    points: int
    qty: Decimal
    series: int
    scopes: int
    example: OverlapExample | None


class FindingCounts(TypedDict):
    """How many entries the lists would have without a limit."""

    unpriced: int
    priced_at_zero: int
    unused_rules: int
    overlaps: int


class WarningCounts(TypedDict):
    """How many of them are warnings."""

    unpriced: int
    unused_rules: int
    overlaps: int


class RatingCoverage(TypedDict):
    """What rules cover; the worst and largest come first in each list."""

    begin: dt.datetime
    end: dt.datetime
    result: Result
    modules: list[RatingModule]
    notes: list[str]
    points: PointCounts
    price: Decimal
    totals: FindingCounts
    warnings: WarningCounts
    unpriced: list[UnpricedUsage]
    priced_at_zero: list[UnpricedUsage]
    unused_rules: list[UnusedMappingOrThreshold]
    overlaps: list[RuleOverlap]


def of(found: Coverage) -> RatingCoverage:
    """Give what was found; numbers are Decimals, dates in the local zone."""
    ledger = found.ledger
    return {
        "begin": timeutils.as_local(found.begin),
        "end": timeutils.as_local(found.end),
        "result": "warning" if any(found.warnings.values()) else "ok",
        "modules": [{"module_id": one.name, "enabled": one.enabled} for one in found.modules],
        "notes": found.notes,
        "points": {
            "total": ledger.points,
            "priced": ledger.priced,
            "priced_at_zero": ledger.at_zero,
            "without_quantity": ledger.idle,
            "unpriced": ledger.unpriced,
            "ignored": ledger.ignored,
        },
        "price": trimmed(ledger.price),
        "totals": {
            "unpriced": found.totals["unpriced"],
            "priced_at_zero": found.totals["at_zero"],
            "unused_rules": found.totals["unused"],
            "overlaps": found.totals["overlaps"],
        },
        "warnings": {
            "unpriced": found.warnings["unpriced"],
            "unused_rules": found.warnings["unused"],
            "overlaps": found.warnings["overlaps"],
        },
        "unpriced": [_unpriced(one) for one in found.unpriced],
        "priced_at_zero": [_unpriced(one) for one in found.at_zero],
        "unused_rules": [_unused(one) for one in found.unused],
        "overlaps": [_overlap(one) for one in found.overlaps],
    }


def _unpriced(one: Unpriced) -> UnpricedUsage:
    return {
        "type": one.metric,
        "unit": one.unit,
        "reason": one.reason.value,
        "text": TEXTS[one.reason],
        "ignored": one.ignored,
        "points": one.tally.points,
        "qty": trimmed(one.tally.qty),
        "series": one.tally.series,
        "scopes": one.tally.scopes,
        "values": [
            {
                "values": dict(some.values),
                "points": some.tally.points,
                "qty": trimmed(some.tally.qty),
                "series": some.tally.series,
                "scopes": some.tally.scopes,
            }
            for some in one.values
        ],
        "more_values": one.more,
    }


def _unused(one: UnusedRule) -> UnusedMappingOrThreshold:
    rule = one.rule
    return {
        "result": _result(one.level),
        "reason": one.reason.value,
        "text": TEXTS[one.reason],
        "replaced_by": one.replaced_by,
        "kind": kind(rule),
        "id": rule.id,
        "service": rule.service,
        "field": rule.field,
        "value": rule.value if isinstance(rule, MappingRule) else None,
        "level": rule.level if isinstance(rule, ThresholdRule) else None,
        "group": group(rule),
        "tenant_id": rule.tenant,
        "type": "flat" if rule.price.flat else "rate",
        "cost": rule.price.cost,
        "start": _aware(rule.start),
        "end": _aware(rule.end),
    }


def _aware(date: dt.datetime | None) -> dt.datetime | None:
    return None if date is None else date.replace(tzinfo=timeutils.local_timezone())


def _overlap(one: Overlapping) -> RuleOverlap:
    return {
        "result": _result(one.level),
        "kind": one.kind.value,
        "text": TEXTS[one.kind],
        "service": one.service,
        "parts": [_part(part) for part in one.parts],
        "points": one.tally.points,
        "qty": trimmed(one.tally.qty),
        "series": one.tally.series,
        "scopes": one.tally.scopes,
        "example": _example(one.example),
    }


def _example(one: Example | None) -> OverlapExample | None:
    if one is None:
        return None
    return {"scope_id": one.scope, "groupby": dict(one.groupby), "values": dict(one.values)}


def _part(one: OverlapPart) -> OverlappingRules:
    return {
        "group": one.group,
        "field": one.field,
        "kind": one.kind,
        "rules": one.rules,
    }


def _result(level: Level) -> Result:
    return "warning" if level is Level.WARNING else "ok"
