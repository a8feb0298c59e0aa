# SPDX-License-Identifier: Apache-2.0
"""By which rules a batch is rated: those of now, those valid then, or recorded ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cloudkitty.rating import snapshots
from cloudkitty.rating.modules import Rating
from cloudkitty.rating.step import ModuleError


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """With a `version`, the rule set recorded under it; else present modules.

    Those rate by the rules in the tables, or with `valid_then` by those that were valid when a
    period began.
    """

    valid_then: bool = False
    version: str | None = None


#: What is rated for the first time.
PRESENT: Final = RuleChoice()


class RulesGone(Exception):  # noqa: N818 - says what is, not what went wrong
    """A recorded rule set cannot be used; the text says why."""


class Ratings:
    """Gives what rates a batch, ready to."""

    def __init__(self, present: Rating) -> None:
        self._present = present
        self._recorded: tuple[str, Rating] | None = None

    def begin(self, choice: RuleChoice) -> Rating:
        """Give the rating for a batch, which has read its rules.

        Raises ModuleError, RulesGone for a recorded rule set that cannot be used, and what the
        database raises.
        """
        if choice.version is None:
            self._present.begin_batch(valid_then=choice.valid_then)
            return self._present
        if self._recorded is None or self._recorded[0] != choice.version:
            self._recorded = choice.version, self._restore(choice.version)
        rating = self._recorded[1]
        try:
            rating.begin_batch()
        except ModuleError as exc:
            self._recorded = None
            raise RulesGone(str(exc)) from exc
        return rating

    def _restore(self, version: str) -> Rating:
        try:
            found = snapshots.load(version)
        except snapshots.DamagedError as exc:
            raise RulesGone(str(exc)) from exc
        if found is None:
            raise RulesGone(f"the rule set {version} is not recorded any more")
        return self._present.by(found)
