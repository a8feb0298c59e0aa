# SPDX-License-Identifier: Apache-2.0
"""Rates stored usage by a document, in whichever way is the fastest that gives the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cloudkitty import timeutils
from cloudkitty.rating.document import Document
from cloudkitty.rating.step import ModuleError
from cloudkitty.simulation import chain as chains
from cloudkitty.simulation import pointwise, sums
from cloudkitty.simulation.exact import total
from cloudkitty.simulation.groups import Groups
from cloudkitty.state.simulations import Question, Row
from cloudkitty.storage.v2.base import BaseStorage, TooManyRows, Unsupported


class SimulationError(Exception):
    """There can be no result; the text says why, for whoever asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found: rows in the order of a summary, and the modules that rated."""

    rows: list[Row]
    links: tuple[chains.Link, ...]
    #: Points of periods that nobody rated: they keep their prices.
    posted: int

    @property
    def answer(self) -> dict[str, Any]:
        """Give all but the rows, as JSON data; numbers are texts."""
        return {
            "modules": [
                {
                    "module_id": link.name,
                    "priority": link.priority,
                    "rules": "document" if link.drafted else "current",
                }
                for link in self.links
            ],
            "points": sum(row.points for row in self.rows),
            "posted": self.posted,
            "current": _text(total(row.current for row in self.rows)),
            "simulated": _text(total(row.simulated for row in self.rows)),
        }


def simulate(
    storage: BaseStorage,
    question: Question,
    document: Document,
    progress: Callable[[float], None],
    most_rows: int = 0,
) -> Outcome:
    """Rate what is stored of an interval by a document; nothing is written.

    `progress` is told now and then what part is done, and may raise what is to end it. There may
    be `most_rows` groups (0: any number). Raises SimulationError, and what the database raises.
    """
    groups = Groups(question.groupby, question.filters, storage.period, most_rows)
    scopes = question.filters.get(storage.conf.collect.scope_key)
    limits = timeutils.from_epoch(question.first), timeutils.from_epoch(question.stop)
    try:
        chain = chains.of(document)
        if chain.by_hashmap_alone:
            posted = sums.run(storage, limits, scopes, chain.tariffs(), groups, progress)
        else:
            posted = pointwise.run(storage, limits, scopes, chain.rule_set(), groups, progress)
    except TooManyRows as exc:
        raise SimulationError(
            f"there are more than {most_rows} groups (limit of this service: "
            "[simulations] max_rows)"
        ) from exc
    except (chains.UnusableError, ModuleError, Unsupported) as exc:
        raise SimulationError(str(exc)) from exc
    rows = [
        Row(values, bucket, found.points, found.qty, found.current, found.simulated)
        for (values, bucket), found in groups.ordered()
    ]
    return Outcome(rows, chain.links, posted)


def _text(number: Decimal) -> str:
    return format(number, "f")
