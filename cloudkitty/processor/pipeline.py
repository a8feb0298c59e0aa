# SPDX-License-Identifier: Apache-2.0
"""A batch's way: collect, rate, leave out, commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from oslo_log import log

from cloudkitty.db.errors import unreachable
from cloudkitty.processor import skip
from cloudkitty.processor.gather import Gathered, Gatherer, Stopped
from cloudkitty.processor.planner import Batch
from cloudkitty.processor.rulechoice import PRESENT, Ratings, RuleChoice, RulesGone
from cloudkitty.rating.modules import Rating, RatingFailure
from cloudkitty.usage import ScopeUsage

LOG = log.getLogger(__name__)

#: Points of one transaction: few enough that it ends soon, enough that its overhead is small.
_COMMIT_POINTS: Final = 40_000

#: Stores the rated usage of some scopes of a batch, and moves them on; gives those it could move.
Store = Callable[[Sequence[ScopeUsage], Batch], Collection[str]]


@dataclass(slots=True)
class Outcome:
    """What became of a batch; scopes in neither of the two are still to be done."""

    #: Scopes that were moved on.
    moved: set[str] = field(default_factory=set)
    #: Scope id -> what went wrong.
    failed: dict[str, str] = field(default_factory=dict)
    #: Scopes that somebody else moved, switched off or reset meanwhile: the work was dropped.
    lost: set[str] = field(default_factory=set)
    points: int = 0
    idle: int = 0


class Pipeline:
    """Rates batches, one at a time."""

    def __init__(
        self,
        gatherer: Gatherer,
        rating: Rating,
        expressions: Mapping[str, skip.SkipExpression],
        stop: threading.Event,
    ) -> None:
        """`expressions` has metric name in data frames -> what to leave out."""
        self._gatherer = gatherer
        self._ratings = Ratings(rating)
        self._expressions = {n: e for n, e in expressions.items() if not e.never}
        self._stop = stop
        # While the database takes in one part of a batch, the next one is rated.
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._committing = 0

    @property
    def committing(self) -> bool:
        """Whether a transaction is under way."""
        return self._committing > 0

    def run(
        self,
        batch: Batch,
        store: Store,
        keep_alive: Callable[[], None] = lambda: None,
        rules: RuleChoice = PRESENT,
    ) -> Outcome:
        """Take a batch through; `keep_alive` is called before each part is stored.

        Raises Stopped, ModuleError, and what the database raises for the rules.
        """
        gathered = self._gatherer.gather(batch)
        outcome = Outcome(failed=gathered.failed)
        if not gathered.usages:
            return outcome
        try:
            rating = self._ratings.begin(rules)
        except RulesGone as exc:
            outcome.failed |= {usage.scope_id: str(exc) for usage in gathered.usages}
            return outcome
        # Before any point refers to them.
        rules_version = rating.record()
        pending: Future[None] | None = None
        try:
            for part in _parts(gathered):
                self._rate(rating, part, outcome)
                for usage in part:
                    usage.rules_version = rules_version
                if pending is not None:
                    pending.result()
                    pending = None
                if self._stop.is_set():
                    raise Stopped
                keep_alive()
                pending = self._committer.submit(self._commit, part, batch, store, outcome)
        finally:
            if pending is not None:
                pending.result()
        return outcome

    def _rate(self, rating: Rating, part: list[ScopeUsage], outcome: Outcome) -> None:
        """Set prices; takes out of `part` the scopes that cannot be rated."""
        try:
            rating.rate(part)
        except RatingFailure as exc:
            outcome.failed |= {s: f"rating failed: {why}" for s, why in exc.failed.items()}
            part[:] = [usage for usage in part if usage.scope_id not in exc.failed]
        if self._expressions:
            for usage in part:
                self._leave_out(usage)

    def _leave_out(self, usage: ScopeUsage) -> None:
        for series in usage.series:
            expression = self._expressions.get(series.metric)
            if expression is not None:
                skip.drop(series, expression)
        usage.series = [series for series in usage.series if series.begins]

    def _commit(
        self,
        part: list[ScopeUsage],
        batch: Batch,
        store: Store,
        outcome: Outcome,
    ) -> None:
        """Store scopes and move them on; one that cannot be stored does not stop the others."""
        if not part:
            return
        self._committing += 1
        try:
            moved = set(store(part, batch))
        except Exception as exc:
            if len(part) > 1 and not _unreachable(exc):
                LOG.debug("commit of %d scopes failed, trying fewer: %s", len(part), exc)
                half = len(part) // 2
                self._commit(part[:half], batch, store, outcome)
                self._commit(part[half:], batch, store, outcome)
                return
            if not _unreachable(exc):
                LOG.exception("scope %s could not be stored", part[0].scope_id)
            reason = f"storing failed: {' '.join(str(exc).split())}"
            outcome.failed |= {usage.scope_id: reason for usage in part}
        else:
            outcome.moved |= moved
            outcome.lost |= {usage.scope_id for usage in part} - moved
            for usage in part:
                if usage.scope_id in moved:
                    outcome.points += usage.points
                    outcome.idle += not usage.series
        finally:
            self._committing -= 1


def _parts(gathered: Gathered) -> Iterator[list[ScopeUsage]]:
    """Yield scopes by the transaction; what was yielded is not kept."""
    usages = gathered.usages
    usages.reverse()
    part: list[ScopeUsage] = []
    points = 0
    while usages:
        usage = usages.pop()
        part.append(usage)
        points += usage.points
        if points >= _COMMIT_POINTS:
            yield part
            part, points = [], 0
    if part:
        yield part


def _unreachable(exc: Exception) -> bool:
    """Whether the store as a whole is at fault, not what was to be stored."""
    return unreachable(exc) or isinstance(exc, OSError)
