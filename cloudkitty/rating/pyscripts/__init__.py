# SPDX-License-Identifier: Apache-2.0
"""pyscripts: prices by scripts that operators write in Python (contract rating.md 5).

Scripts never run in this process: :mod:`.isolation` has another one for them, whose own side is
:mod:`cloudkitty.sandbox`. Here they are read from the database (:mod:`.scripts`), and usage is made
into jobs for them and back (:mod:`.jobs`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating import quantities
from cloudkitty.rating.base import RatingProcessorBase, Stage
from cloudkitty.rating.common.later import Later
from cloudkitty.rating.pyscripts import jobs, record, scripts
from cloudkitty.rating.pyscripts.isolation import Answer, Problem, shared
from cloudkitty.rating.pyscripts.process import uncollected
from cloudkitty.rating.pyscripts.scripts import Script, Scripts
from cloudkitty.sandbox.engine import Job
from cloudkitty.usage import ScopeUsage

_REQUEST_POINTS: Final = 4_000


class ScriptError(Exception):
    """A script failed: the text names it, its line, the scope and the period."""


class PyScripts(RatingProcessorBase):
    """Rates by the scripts in the database."""

    module_name = "pyscripts"
    description = "PyScripts rating module."
    hot_config = True
    batch = True
    config_controller = Later(
        "cloudkitty.rating.pyscripts.controllers",
        "PyScriptsConfigController",
    )
    #: What the database tool asks for ``get_migration()`` (rating.md 2.7).
    db_api = Later("cloudkitty.rating.pyscripts.migrations")

    # What was read last, shared by all instances of the process.
    _latest: ClassVar[Scripts | None] = None
    # The same with those that are deleted.
    _latest_then: ClassVar[Scripts | None] = None

    def __init__(self, tenant_id: str | None = None) -> None:
        super().__init__(tenant_id)
        self._scripts: Scripts | None = None
        self._keys: tuple[str, ...] | None = None
        self._restored = False

    @property
    def version(self) -> str:
        """Text that stands for the scripts in use."""
        return self._in_use().version

    def begin_batch(self) -> None:
        """Read the scripts; sources only of those that are new or have changed."""
        if not self._restored:
            self._scripts = PyScripts._latest = scripts.load(PyScripts._latest)

    def begin_batch_then(self) -> None:
        """Read the scripts, also those that are deleted, which are in force until they were."""
        self._scripts = PyScripts._latest_then = scripts.load(PyScripts._latest_then, deleted=True)

    def reload_config(self, start: dt.datetime | None = None) -> None:
        """Read the scripts and choose those in force at `start` (aware; None is now)."""
        self.begin_batch()
        when = timeutils.naive_local(start or dt.datetime.now(dt.UTC))
        self._keys = self._in_use().at(when)

    def process(self, data: DataFrame) -> DataFrame:
        """Give the frame that the scripts in force make of `data`; raises ScriptError."""
        if self._keys is None:
            self.reload_config()
        return self._processed(data, self._keys) if self._keys else data

    def _processed(self, data: DataFrame, keys: tuple[str, ...]) -> DataFrame:
        usable = DataFrame(data.start, data.end)
        for metric, point in data.iterpoints():
            if quantities.usable(point.qty, metric, self._tenant_id):
                usable.add_point(point, metric)
        job = jobs.of_frame(usable, keys)
        (answer,) = self._run([job])
        if isinstance(answer, Problem):
            raise _error(answer, job, self._tenant_id)
        return jobs.rated_frame(usable, answer)

    @property
    def pointwise(self) -> bool:  # type: ignore[override]
        """Whether no script is in force: one may look at all points of a frame."""
        return not self._keys

    def explain(self, data: DataFrame, *, everything: bool = False) -> Iterator[Stage]:
        """Run the scripts in force one by one; raises ScriptError."""
        del everything
        if self._keys is None:
            self.reload_config()
        scripts = {script.key: script for script in self._in_use().scripts}
        for key in self._keys or ():
            data = self._processed(data, (key,))
            yield Stage(data, _said(scripts[key]))

    def rate_usage(self, usage: ScopeUsage) -> None:
        """Run the scripts in force for each period, in place; raises ScriptError."""
        for error in self.rate_usages([usage]).values():
            raise error

    def rate_usages(self, usages: Sequence[ScopeUsage]) -> Mapping[str, Exception]:
        """Run the scripts for many scopes at once; gives scope -> error for those that failed."""
        failed: dict[str, Exception] = {}
        for part in _parts(usages):
            with uncollected():
                todo = [
                    (usage, job)
                    for usage in part
                    if (job := jobs.of_usage(usage, self._in_use().at_period)) is not None
                ]
            answers = self._run([job for _, job in todo])
            for (usage, job), answer in zip(todo, answers, strict=True):
                if isinstance(answer, Problem):
                    failed[usage.scope_id] = _error(answer, job, usage.scope_id)
                else:
                    jobs.apply(usage, job, answer)
        return failed

    def snapshot(self) -> Mapping[str, Any]:
        """Give the scripts in use, each source a part."""
        return record.parts(self._in_use())

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Use these scripts in place of those in the database."""
        self._scripts, self._keys = record.scripts(snapshot), None
        self._restored = True

    def _run(self, todo: Sequence[Job]) -> Sequence[Answer]:
        if not todo:
            return []
        in_use = self._in_use()
        return shared().rate(in_use.version, list(in_use.sources.values()), todo)

    def _in_use(self) -> Scripts:
        if self._scripts is None:
            self.begin_batch()
        if self._scripts is None:  # begin_batch sets it or raises
            raise RuntimeError("pyscripts has no scripts loaded")
        return self._scripts


def _said(script: Script) -> Callable[[int], Mapping[str, Any]]:
    said = {"script": {"id": script.script_id, "name": script.name}}
    return lambda _number: said


def _parts(usages: Iterable[ScopeUsage]) -> Iterator[list[ScopeUsage]]:
    """Yield scopes by the request: large ones would only keep the garbage collector busy."""
    part: list[ScopeUsage] = []
    points = 0
    for usage in usages:
        part.append(usage)
        points += usage.points
        if points >= _REQUEST_POINTS:
            yield part
            part, points = [], 0
    if part:
        yield part


def _error(problem: Problem, job: Job, scope: str | None) -> ScriptError:
    period = job.periods[min(max(problem.period, 0), len(job.periods) - 1)]
    whose = "no scope" if scope is None else f"scope {scope}"
    return ScriptError(f"{problem} ({whose}, period {period.begin.isoformat()})")
