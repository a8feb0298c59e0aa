# SPDX-License-Identifier: Apache-2.0
"""Which rating modules a simulation goes through, in what order, and by which rules.

It is what rating would be like if the document were applied: a module that the document has a part
for rates by that, any other by its present rules; whether a module is on, and its priority, is as
the document says, else as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cloudkitty.db import module_info
from cloudkitty.rating import modules
from cloudkitty.rating.base import RatingProcessorBase
from cloudkitty.rating.document import Document
from cloudkitty.rating.document import model as document_model
from cloudkitty.rating.hashmap import record as hashmap_record
from cloudkitty.rating.hashmap import rules as hashmap_rules
from cloudkitty.rating.hashmap.tariff import Tariffs
from cloudkitty.rating.pyscripts import record as pyscripts_record
from cloudkitty.rating.snapshots import RecordedModule, RuleSet

HASHMAP: Final = document_model.HASHMAP
PYSCRIPTS: Final = document_model.PYSCRIPTS
#: What never changes a price.
_NOOP: Final = "noop"


class UnusableError(ValueError):
    """A document makes no sense here: the text says what and why."""


@dataclass(frozen=True, slots=True)
class Link:
    """A module that rates; `drafted`: by the rules of the document."""

    name: str
    priority: int
    drafted: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """The modules that rate, in order."""

    links: tuple[Link, ...]
    _document: Document

    @property
    def by_hashmap_alone(self) -> bool:
        """Whether no other module may change a price."""
        return all(link.name == HASHMAP for link in self.links)

    def tariffs(self) -> Tariffs:
        """Give the rules of hashmap, none if it is off.

        Raises UnusableError for present ones that make no sense, and what the database raises.
        """
        for link in self.links:
            if link.name == HASHMAP:
                return Tariffs(self._document.hashmap if link.drafted else _present())
        return Tariffs(hashmap_rules.Rules((), (), ()))

    def rule_set(self) -> RuleSet:
        """Give all rules in the form that :class:`cloudkitty.rating.modules.Rating` takes."""
        return RuleSet(
            "simulation",
            tuple(
                RecordedModule(link.name, link.priority, self._snapshot(link))
                for link in self.links
            ),
        )

    def _snapshot(self, link: Link) -> dict[str, Any] | None:
        if not link.drafted:
            return None
        if link.name == HASHMAP:
            return hashmap_record.parts(self._document.hashmap)
        return pyscripts_record.parts(self._document.pyscripts)


def of(document: Document) -> Chain:
    """Give the modules that a document leads to; raises what the database raises.

    Raises UnusableError for what can have no effect, or cannot be done.
    """
    links = []
    installed = modules.find()
    unknown = document.modules.keys() - installed.classes.keys() - installed.broken.keys()
    if unknown:
        raise UnusableError(f"modules: no such rating module: {', '.join(sorted(unknown))}")
    for name, enabled, priority in _states(installed):
        said = document.modules.get(name)
        on = enabled if said is None or said.enabled is None else said.enabled
        if said is not None and said.priority is not None:
            priority = said.priority or 1  # noqa: PLW2901 - what counts from here on
        drafted = name in document.sections and name in {HASHMAP, PYSCRIPTS}
        if not on:
            if drafted and _has_rules(document, name) and (said is None or said.enabled is None):
                raise UnusableError(
                    f"{name}: the module is off, so its rules have no effect; to try them say "
                    f"modules: {{{name}: {{enabled: true}}}}"
                )
            continue
        if name in installed.broken:
            raise UnusableError(
                f"rating module {name!r} could not be loaded: {installed.broken[name]}"
            )
        if name != _NOOP:
            links.append(Link(name, priority, drafted))
    return Chain(tuple(sorted(links, key=lambda link: (-link.priority, link.name))), document)


def check(document: Document) -> None:
    """Raise UnusableError for a document that makes no sense here; and what the database raises."""
    of(document)


def _present() -> hashmap_rules.Rules:
    try:
        return hashmap_rules.load()
    except ValueError as exc:
        raise UnusableError(str(exc)) from exc


def _has_rules(document: Document, name: str) -> bool:
    if name == HASHMAP:
        return bool(document.mappings or document.thresholds)
    return bool(document.scripts)


def _states(installed: modules.Modules) -> Iterator[tuple[str, bool, int]]:
    """Yield name, whether it is on, and priority of every module there is."""
    stored = module_info.all_states()
    for name, cls in installed.classes.items():
        enabled, priority = stored.get(cls.module_name or name, (False, 1))
        # Most leave both to the base class, whose answer is what is stored.
        if cls.enabled is not RatingProcessorBase.enabled:
            enabled = bool(cls().enabled)
        if cls.priority is not RatingProcessorBase.priority:
            priority = int(cls().priority)
        yield name, enabled, priority
    for name in installed.broken:
        enabled, priority = stored.get(name, (False, 1))
        yield name, enabled, priority
