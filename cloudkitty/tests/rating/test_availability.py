# SPDX-License-Identifier: Apache-2.0
"""Rating modules that are not there as they should be are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudkitty.db import module_info
from cloudkitty.rating.availability import Absence, absences
from cloudkitty.rating.modules import Modules
from cloudkitty.rating.noop import Noop
from cloudkitty.tests.cli.commands import Commands, refusal

BROKEN = {"broken": ImportError("No module named 'nonexistent'")}


def test_what_is_wrong_with_modules(sqlite_database: str) -> None:
    found = Modules({"noop": Noop}, BROKEN)
    cannot = "rating module 'broken' cannot be loaded: No module named 'nonexistent'"
    assert absences(found) == [Absence(cannot, on=False)]
    module_info.set_state("noop", enabled=True)
    module_info.set_state("broken", enabled=True)
    module_info.set_state("off", enabled=False)
    module_info.set_state("removed", enabled=True)
    removed = "rating module 'removed' is switched on but not installed: it rates nothing"
    assert absences(found) == [Absence(cannot, on=True), Absence(removed, on=True)]


def test_those_that_are_installed_are_fine(sqlite_database: str) -> None:
    module_info.set_state("hashmap", enabled=True)
    assert absences() == []


@pytest.mark.e2e
def test_commands_tell_what_is_wrong(tmp_path: Path) -> None:
    """A distribution is there whose module cannot be imported, and one without a name."""
    info = tmp_path / "site" / "other-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    points = ["broken = nonexistent:Broken", "nameless = nameless:Nameless"]
    (info / "entry_points.txt").write_text(
        "[cloudkitty.rating.processors]\n" + "\n".join(points) + "\n"
    )
    (tmp_path / "site" / "nameless.py").write_text(
        "from cloudkitty.rating import RatingProcessorBase\n"
        "class Nameless(RatingProcessorBase):\n"
        "    pass\n"
    )
    commands = Commands(tmp_path, f"sqlite:///{tmp_path}/x.sqlite")
    for arguments in (("cloudkitty-dbsync", "upgrade"), ("cloudkitty-storage-init",)):
        assert commands.run(*arguments).returncode == 0
    commands.environment["PYTHONPATH"] = str(tmp_path / "site")

    assert refusal(commands.run("cloudkitty-dbsync", "upgrade")) == (
        "rating module 'broken' cannot be loaded: ModuleNotFoundError: "
        "No module named 'nonexistent'"
    )
    done = commands.run("cloudkitty-status", "upgrade", "check")
    assert "rating module 'broken' cannot be loaded: No module named" in done.stdout
    assert "rating module 'nameless' cannot be loaded: Nameless has no module_name" in " ".join(
        done.stdout.replace("|", " ").split()
    )
