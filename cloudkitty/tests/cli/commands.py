# SPDX-License-Identifier: Apache-2.0
"""The installed console scripts, run as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TIMEOUT = 120


class Commands:
    """Runs commands with a configuration file of their own, in an environment without others."""

    def __init__(self, directory: Path, connection: str, **groups: Mapping[str, object]) -> None:
        self.directory = directory
        self.environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(directory)}
        self.config_file = directory / "cloudkitty-test.conf"
        options: dict[str, dict[str, object]] = {
            # Tests do not wait for databases that will not come up.
            "database": {"connection": connection, "max_retries": 0}
        }
        for group, values in groups.items():
            options.setdefault(group, {}).update(values)
        self.config_file.write_text(
            "".join(
                f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
                for group, values in options.items()
            )
        )

    def start(self, command: str, *args: str) -> subprocess.Popen[str]:
        """Start a command, not waiting for it."""
        script = Path(sys.executable).parent / command
        return subprocess.Popen(
            [script, "--config-file", self.config_file, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.directory,
        )

    def run(self, command: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return finish(self.start(command, *args))


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a process that was started, and give what it said."""
    with process:
        stdout, stderr = process.communicate(timeout=TIMEOUT)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Give the one line that a command refused with; it must have said nothing else."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = [
        line
        for line in done.stderr.splitlines()
        # Progress and warnings of libraries are marked as such.
        if not line.startswith(("INFO  [", "WARNI ["))
    ]
    assert len(lines) == 1, done.stderr
    prefix = f"{Path(done.args[0]).name}: error: "
    assert lines[0].startswith(prefix)
    return lines[0].removeprefix(prefix)
