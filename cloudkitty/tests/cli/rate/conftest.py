# SPDX-License-Identifier: Apache-2.0
"""The command inside of the test."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from oslo_config import cfg

from cloudkitty.cli import rate


@dataclass(frozen=True)
class Done:
    """What a command gave."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., Done]]:
    """Run the command with arguments and standard input, in a directory of the test's own."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    before = list(root.handlers), root.level

    def command(*args: object, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["cloudkitty-rate", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        # A command is the first thing that its process does.
        cfg.CONF.reset()
        try:
            status = rate.main()
        except SystemExit as exc:
            status = int(exc.code or 0)
        out, err = capsys.readouterr()
        return Done(status, out, err)

    yield command
    root.handlers[:], root.level = before
