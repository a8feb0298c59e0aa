# SPDX-License-Identifier: Apache-2.0
"""What a rule document says: rules by names, without ids and without history.

Dates are host-local and naive, as in the tables. What a document leaves out is None: `start` and
`name` as well as `description`, which is empty when it is said that there is none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from dataclasses import field as attribute
from decimal import Decimal
from typing import Final

from cloudkitty.rating.hashmap.rules import (
    DEFAULT_GROUP,
    MappingRule,
    Price,
    Rules,
    ThresholdRule,
    trimmed,
)
from cloudkitty.rating.pyscripts.scripts import Script as LoadedScript
from cloudkitty.rating.pyscripts.scripts import Scripts
from cloudkitty.rating.pyscripts.store import source
from cloudkitty.sandbox.engine import Source

#: Since when a rule of a document is valid that does not say it, where nothing is stored.
ALWAYS: Final = dt.datetime(1, 1, 1)  # noqa: DTZ001 - dates of rules are naive

#: The parts that a document may have. One that is left out is left as it is by ``apply``.
HASHMAP: Final = "hashmap"
PYSCRIPTS: Final = "pyscripts"
MODULES: Final = "modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where in its document a rule is; equal rules may be in different places."""

    line: int | None = attribute(default=None, compare=False)
    path: str = attribute(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping(Located):
    """A price for a service, or for one value of a field."""

    service: str
    field: str | None = None
    value: str | None = None
    type: str = "flat"
    cost: Decimal
    group: str | None = None
    tenant: str | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold(Located):
    """A price from some quantity, or some number in a field, upwards."""

    service: str
    field: str | None = None
    level: Decimal
    type: str = "flat"
    cost: Decimal
    group: str | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script(Located):
    """A script that rates."""

    name: str
    data: str
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(Located):
    """State of a rating module; None is what is not said."""

    enabled: bool | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Rules of all modules; rules of one parent, and scripts, in order of creation.

    `source` names it in messages, `sections` are the parts that it has, empty ones too.
    """

    source: str = ""
    sections: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    #: (service, name)
    fields: tuple[tuple[str, str], ...] = ()
    mappings: tuple[Mapping, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    scripts: tuple[Script, ...] = ()
    modules: MappingType[str, Module] = attribute(default_factory=dict)

    @property
    def hashmap(self) -> Rules:
        """The rules as the engine takes them; those without start are valid always."""
        return Rules(
            services=tuple(sorted(self.services)),
            mappings=tuple(map(_mapping_rule, self.mappings)),
            thresholds=tuple(map(_threshold_rule, self.thresholds)),
        )

    @property
    def pyscripts(self) -> Scripts:
        """The scripts as the engine takes them; those without start are valid always."""
        loaded, sources = [], {}
        for number, script in enumerate(self.scripts):
            code = source.encode(script.data)
            key = f"{number} {source.checksum(code)} {script.name}"
            sources[key] = Source(key, script.name, code)
            start = script.start or ALWAYS
            loaded.append(LoadedScript(key, number, script.name, start, script.end))
        return Scripts(loaded, sources)

    def order(self) -> tuple[str, ...]:
        """Give the modules with rules in it that are on, in the order in which they rate.

        That is a module with a part of the document, unless ``modules`` turns it off.
        """
        on = [
            (-(state.priority or 1), name)
            for name in (HASHMAP, PYSCRIPTS)
            if (state := self.modules.get(name, Module())).enabled is not False
            and name in self.sections
        ]
        return tuple(name for _, name in sorted(on))


def _mapping_rule(rule: Mapping) -> MappingRule:
    return MappingRule(
        service=rule.service,
        field=rule.field,
        group=rule.group or DEFAULT_GROUP,
        value=rule.value,
        price=Price(rule.type == "flat", trimmed(rule.cost)),
        tenant=rule.tenant,
        start=rule.start or ALWAYS,
        end=rule.end,
    )


def _threshold_rule(rule: Threshold) -> ThresholdRule:
    return ThresholdRule(
        service=rule.service,
        field=rule.field,
        group=rule.group or DEFAULT_GROUP,
        level=trimmed(rule.level),
        price=Price(rule.type == "flat", trimmed(rule.cost)),
        tenant=rule.tenant,
    )
