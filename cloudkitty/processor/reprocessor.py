# SPDX-License-Identifier: Apache-2.0
"""A reprocessing worker: rates stored periods again, as schedules say (contract processor.md 6).

Schedules that share their next period go through the pipeline together, as scopes do when they are
rated for the first time. Every batch replaces whole periods and moves its schedules on in one
transaction, so that any number of workers may be at it, and any of them may die.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Final

from oslo_config import cfg
from oslo_log import log

from cloudkitty import db
from cloudkitty.processor.due import DueRule
from cloudkitty.processor.gather import Stopped
from cloudkitty.processor.loop import Loop, Tools
from cloudkitty.processor.pipeline import Outcome
from cloudkitty.processor.planner import Batch, slices
from cloudkitty.processor.rulechoice import PRESENT, RuleChoice
from cloudkitty.processor.stores import rated_again
from cloudkitty.state import schedule
from cloudkitty.state.schedule import Schedule
from cloudkitty.state.scope import Origin, ScopeState, list_scopes
from cloudkitty.storage.v2.base import BaseStorage
from cloudkitty.timeutils import from_epoch, to_epoch

LOG = log.getLogger(__name__)

#: Sleep when nothing can be done; schedules come by the hands of people.
_SLEEP: Final = 5.0
#: Sleep while somebody else is at what is left.
_POLL: Final = 0.5
#: Longest rest after a slice of scopes that are also due to be rated.
_LONGEST_REST: Final = 1.0

# What upstream's workers call the lock of a schedule: they and ours keep off one another's.
_LOCK: Final = (
    "<class 'cloudkitty.orchestrator.ReprocessingWorker'>-id={0.scope_id}"
    "-start={0.window.start:%Y-%m-%d %H:%M:%S}-end={0.window.end:%Y-%m-%d %H:%M:%S}"
)


@dataclass(frozen=True, slots=True)
class Task:
    """What can be done about a schedule now: `begins` are periods that its scope was rated for."""

    schedule: Schedule
    state: ScopeState
    begins: range
    rules: RuleChoice = PRESENT


class Reprocessor(Loop):
    """Works on schedules, oldest first, a slice of each at a time."""

    def __init__(
        self,
        number: int,
        tools: Tools,
        conf: cfg.ConfigOpts,
        storage: BaseStorage,
        rule: DueRule,
    ) -> None:
        super().__init__(number, tools)
        self._conf = conf
        self._origin = Origin.configured(conf)
        self._storage = storage
        self._rule = rule
        self._loaded = -1
        #: Id of schedule -> why nothing can be done about it, as it was logged.
        self._waiting: dict[int, str] = {}

    def _round(self) -> float:
        """Take a slice of every schedule; gives the seconds until it is worth while to look again.

        Raises Stopped, and what the database or the rating modules raise.
        """
        found = schedule.unfinished()
        if len(found) != self._loaded:
            self._loaded = len(found)
            LOG.info(
                "Reprocessing worker [%d] loaded [%d] schedules to process.",
                self.number,
                len(found),
            )
        self._backoff.keep_only({one.scope_id for one in found})
        self._waiting = {one.id: self._waiting[one.id] for one in found if one.id in self._waiting}
        tasks = self._tasks(found)
        worked = refused = False
        for batch in self._batches(tasks.values()):
            if self._stop.is_set():
                raise Stopped
            started = time.monotonic()
            if self._take(batch, tasks):
                worked = True
                self._rest(batch, tasks, time.monotonic() - started)
            else:
                refused = True
        if worked:
            return 0
        return _POLL if refused else _SLEEP

    def _tasks(self, found: Iterable[Schedule], now: float | None = None) -> dict[str, Task]:
        """Give scope -> what to do about the oldest schedule of it that can be worked on.

        All periods of a task are rated by the same rules.
        """
        now = self._clock() if now is None else now
        found = list(found)
        states = self._states({one.scope_id for one in found})
        tasks: dict[str, Task] = {}
        for one in found:
            if one.scope_id in tasks or self._backoff.waits(one.scope_id, now):
                continue
            task = self._task(one, states.get(one.scope_id))
            if task is not None:
                tasks[one.scope_id] = task
        unknown = self._find_rules(tasks)
        if unknown:
            return self._tasks([one for one in found if one.id not in unknown], now)
        return tasks

    def _find_rules(self, tasks: dict[str, Task]) -> set[int]:
        """Look up the rule sets of periods that are to be rated as they were, and cut tasks.

        Gives the schedules that cannot go on, as it is not known of their next period.
        """
        groups: dict[range, list[str]] = {}
        for scope_id, task in tasks.items():
            if task.schedule.rules == schedule.AS_RATED:
                groups.setdefault(task.begins[: self._limits().periods], []).append(scope_id)
        unknown = set()
        for begins, scope_ids in groups.items():
            found = self._storage.provenance(
                [(scope_id, from_epoch(at)) for scope_id in scope_ids for at in begins]
            )
            sets = {
                (scope_id, to_epoch(begin)): one.rules_version
                for (scope_id, begin), one in found.items()
                if one.rated
            }
            for scope_id in scope_ids:
                task = tasks[scope_id]
                version = sets.get((scope_id, begins[0]))
                if version is None:
                    period = from_epoch(begins[0]).isoformat()
                    self._waits(
                        task.schedule, f"it is not recorded by which rules {period} was rated"
                    )
                    unknown.add(task.schedule.id)
                    continue
                known = (sets.get((scope_id, at)) for at in begins)
                same = sum(1 for _ in takewhile(version.__eq__, known))
                tasks[scope_id] = replace(
                    task, begins=begins[:same], rules=RuleChoice(version=version)
                )
        return unknown

    def _states(self, scope_ids: set[str]) -> dict[str, list[ScopeState]]:
        """Give scope -> all its states, whatever their origin."""
        states: dict[str, list[ScopeState]] = {}
        ordered = sorted(scope_ids)
        for start in range(0, len(ordered), 1000):
            for state in list_scopes(self._conf, scope_id=ordered[start : start + 1000]):
                states.setdefault(state.scope_id, []).append(state)
        return states

    def _task(self, one: Schedule, states: list[ScopeState] | None) -> Task | None:
        period = self._rule.period
        following = one.following(period)
        if following is None:
            self._close(one)
            return None
        if not states:
            LOG.warning(
                "Scope %s, which was to be reprocessed, does not exist any more: schedule %d is "
                "closed",
                one.scope_id,
                one.id,
            )
            self._close(one)
            return None
        state = self._chosen(one, states)
        if state is None:
            return None
        # Nothing can be rated again that was not rated yet: the scope may have been set back.
        rated = to_epoch(state.last_processed)
        last = min(to_epoch(one.window.end), rated)
        # Old schedules may be off the scope's periods; the one that it lies in is meant.
        begin = to_epoch(following) - (to_epoch(following) - rated) % period
        count = self._backoff.limit(one.scope_id, max(0, (last - begin) // period + 1))
        if begin > last:
            self._waits(one, "it has not been rated that far")
            return None
        rules = RuleChoice(valid_then=one.rules == schedule.VALID_THEN)
        return Task(one, state, range(begin, begin + count * period, period), rules)

    def _chosen(self, one: Schedule, states: list[ScopeState]) -> ScopeState | None:
        """Give the state that counts: the one that the replacing transaction will lock."""
        active = [state for state in states if state.active]
        if not active:
            self._waits(one, "it is not active")
            return None
        state = next((found for found in active if found.origin == self._origin), active[0])
        ours = (self._origin.collector, self._origin.scope_key)
        if (state.collector, state.scope_key) != ours:
            self._waits(one, f"its usage comes from elsewhere: {state.origin}")
            return None
        return state

    def _waits(self, one: Schedule, why: str) -> None:
        if self._waiting.get(one.id) != why:
            self._waiting[one.id] = why
            LOG.warning(
                "scope %s is not reprocessed for the time being, %s (schedule %d)",
                one.scope_id,
                why,
                one.id,
            )

    def _close(self, one: Schedule) -> None:
        with db.session_for_write() as session:
            schedule.close(session, one)

    def _batches(self, tasks: Iterable[Task]) -> list[Batch]:
        """Give batches of scopes that share periods and rules, those of old schedules first."""
        groups: dict[tuple[range, RuleChoice], dict[str, int | None]] = {}
        for task in tasks:
            groups.setdefault((task.begins, task.rules), {})[task.schedule.scope_id] = None
        limits = self._limits()
        return [
            batch
            for (begins, _rules), some in groups.items()
            for batch in slices(some, begins, limits)
        ]

    def _take(self, batch: Batch, tasks: Mapping[str, Task]) -> bool:
        """Rate those scopes of a batch that can be had again; gives whether any was."""
        locks = {scope: _LOCK.format(tasks[scope].schedule) for scope in batch.scopes}
        mine = self._locks.acquire(batch.scopes, also=locks)
        if not mine:
            return False
        try:
            # Somebody else may have been faster between the plan and the lease.
            fresh = self._tasks(schedule.unfinished(scope_ids=mine))
            same = {
                scope: task
                for scope, task in fresh.items()
                if (task.schedule, task.rules) == (tasks[scope].schedule, tasks[scope].rules)
            }
            if not same:
                return False
            outcome = self._rate(Batch(dict.fromkeys(same), batch.begins, batch.period), fresh)
            self._note(outcome)
            return bool(outcome.moved or outcome.failed)
        finally:
            # Those that failed are free: what cannot be rated again may be rated all the same.
            self._locks.release(mine)

    def _rate(self, batch: Batch, tasks: Mapping[str, Task]) -> Outcome:
        started = time.monotonic()
        schedules = {scope: tasks[scope].schedule for scope in batch.scopes}
        store = rated_again(self._storage, self._origin, schedules)
        # Those of a batch have the same.
        rules = tasks[next(iter(batch.scopes))].rules
        outcome = self._process(batch, store, set(batch.scopes), rules)
        LOG.info(
            "[worker: %d] %d scopes rated again from %s for %d period(s): %d points in %.2f s",
            self.number,
            len(outcome.moved),
            from_epoch(batch.begins[0]).isoformat(),
            len(batch.begins),
            outcome.points,
            time.monotonic() - started,
        )
        if outcome.lost:
            LOG.info(
                "[worker: %d] work on %d scopes dropped: moved or switched off by somebody else",
                self.number,
                len(outcome.lost),
            )
        return outcome

    def _rest(self, batch: Batch, tasks: Mapping[str, Task], seconds: float) -> None:
        """Let rating workers have scopes that are due, which would hardly find them free else."""
        now = int(self._clock())
        for scope in batch.scopes:
            last = to_epoch(tasks[scope].state.last_processed)
            if self._rule.count(last + self._rule.period, now):
                self._stop.wait(min(seconds, _LONGEST_REST))
                return
