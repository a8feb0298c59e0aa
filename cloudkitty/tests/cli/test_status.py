# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-status upgrade check`` as operators run it (contract config.md 4.4)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudkitty.tests.cli.commands import Commands

pytestmark = pytest.mark.e2e

STATUS = "cloudkitty-status"
CHECKS = [
    "Storage version",
    "Policy File JSON to YAML Migration",
    "Database tables",
    "Rating modules",
]


def check(commands: Commands, expected: int) -> dict[str, Any]:
    done = commands.run(STATUS, "upgrade", "--json", "check")
    assert done.returncode == expected, done
    found = json.loads(done.stdout)
    assert found["name"] == "Upgrade Check Results"
    assert [item["check"] for item in found["checks"]] == CHECKS
    return {item["check"]: (item["result"], item["details"]) for item in found["checks"]}


def test_tables(tmp_path: Path) -> None:
    commands = Commands(tmp_path, f"sqlite:///{tmp_path}/x.sqlite")
    results = check(commands, 2)
    assert results.pop("Database tables") == (
        2,
        (
            "Not at the newest revision: cloudkitty, hashmap, pyscripts, storage_states, "
            "storage_v2_sqlalchemy. Run 'cloudkitty-dbsync upgrade' and 'cloudkitty-storage-init'."
        ),
    )
    assert set(results.values()) == {(0, None)}
    assert commands.run("cloudkitty-dbsync", "upgrade").returncode == 0
    assert commands.run("cloudkitty-storage-init").returncode == 0
    assert set(check(commands, 0).values()) == {(0, None)}


def test_table(tmp_path: Path) -> None:
    done = Commands(tmp_path, "sqlite://").run(STATUS, "upgrade", "check")
    lines = [line.strip("| ") for line in done.stdout.splitlines() if line.startswith("|")]
    assert lines[:4] == [
        "Upgrade Check Results",
        "Check: Storage version",
        "Result: Success",
        "Details: None",
    ]


def test_first_generation_storage_is_a_warning(tmp_path: Path) -> None:
    commands = Commands(tmp_path, f"sqlite:///{tmp_path}/x.sqlite", storage={"version": 1})
    for command in [("cloudkitty-dbsync", "upgrade"), ("cloudkitty-storage-init",)]:
        assert commands.run(*command).returncode == 0
    code, details = check(commands, 1)["Storage version"]
    assert code == 1
    assert details == (
        "Storage version is inferior to 2. Support for v1 storage will be dropped in a future "
        "release."
    )


def test_json_policy_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text("{}")
    policy = {"policy_file": tmp_path / "policy.json"}
    results = check(Commands(tmp_path, "sqlite://", oslo_policy=policy), 2)
    code, details = results["Policy File JSON to YAML Migration"]
    assert code == 2
    assert "oslopolicy-convert-json-to-yaml" in details


def test_unreachable_database_is_a_failure(tmp_path: Path) -> None:
    """At once, however long ``[database]`` would make a service wait."""
    waiting = {"max_retries": 10, "retry_interval": 10}
    commands = Commands(tmp_path, "mysql+pymysql://u:secret@127.0.0.1:1/db", database=waiting)
    code, details = check(commands, 2)["Database tables"]
    assert code == 2
    assert details.startswith("database mysql+pymysql://u:***@127.0.0.1:1/db: ")


def test_usage_and_configuration_errors(tmp_path: Path) -> None:
    commands = Commands(tmp_path, "sqlite://")
    assert commands.run(STATUS).returncode == 2
    assert commands.run(STATUS, "upgrade", "check", "--config-file", "x").returncode == 2
    done = commands.run(STATUS, "--config-file", "/nonexistent.conf", "upgrade", "check")
    assert done.returncode != 0
    assert done.stderr == (
        "cloudkitty-status: error: Failed to find some config files: /nonexistent.conf\n"
    )
