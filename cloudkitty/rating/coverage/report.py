# SPDX-License-Identifier: Apache-2.0
"""What was found: usage without a price, rules without usage, rules that charge twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, Final, Literal

from cloudkitty.rating.coverage.tally import Tally
from cloudkitty.rating.hashmap.rules import DEFAULT_GROUP, MappingRule, ThresholdRule


class Level(IntEnum):
    """How bad something is; what is fine is told all the same."""

    FINE = 0
    WARNING = 1
    ERROR = 2


class Reason(StrEnum):
    """Why usage has no price."""

    OFF = "hashmap_off"
    NO_SERVICE = "no_service"
    NO_RULES = "no_rules"
    NO_MATCH = "no_match"
    ONLY_RATES = "only_rates"
    BELOW_THRESHOLD = "below_threshold"
    PRICED_NOW = "priced_now"
    AT_ZERO = "at_zero"
    IDLE = "idle"


class Unused(StrEnum):
    """Why a rule matches nothing."""

    SERVICE_NOT_SEEN = "service_not_seen"
    SCOPE_NOT_SEEN = "scope_not_seen"
    REPLACED = "replaced"
    FIELD_NOT_SEEN = "field_not_seen"
    VALUE_NOT_SEEN = "value_not_seen"
    LEVEL_NOT_REACHED = "level_not_reached"
    OUTRANKED = "outranked"
    OTHER_TIME = "other_time"
    NOT_IN_FORCE = "not_in_force"


class Overlap(StrEnum):
    """How rules come together."""

    SAME_KEY = "same_key"
    TENANT_ADDS = "tenant_adds"
    SAME_PARENT = "same_parent"
    GROUPS_ADD = "groups_add"


#: What the codes say, for people.
TEXTS: Final[Mapping[str, str]] = {
    Reason.OFF: "hashmap is off, and nothing else has given it a price",
    Reason.NO_SERVICE: "hashmap has no service of this name",
    Reason.NO_RULES: "the service has no rules in force",
    Reason.NO_MATCH: "no rule knows these values",
    Reason.ONLY_RATES: "only rates apply, and there is no flat price to multiply",
    Reason.BELOW_THRESHOLD: "the quantity is below every threshold with a price",
    Reason.PRICED_NOW: "the present rules give it a price, but it was rated or posted without",
    Reason.AT_ZERO: "a rule of cost 0 applies",
    Reason.IDLE: "the quantity is 0",
    Unused.SERVICE_NOT_SEEN: "there is no usage of this service",
    Unused.SCOPE_NOT_SEEN: "the scope has no usage of this service",
    Unused.REPLACED: "other rules with the same key replace it",
    Unused.FIELD_NOT_SEEN: "no usage has this field",
    Unused.VALUE_NOT_SEEN: "no usage has this value while the rule is in force",
    Unused.LEVEL_NOT_REACHED: "nothing reaches this level while the rule is in force",
    Unused.OUTRANKED: "what reaches this level reaches a higher one, too, which counts",
    Unused.OTHER_TIME: "there is no usage of this service while the rule is in force",
    Unused.NOT_IN_FORCE: "it is not in force in this interval",
    Overlap.SAME_KEY: "two rules with the same key are in force at once: the later one counts",
    Overlap.TENANT_ADDS: "a rule of the scope is in another group than the general one, which it "
    "therefore does not replace: both are charged",
    Overlap.SAME_PARENT: "several groups have a price for the same thing: it is charged for each",
    Overlap.GROUPS_ADD: "prices of several groups are added, as groups are for",
}

#: Of rules.
Kind = Literal["mapping", "threshold"]


@dataclass(slots=True)
class Values:
    """Values of the fields that rules look at, None for a field that is absent."""

    values: Mapping[str, str | None]
    tally: Tally


@dataclass(slots=True)
class Unpriced:
    """Usage of one metric type that has no price, for one reason.

    `values` are the largest, `more` says how many further ones there are.
    """

    metric: str
    unit: str
    reason: Reason
    tally: Tally
    values: list[Values]
    more: int
    ignored: bool


@dataclass(slots=True)
class UnusedRule:
    """A rule that no usage matches."""

    level: Level
    reason: Unused
    rule: MappingRule | ThresholdRule
    replaced_by: list[str] = field(default_factory=list)


@dataclass(slots=True)
class OverlapPart:
    """The rules of one parent in one group that take part; `rules` are some of their ids."""

    group: str | None
    field: str | None
    kind: Kind
    rules: list[str]


@dataclass(frozen=True, slots=True)
class Example:
    """A series; `values` are those of the fields that rules look at."""

    scope: str | None
    groupby: Mapping[str, Any]
    values: Mapping[str, str | None]


@dataclass(slots=True)
class Overlapping:
    """Rules that apply to the same usage; the example is a series that has it."""

    level: Level
    kind: Overlap
    service: str
    parts: list[OverlapPart]
    tally: Tally
    example: Example | None


@dataclass(slots=True)
class Ledger:
    """All points, each counted once."""

    points: int = 0
    priced: int = 0
    at_zero: int = 0
    idle: int = 0
    unpriced: int = 0
    ignored: int = 0
    price: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ModuleState:
    """A rating module that is installed."""

    name: str
    enabled: bool


@dataclass(slots=True)
class Coverage:
    """What rules cover. Lists have the worst first, and at most so many as was asked for."""

    begin: dt.datetime
    end: dt.datetime
    modules: list[ModuleState]
    notes: list[str]
    ledger: Ledger
    unpriced: list[Unpriced] = field(default_factory=list)
    at_zero: list[Unpriced] = field(default_factory=list)
    unused: list[UnusedRule] = field(default_factory=list)
    overlaps: list[Overlapping] = field(default_factory=list)
    #: How many there are of each, those of level WARNING by name of the list.
    totals: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)


def kind(rule: MappingRule | ThresholdRule) -> Kind:
    """Say what a rule is."""
    return "mapping" if isinstance(rule, MappingRule) else "threshold"


def group(rule: MappingRule | ThresholdRule) -> str | None:
    """Give the group of a rule; None for none."""
    return None if rule.group == DEFAULT_GROUP else rule.group
