# SPDX-License-Identifier: Apache-2.0
"""The processes of a try-out: started in order, watched, stopped in reverse order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cloudkitty.demo.run.settings import UsageError

#: Above the graceful_shutdown_timeout of the processor (60 s).
PATIENCE: Final = 70
#: Lines of a log that are shown when its process has ended by itself.
TAIL: Final = 15


class Processes:
    """Processes whose output goes to ``<name>.log`` in one directory."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def once(self, name: str, command: Sequence[str]) -> None:
        """Run a command to its end; raises UsageError with the end of its output if it fails."""
        with self._log(name).open("ab") as output:
            done = subprocess.run(  # noqa: S603 - our own programs
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            )
        if done.returncode:
            raise UsageError(f"{name} failed with status {done.returncode}:\n{self.tail(name)}")

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process in a session of its own: a Ctrl-C in the terminal is ours alone."""
        with self._log(name).open("ab") as output:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def check(self) -> None:
        """Raise UsageError, with the end of its output, if one of them has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise UsageError(
                    f"{name} has ended with status {process.returncode}:\n{self.tail(name)}"
                )

    def tail(self, name: str) -> str:
        """Give the end of a process's output."""
        lines = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL:])

    def stop(self) -> None:
        """Ask all to end, last started first, and wait; what does not listen is killed."""
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        for name, process in reversed(self._running.items()):
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                print(f"{name} did not stop and was killed", file=sys.stderr)  # noqa: T201
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
