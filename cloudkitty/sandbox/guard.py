# SPDX-License-Identifier: Apache-2.0
"""What Python itself refuses to scripts, with an error that has their line.

The kernel's limits hold in any case (:mod:`.confine`); here the usual ways are refused where a
script takes them, and what one script changes is put back before the next one.
"""

from __future__ import annotations

import builtins
import decimal
import io
import os
import posix
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import is_
from pathlib import Path
from typing import Any, Final, NoReturn

from cloudkitty.sandbox.confine import Limits

_SIGNALS: Final = frozenset({"os.kill", "os.killpg", "signal.pthread_kill"})
_STARTS: Final = frozenset(
    {
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    }
)
_LIMITS: Final = frozenset({"resource.setrlimit", "resource.prlimit"})
_NETWORK: Final = frozenset(
    {
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.sendto",
    }
)
_KEPT: Final = 2000


class EndError(BaseException):
    """A script tried to end the process."""


class Printed(io.TextIOBase):
    """Where output of scripts goes: the end of it is kept for error messages."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Take a text."""
        self.text = (self.text + text[-_KEPT:])[-_KEPT:]
        return len(text)

    def close(self) -> None:
        """Stay open: it outlives the script."""


class Guard:
    """The rules for scripts; ``install`` makes them hold for the rest of the process."""

    def __init__(self, limits: Limits, needed: Sequence[int] = ()) -> None:
        """`needed` are descriptors without which the process cannot go on."""
        self._limits = limits
        self._needed = needed
        self._exit = os._exit
        self._pid = os.getpid()
        self._builtins = dict(vars(builtins))
        self._importable = None if limits.imports is None else frozenset(limits.imports)
        self.printed = Printed()

    def install(self) -> None:
        """Refuse from now on; cannot be undone."""
        for module, name in ((os, "_exit"), (posix, "_exit"), (os, "abort"), (posix, "abort")):
            setattr(module, name, self._ending(name, getattr(module, name)))
        sys.addaudithook(self._audit)

    @contextmanager
    def script(self) -> Iterator[dict[str, Any]]:
        """Yield fresh globals for a script; afterwards what it may have changed is put back."""
        self.printed.text = ""
        self.put_back()
        own = dict(self._builtins)
        if self._importable is not None:
            own["__import__"] = self._import
        try:
            yield {"__builtins__": own}
        finally:
            if self.is_copy or not self._connected():
                self._exit(1)
            self.put_back()

    def put_back(self) -> None:
        """Undo what scripts can change for others: arithmetic, built-in names, timers, output."""
        sys.setrecursionlimit(1000)
        decimal.setcontext(decimal.Context(prec=28, rounding=decimal.ROUND_HALF_EVEN))
        found, wanted = vars(builtins), self._builtins
        if len(found) != len(wanted) or not all(map(is_, found.values(), wanted.values())):
            found.clear()
            found.update(wanted)
        sys.stdout = sys.stderr = self.printed
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)

    def left_behind(self) -> str | None:
        """Say what a script left running; None for nothing."""
        if len(sys._current_frames()) > 1:  # noqa: SLF001 - the threads that run Python
            return "a thread"
        try:
            while self._limits.processes:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    return "a process"
        except ChildProcessError:
            return None
        return None

    @property
    def is_copy(self) -> bool:
        """Whether this is a copy that a script made of the process."""
        return os.getpid() != self._pid

    def _connected(self) -> bool:
        """Whether a script has left the descriptors open: if not, it is to blame, not the next."""
        try:
            for descriptor in self._needed:
                os.fstat(descriptor)
        except OSError:
            return False
        return True

    def _audit(self, event: str, _args: tuple[Any, ...]) -> None:
        if event in _STARTS:
            self._may_start()
        elif event in _SIGNALS:
            raise PermissionError("scripts may not send signals")
        elif event == "os.exec" and not self.is_copy:
            raise PermissionError("scripts may not replace their process")
        elif event in _LIMITS:
            raise PermissionError("scripts may not change limits")
        elif event in _NETWORK and not self._limits.network:
            raise PermissionError("scripts may not use the network ([pyscripts] network)")

    def _may_start(self) -> None:
        most = self._limits.processes
        if not most:
            raise PermissionError("scripts may not start processes ([pyscripts] max_processes)")
        if self.is_copy:
            raise PermissionError("processes that a script started may not start others")
        tasks = Path(f"/proc/{self._pid}/task").glob("*/children")
        if sum(len(task.read_text(encoding="ascii").split()) for task in tasks) >= most:
            raise PermissionError(f"more than {most} processes ([pyscripts] max_processes)")

    def _import(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] not in (self._importable or ()):
            raise ImportError(f"scripts may not import {name} ([pyscripts] imports)")
        return self._builtins["__import__"](name, *args, **kwargs)

    def _ending(self, name: str, real: Any) -> Any:
        def end(*args: Any) -> NoReturn:
            if self.is_copy:
                real(*args)
            raise EndError(f"os.{name}() was called")

        return end
