# SPDX-License-Identifier: Apache-2.0
"""The process: reads requests, answers job by job, until its input ends.

A request is a pickled dict, as it comes from the service: its ``number``, ``jobs``, ``sources`` of
all scripts in use when they are not those of the request before, ``check`` for a source that is to
be compiled only. An answer is JSON, as a script may have forged it. Each has its length in front.

Before each script the number of request, job, period and script and the time are written to a page
of memory that the service can read at any moment, also when this process has died or hangs.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import mmap
import os
import pickle
import signal
import struct
import time
from typing import Any, Final, NoReturn

from cloudkitty.sandbox.confine import ConfinementError, Limits, confine
from cloudkitty.sandbox.engine import Engine, Job, Source, unwire
from cloudkitty.sandbox.guard import Guard

#: Length of a message.
HEAD: Final = struct.Struct("!Q")
#: Request, job, period, script, seconds of the monotonic clock.
PROGRESS: Final = struct.Struct("@QQQQd")
#: Answers travel together up to this size, or when seconds have passed since the last ones.
_TOGETHER: Final = 1 << 16
_SOON: Final = 0.02


class _Server:
    def __init__(self, limits: Limits, requests: int, answers: int, page: mmap.mmap) -> None:
        self._requests = requests
        self._answers = answers
        self._page = page
        self._guard = Guard(limits, (requests, answers))
        self._engine = Engine(self._guard)
        self._waiting = bytearray()
        self._due = 0.0

    def serve(self) -> None:
        """Answer until the input ends."""
        self._guard.install()
        while (request := self._receive()) is not None:
            sources = request.get("sources")
            if sources is not None:
                self._engine.use([Source(*source) for source in sources])
            if "check" in request:
                self._page[:] = PROGRESS.pack(request["number"], 0, 0, 0, time.monotonic())
                self.send({"error": self._engine.check(Source(*request["check"]))})
            for index, job in enumerate(request.get("jobs", ())):
                self._rate(request["number"], index, unwire(job))
            self._flush()

    def _rate(self, request: int, index: int, job: Job) -> None:
        def progress(period: int, script: int) -> None:
            self._page[:] = PROGRESS.pack(request, index, period, script, time.monotonic())

        answer = self._engine.rate(job, progress)
        answer["of"] = [request, index]
        left = self._guard.left_behind()
        if left:
            answer["left"] = left
        self.send(answer, wait=not left)

    def _receive(self) -> dict[str, Any] | None:
        head = self._read(HEAD.size)
        if not head:
            return None
        gc.disable()
        request: dict[str, Any] = pickle.loads(self._read(*HEAD.unpack(head)))  # noqa: S301
        gc.enable()
        return request

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self._requests, min(size, 1 << 20))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def send(self, answer: dict[str, Any], *, wait: bool = False) -> None:
        """Write an answer, with `wait` soon: many small ones travel together."""
        body = json.dumps(answer).encode()
        self._waiting += HEAD.pack(len(body)) + body
        if not wait or len(self._waiting) >= _TOGETHER or time.monotonic() >= self._due:
            self._flush()

    def _flush(self) -> None:
        view = memoryview(bytes(self._waiting))
        while view:
            view = view[os.write(self._answers, view) :]
        self._waiting.clear()
        self._due = time.monotonic() + _SOON


def main(arguments: list[str]) -> NoReturn:
    """Run: numbers of the descriptors for requests, answers, page and traces, then the limits."""
    requests, answers, page_file, traces = map(int, arguments[:4])
    limits = Limits(**json.loads(arguments[4]))
    if limits.imports is not None:
        limits = limits._replace(imports=tuple(limits.imports))
    # Jobs are large, and free of cycles.
    gc.set_threshold(50_000, 20, 50)
    page = mmap.mmap(page_file, PROGRESS.size)
    faulthandler.enable(file=traces)
    faulthandler.register(signal.SIGUSR1, file=traces)
    server = _Server(limits, requests, answers, page)
    end = os._exit  # as long as it is the real one
    try:
        server.send({"ready": confine(limits)})
    except ConfinementError as exc:
        server.send({"failed": str(exc)})
        end(1)
    server.serve()
    # Threads that a script has left do not keep the process.
    end(0)
