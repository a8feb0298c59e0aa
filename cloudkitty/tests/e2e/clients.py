# SPDX-License-Identifier: Apache-2.0
"""The clients people use: python-cloudkittyclient and python-openstackclient, for tests.

``tools/services.sh`` puts them into a virtual environment of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudkitty.tests import services

VARIABLE = "CLOUDKITTY_TEST_CLIENTS"
_DRIVER = Path(__file__).with_name("client_driver.py")


def program(name: str) -> str:
    """Give the path of a program of the virtual environment, or skip or fail."""
    return str(Path(services.env(VARIABLE)) / "bin" / name)


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Give the environment of a client: ours, with nothing but `variables` about clouds."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**ours, "TZ": "UTC", "PYTHONWARNINGS": "ignore", **variables}


class Shell:
    """One of the command line clients, for one version of the API and one user."""

    def __init__(self, process: subprocess.Popen[str], prefix: tuple[str, ...]) -> None:
        self._process = process
        self._prefix = prefix
        assert process.stdout is not None
        names = [name.split() for name in json.loads(process.stdout.readline())]
        #: All commands there are, those that were used, and those that did not fail.
        self.commands = {" ".join(words[len(prefix) :]) for words in names}
        self.succeeded: set[str] = set()

    def run(self, command: str, *arguments: object) -> tuple[int, str, str]:
        """Run a command; gives its exit status, output, and complaints."""
        assert command in self.commands, command
        words = [*self._prefix, *command.split(), *map(str, arguments)]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        status, out, err = json.loads(self._process.stdout.readline())
        if status == 0:
            self.succeeded.add(command)
        return status, out, err

    def do(self, command: str, *arguments: object) -> str:
        """Run a command that has to succeed; gives its output."""
        status, out, err = self.run(command, *arguments)
        assert status == 0, f"{command} {arguments}: {status}\n{out}{err}"
        return out

    def rows(self, command: str, *arguments: object) -> list[dict[str, Any]]:
        """Run a command that has to succeed; gives the rows of its table."""
        found: list[dict[str, Any]] = json.loads(self.do(command, "-f", "json", *arguments))
        return found

    def row(self, command: str, *arguments: object) -> dict[str, Any]:
        """Run a command whose table has one row; gives that."""
        [found] = self.rows(command, *arguments)
        return found

    def refusal(self, command: str, *arguments: object) -> str:
        """Run a command that has to fail; gives what it says."""
        status, out, err = self.run(command, *arguments)
        assert status == 1, f"{command} {arguments}: {status}\n{out}{err}"
        return err


@contextlib.contextmanager
def shell(name: str, version: int, variables: dict[str, str]) -> Iterator[Shell]:
    """Run ``openstack`` or ``cloudkitty``, with the environment variables of a user."""
    process = subprocess.Popen(
        [program("python"), str(_DRIVER), name, str(version)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(variables),
    )
    with process:
        try:
            yield Shell(process, ("rating",) if name == "openstack" else ())
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)
