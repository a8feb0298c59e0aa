# SPDX-License-Identifier: Apache-2.0
"""The process that scripts run in: start it, talk to it, see what it does, end it and all it began.

Nothing that comes from it is trusted: answers are JSON of bounded size, and whoever waits for one
has a deadline.
"""

from __future__ import annotations

import contextlib
import gc
import json
import mmap
import os
import pickle
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloudkitty.rating.pyscripts.settings import Settings
from cloudkitty.sandbox.main import HEAD, PROGRESS

_BOOT: Final = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from cloudkitty.sandbox.main import main; main(sys.argv[2:])"
)
_ROOT: Final = str(Path(__file__).parents[3])
_START_SECONDS: Final = 60.0
_CHUNK: Final = 1 << 20
#: Most bytes of an answer: what can be asked at once is far smaller.
_LARGEST_ANSWER: Final = 256 << 20
_TRACE_SECONDS: Final = 1.0


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector rest.

    Where many objects are made at once, none of them in a cycle, it takes more time than the rest.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class IsolationError(Exception):
    """Scripts cannot be run here, whatever they are."""


class EndedError(Exception):
    """The process has ended."""


class GarbledError(Exception):
    """Something that is no answer has come from the process: nobody knows from which script."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the process is at: request, and numbers of job, period and script in it."""

    request: int
    job: int
    period: int
    script: int
    since: float


class ScriptProcess:
    """One process. Not for several threads at once; ``kill`` must be called in the end."""

    def __init__(self, settings: Settings) -> None:
        """Start it; raises IsolationError."""
        #: Stands for the scripts that it has.
        self.version: str | None = None
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._traces, traces = os.pipe()
        page = os.memfd_create("pyscripts")
        theirs = (requests, answers, page, traces)
        try:
            os.truncate(page, PROGRESS.size)
            self._page = mmap.mmap(page, PROGRESS.size)
            arguments = [*map(str, theirs), json.dumps(settings.limits._asdict())]
            self._process = subprocess.Popen(  # noqa: S603 - what the configuration says
                [settings.interpreter, "-P", "-c", _BOOT, _ROOT, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=theirs,
                start_new_session=True,
            )
        except OSError as exc:
            self._close()
            raise IsolationError(f"cannot start {settings.interpreter}: {exc}") from exc
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        for descriptor in (self._requests, self._answers, self._traces):
            os.set_blocking(descriptor, False)
        try:
            ready = self.answer(lambda: time.monotonic() + _START_SECONDS)
        except (EndedError, GarbledError, TimeoutError) as exc:
            self.kill()
            raise IsolationError(f"{settings.interpreter} did not start: {exc}") from exc
        if "ready" not in ready:
            self.kill()
            raise IsolationError(str(ready.get("failed")))
        #: What could not be limited, in words.
        self.missing = [str(text) for text in ready["ready"]]

    def send(self, request: dict[str, Any], seconds: float) -> None:
        """Send a request; raises EndedError, or TimeoutError when it is not taken in time."""
        with uncollected():
            body = pickle.dumps(request, pickle.HIGHEST_PROTOCOL)
        view = memoryview(HEAD.pack(len(body)) + body)
        deadline = time.monotonic() + seconds
        while view:
            try:
                view = view[os.write(self._requests, view[:_CHUNK]) :]
            except BlockingIOError:
                _wait(self._requests, select.POLLOUT, deadline)
            except OSError as exc:
                raise EndedError(self._end()) from exc

    def answer(self, deadline: Any) -> dict[str, Any]:
        """Wait for the next answer.

        `deadline` is called for the moment until which to wait, again each time it has come.
        Raises TimeoutError after it, EndedError and GarbledError.
        """
        (size,) = HEAD.unpack(self._read(HEAD.size, deadline))
        if size > _LARGEST_ANSWER:
            raise GarbledError(f"an answer of {size} bytes")
        try:
            answer = json.loads(self._read(size, deadline))
        except TimeoutError:
            raise GarbledError("half an answer") from None
        except (ValueError, RecursionError) as exc:
            raise GarbledError("an answer that is no JSON") from exc
        if not isinstance(answer, dict):
            raise GarbledError("an answer that is no JSON object")
        return answer

    def progress(self) -> Progress:
        """Give what the process is at; zeros before its first script."""
        return Progress(*PROGRESS.unpack(self._page[:]))

    def trace(self, *, ask: bool) -> str:
        """Give where Python is or was, as faulthandler writes it; `ask` a process that runs."""
        if ask:
            with contextlib.suppress(OSError):
                self._process.send_signal(signal.SIGUSR1)
        text = b""
        until = time.monotonic() + (_TRACE_SECONDS if ask else 0)
        with contextlib.suppress(TimeoutError, BlockingIOError):
            while len(text) < _CHUNK:
                _wait(self._traces, select.POLLIN, until)
                part = os.read(self._traces, 65536)
                if not part:
                    break
                text += part
                # It is written line by line.
                until = time.monotonic() + 0.05
        return text.decode("ascii", "replace")

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End the process and all that it has started."""
        self._signal(self._process.pid, signal.SIGSTOP)
        # Those whose parent dies become children of the process: it stays until there are none.
        for _ in range(1000):
            others = _descendants(self._process.pid)
            if not others:
                break
            for pid in others:
                self._signal(pid, signal.SIGKILL)
            time.sleep(0.001)
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Close what this process has of it, in a copy of the process that started it."""
        self._close()

    def _read(self, size: int, deadline: Any) -> bytes:
        parts = []
        while size:
            try:
                part = os.read(self._answers, min(size, _CHUNK))
            except BlockingIOError:
                until = deadline()
                try:
                    _wait(self._answers, select.POLLIN, until)
                except TimeoutError:
                    if deadline() <= until:
                        raise
                continue
            if not part:
                raise EndedError(self._end())
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _end(self) -> str:
        """Say how the process has ended."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "it has closed its connection"
        if code < 0:
            try:
                return f"killed by {signal.Signals(-code).name}"
            except ValueError:
                return f"killed by signal {-code}"
        return f"exit status {code}"

    def _close(self) -> None:
        for descriptor in (self._requests, self._answers, self._traces):
            os.close(descriptor)

    @staticmethod
    def _signal(pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
        raise TimeoutError


def _descendants(pid: int) -> set[int]:
    """Give the living processes below `pid`."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        # Processes come and go while this is read.
        with contextlib.suppress(OSError, ValueError):
            if entry.name.isdigit():
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in {"Z", "X"}:
                    parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    layer = {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer} - found
        found |= layer
    return found
