# SPDX-License-Identifier: Apache-2.0
"""Configuration files and processes of the product, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONF = """
[DEFAULT]
debug = false
[database]
connection = {database}
[collect]
collector = prometheus
period = 3600
wait_periods = 1
metrics_conf = {metrics}
[collector_prometheus]
prometheus_url = {prometheus}
[fetcher]
backend = source
[fetcher_source]
sources = {sources}
[orchestrator]
max_workers = {workers}
max_workers_reprocessing = {reprocessing}
coordination_url = {coordination}
batch_scopes = {batch_scopes}
batch_periods = {batch_periods}
"""


class Site:
    """One installation: a directory with its configuration."""

    def __init__(self, directory: Path, database: str, **options: object) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.config = directory / "cloudkitty.conf"
        self.metrics = directory / "metrics.yml"
        self.log = directory / "processor.log"
        self._values: dict[str, Any] = {
            "database": database,
            "metrics": self.metrics,
            "prometheus": "http://127.0.0.1:1/api/v1",
            "sources": ["a"],
            "workers": 2,
            "reprocessing": 0,
            "coordination": f"file://{directory}/locks",
            "batch_scopes": 200,
            "batch_periods": 24,
            **options,
        }
        self.write()

    def write(self, extra: str = "", **options: object) -> None:
        """Write the configuration file, with some options changed."""
        self._values |= options
        values = self._values | {"sources": ",".join(self._values["sources"])}
        self.config.write_text(CONF.format(**values) + extra)

    def run(
        self, program: str, *arguments: str, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the product to its end."""
        return subprocess.run(
            command(program, "--config-file", str(self.config), *arguments),
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(),
            check=False,
        )

    def start(self) -> subprocess.Popen[bytes]:
        """Start a processor."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command("cloudkitty-processor", "--config-file", str(self.config)),
                stdout=log,
                stderr=log,
                env=environment(),
            )

    @contextmanager
    def processor(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a processor; it is stopped in an orderly way afterwards."""
        process = self.start()
        try:
            yield process
        finally:
            stop(process)

    def wait_for_log(self, text: str, seconds: float = 30) -> None:
        """Wait until a processor has logged `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.output():
            assert time.monotonic() < deadline, f"{text!r} not in:\n{self.output()}"
            time.sleep(0.05)

    def output(self) -> str:
        """Give what processors have said."""
        return self.log.read_text() if self.log.exists() else ""


def command(program: str, *arguments: str) -> list[str]:
    """Give the command line of a console script of this environment."""
    return [str(Path(sys.executable).parent / program), *arguments]


def environment() -> dict[str, str]:
    """Give the environment of processes under test."""
    return {**os.environ, "TZ": "UTC"}


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """Give the ids of the processes that `process` has forked."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    # Workers are forked by a thread.
    found: list[int] = []
    try:
        for tasks in path.parent.parent.iterdir():
            found += map(int, (tasks / "children").read_text().split())
    except OSError:
        return found
    return found


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill a processor and its workers without a warning."""
    pids = children(process)
    process.kill()
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait(10)


def stop(process: subprocess.Popen[bytes], seconds: float = 20) -> int:
    """Ask a processor to stop; gives its exit status."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill_all(process)
        raise
