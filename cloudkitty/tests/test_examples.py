# SPDX-License-Identifier: Apache-2.0
"""The tariffs of the user guide cost what it says, by the command that it tells one to use."""

from __future__ import annotations

import csv
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg

import cloudkitty
from cloudkitty.cli import rate

GUIDE = Path(cloudkitty.__file__).parents[1] / "doc" / "source" / "user" / "prices.rst"
EXAMPLES = GUIDE.parent / "examples"

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs a checkout")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_each_example_costs_what_the_guide_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    files = sorted(EXAMPLES.glob("*.yaml"))
    assert len(files) >= 14
    for rules in files:
        assert f".. literalinclude:: examples/{rules.name}\n" in text
        assert f"   :file: examples/{rules.stem}.csv\n" in text
        usage = rules.with_suffix(".json")
        arguments = ["--rules", str(rules), "--input", str(usage), "--timezone", "UTC", "--check"]
        monkeypatch.setattr(sys, "argv", ["cloudkitty-rate", "frames", *arguments])
        # As in a new process.
        cfg.CONF.clear()
        status = rate.main()
        said = capsys.readouterr()
        assert status == 0, said
        rated = json.loads(said.out)
        assert [case["as_expected"] for case in rated] == [True] * len(rated), rules
        with rules.with_suffix(".csv").open(encoding="utf-8", newline="") as table:
            assert list(csv.reader(table)) == [[c["name"], c["total"]] for c in rated], rules


def test_each_file_belongs_to_an_example() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.yaml")}
    expected = {f"{name}.{kind}" for name in names for kind in ("yaml", "json", "csv")}
    assert {path.name for path in EXAMPLES.iterdir()} == expected
