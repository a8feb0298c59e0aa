# SPDX-License-Identifier: Apache-2.0
"""The examples of the documentation give what it says."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import cloudkitty
from cloudkitty.tests.cli.rate.conftest import Done

PAGE = Path(cloudkitty.__file__).parents[1] / "doc" / "source" / "admin" / "rate.rst"
BLOCK = re.compile(
    r"^\.\. code-block:: (?P<kind>\w+)\n(?:   :caption: (?P<name>.+)\n)?\n"
    r"(?P<text>(?:   .*\n|\n)+)",
    re.MULTILINE,
)

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="needs a checkout")


def test_examples(run: Callable[..., Done], sqlite_database: str, tmp_path: Path) -> None:
    config = tmp_path / "c.conf"
    config.write_text(f"[database]\nconnection = {sqlite_database}\n")
    tried = []
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        text = textwrap.dedent(block["text"])
        if block["name"]:
            Path(block["name"]).write_text(text.rstrip("\n") + "\n")
            continue
        assert block["kind"] == "console"
        for example in re.split(r"^\$ cloudkitty-rate ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = example.partition("\n")
            arguments = shlex.split(command)
            if arguments[0] in {"apply", "export"}:
                arguments.append(f"--config-file={config}")
            done = run(*arguments)
            assert (done.out + done.err).rstrip("\n") == expected.rstrip("\n"), command
            tried.append(arguments[0])
    # What is shown without its output is fine too.
    assert run("frames", "--rules", "half.yaml", "--input", "usage.json").status == 0
    assert sorted(set(tried)) == ["apply", "diff", "export", "frames"]
