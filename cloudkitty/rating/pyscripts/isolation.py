# SPDX-License-Identifier: Apache-2.0
"""Runs scripts in a process of their own, and says what went wrong with which one.

One process serves all scopes, batch after batch; it is replaced when a script has had to be
stopped, has ended it, or has left something running in it.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from oslo_config import cfg
from oslo_log import log

from cloudkitty.rating.pyscripts.jobs import NonsenseError, Rated, parsed
from cloudkitty.rating.pyscripts.process import (
    EndedError,
    GarbledError,
    IsolationError,
    Progress,
    ScriptProcess,
)
from cloudkitty.rating.pyscripts.settings import Settings, from_conf
from cloudkitty.sandbox.engine import Job, Source, wire

LOG = log.getLogger(__name__)

_SEND_SECONDS: Final = 60.0
_LONGEST_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong: the script's name, its line if known, and the number of the period."""

    script: str
    line: int | None
    text: str
    period: int = 0

    def __str__(self) -> str:
        line = "" if self.line is None else f", line {self.line}"
        return f"script '{self.script}'{line}: {self.text}"


#: What comes back for a job: what the scripts have made of it, or what went wrong.
Answer: TypeAlias = Rated | Problem


class _DoubtError(Exception):
    """One of several jobs has answered nonsense."""


class Isolation:
    """The process, started when it is needed. Threads wait for each other."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._process: ScriptProcess | None = None
        self._number = 0
        self._told = False

    def check(self, source: Source) -> Problem | None:
        """Compile a source without running it; raises IsolationError."""
        with self._lock:
            process = self._running()
            try:
                self._send(process, {"check": tuple(source)})
                answer = process.answer(lambda: time.monotonic() + self.settings.seconds)
            except (EndedError, GarbledError, TimeoutError) as exc:
                self._end()
                return Problem(source.name, None, f"it cannot be compiled: {exc}")
            error = answer.get("error")
            return None if error is None else _problem(error)

    def rate(
        self,
        version: str,
        sources: Sequence[Source],
        jobs: Sequence[Job],
    ) -> list[Answer]:
        """Run scripts; gives for each job its answer or what went wrong.

        `version` stands for `sources`, which are sent when the process does not have them yet.
        Raises IsolationError when no script can be run at all.
        """
        out: list[Answer | None] = [None] * len(jobs)
        with self._lock:
            at_once = len(jobs)
            while todo := [index for index, answer in enumerate(out) if answer is None]:
                todo = todo[:at_once]
                try:
                    found = self._rate(version, sources, [jobs[index] for index in todo])
                except _DoubtError:
                    # From which of them it is shows when they come one by one.
                    at_once = 1
                    continue
                for number, answer in found.items():
                    out[todo[number]] = answer
        return [answer for answer in out if answer is not None]

    def close(self) -> None:
        """End the process; the next call starts another one."""
        with self._lock:
            self._end()

    def after_fork(self) -> None:
        """Let go of the process in a copy of its owner."""
        if self._process is not None:
            self._process.forget()
            self._process = None

    def _rate(
        self,
        version: str,
        sources: Sequence[Source],
        jobs: Sequence[Job],
    ) -> dict[int, Answer]:
        """Take jobs as far as one process takes them; gives number -> answer, one at least.

        When a process ends, the answers that it has not sent yet are lost: those jobs are to be
        done again. Raises _DoubtError when one of several jobs has answered nonsense.
        """
        process = self._running()
        names = {source.key: source.name for source in sources}
        request: dict[str, Any] = {"jobs": [wire(job) for job in jobs]}
        if process.version != version:
            request["sources"] = [tuple(source) for source in sources]
        try:
            self._send(process, request)
            process.version = version
        except (EndedError, TimeoutError) as exc:
            self._end()
            return {0: Problem(_first(jobs[0], names), None, f"its process failed: {exc}")}
        out: dict[int, Answer] = {}
        for number in range(len(jobs)):
            deadline = _Deadline(process, self._number, self.settings.seconds, jobs[number:])
            try:
                answer = process.answer(deadline)
                left = "left" in answer
                out[number] = _read(answer, [self._number, number], jobs[number])
            except TimeoutError:
                text = f"stopped after {self.settings.seconds:g} s ([pyscripts] time_limit)"
                return out | self._stopped(process, number, jobs, names, text, ask=True)
            except EndedError as exc:
                text = f"its process ended: {exc}"
                return out | self._stopped(process, number, jobs, names, text, ask=False)
            except (GarbledError, NonsenseError) as exc:
                self._end()
                if len(jobs) > 1:
                    raise _DoubtError from exc
                return {0: Problem(_first(jobs[0], names), None, f"its process gave {exc}")}
            if left:
                self._end()
                break
        return out

    def _stopped(
        self,
        process: ScriptProcess,
        number: int,
        jobs: Sequence[Job],
        names: dict[str, str],
        text: str,
        *,
        ask: bool,
    ) -> dict[int, Answer]:
        """Say in which job which script was at work, and where; ends the process.

        `number` is the first job without an answer.
        """
        at = process.progress()
        trace = process.trace(ask=ask)
        self._end()
        if at.request == self._number and number < at.job < len(jobs):
            number = at.job
        job = jobs[number]
        name, period = _first(job, names), 0
        if (at.request, at.job) == (self._number, number) and at.period < len(job.periods):
            keys = job.periods[at.period].scripts
            if at.script < len(keys):
                name, period = names[keys[at.script]], at.period
        return {number: Problem(name, _traced_line(trace, name), text, period)}

    def _running(self) -> ScriptProcess:
        if self._process is not None and self._process.ended:
            # It ends with the thread that has started it.
            self._end()
        if self._process is None:
            self._process = ScriptProcess(self.settings)
            if self._process.missing and not self._told:
                LOG.warning("pyscripts: %s", "; ".join(self._process.missing))
                self._told = True
        return self._process

    def _send(self, process: ScriptProcess, request: dict[str, Any]) -> None:
        self._number += 1
        process.send({"number": self._number, **request}, _SEND_SECONDS)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None


class _Deadline:
    """Until when to wait for an answer: from the start of the script that runs at present.

    What the process says of itself is not believed without bound: no jobs take longer than all
    their scripts may take together.
    """

    def __init__(
        self,
        process: ScriptProcess,
        request: int,
        seconds: float,
        jobs: Sequence[Job],
    ) -> None:
        self._process = process
        self._request = request
        self._seconds = seconds
        self._jobs = jobs
        self._begin = time.monotonic()
        self._last: float | None = None

    def __call__(self) -> float:
        if self._last is None:
            runs = sum(len(period.scripts) for job in self._jobs for period in job.periods)
            self._last = self._begin + self._seconds * runs
        at: Progress = self._process.progress()
        since = self._begin
        if at.request == self._request and self._begin < at.since < self._last:
            since = at.since
        return min(since + self._seconds, self._last)


def _first(job: Job, names: dict[str, str]) -> str:
    return names[job.periods[0].scripts[0]]


def _read(answer: dict[str, Any], question: list[int], job: Job) -> Answer:
    """Read an answer to a question; raises NonsenseError."""
    if answer.get("of") != question:
        raise NonsenseError("an answer to another question")
    error = answer.get("error")
    return parsed(job, answer) if error is None else _problem(error)


def _problem(error: Any) -> Problem:
    """Read what the process says of a script."""
    if not isinstance(error, dict):
        raise NonsenseError("an error that is none")
    line, period = error.get("line"), error.get("period")
    return Problem(
        str(error.get("script"))[:_LONGEST_TEXT],
        line if isinstance(line, int) else None,
        str(error.get("text"))[:_LONGEST_TEXT],
        period if isinstance(period, int) else 0,
    )


def _traced_line(trace: str, name: str) -> int | None:
    """Give the line of a script in what faulthandler wrote, which escapes what is not ASCII."""
    file_name = f"<PyScripts: {name}>".encode("ascii", "backslashreplace").decode()
    found = re.search(rf'^  File "{re.escape(file_name)}", line (\d+) in ', trace, re.MULTILINE)
    return int(found[1]) if found else None


_shared: Isolation | None = None
_shared_lock = threading.Lock()
_apart = threading.local()


@contextmanager
def apart() -> Iterator[None]:
    """Give this thread a process for scripts of its own, for the block.

    For scripts that nobody has tried yet: one that hangs keeps nobody else waiting.
    """
    _apart.isolation = Isolation(from_conf(cfg.CONF))
    try:
        yield
    finally:
        _apart.isolation.close()
        del _apart.isolation


def shared() -> Isolation:
    """Give the one of this process, as the configuration says; that of this thread if it has one.

    See :func:`apart`.
    """
    global _shared  # noqa: PLW0603 - one process for scripts in a process
    own: Isolation | None = getattr(_apart, "isolation", None)
    if own is not None:
        return own
    settings = from_conf(cfg.CONF)
    with _shared_lock:
        if _shared is None or _shared.settings != settings:
            if _shared is not None:
                _shared.close()
            _shared = Isolation(settings)
        return _shared


def _after_fork() -> None:
    global _shared, _shared_lock  # noqa: PLW0603
    if _shared is not None:
        _shared.after_fork()
    _shared = None
    _shared_lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)

__all__ = ["Isolation", "IsolationError", "Problem", "shared"]
