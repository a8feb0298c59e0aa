# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a database ends as one line naming it, without the password."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cloudkitty.tests.cli.commands import Commands, refusal

pytestmark = pytest.mark.e2e

CASES = [
    (
        "sqlite:////nonexistent/dir/x.sqlite",
        r"database sqlite:////nonexistent/dir/x.sqlite: unable to open database file",
    ),
    (
        "postgresql+psycopg2://u:secret@127.0.0.1:1/db",
        r"database postgresql\+psycopg2://u:\*\*\*@127.0.0.1:1/db: .*Connection refused.*",
    ),
    (
        "mysql+pymysql://u:secret@127.0.0.1:1/db",
        r"database mysql\+pymysql://u:\*\*\*@127.0.0.1:1/db: .*Connection refused.*",
    ),
    ("nosuch+driver://u:secret@h/db", r"\[database\] connection: unknown engine 'nosuch\+driver'"),
    (
        "oracle+cx_oracle://u:secret@h/db",
        (
            r"\[database\] connection: the driver of 'oracle\+cx_oracle' is not installed "
            r"\(no Python module 'cx_Oracle'\)"
        ),
    ),
    ("u:secret@h", r"\[database\] connection is not a database URL"),
    ("mysql+pymysql://u:secret@h:port/db", r"\[database\] connection is not a database URL"),
    ("", r"\[database\] connection is not set"),
]


@pytest.mark.parametrize(("connection", "expected"), CASES)
def test_dbsync(connection: str, expected: str, tmp_path: Path) -> None:
    done = Commands(tmp_path, connection).run("cloudkitty-dbsync", "upgrade")
    assert re.fullmatch(expected, refusal(done))
    assert "secret" not in done.stderr


# One whose error is the engine's, one whose driver is missing: those come from the storage there.
@pytest.mark.parametrize(("connection", "expected"), [CASES[1], CASES[4]])
def test_storage_init(connection: str, expected: str, tmp_path: Path) -> None:
    done = Commands(tmp_path, connection).run("cloudkitty-storage-init")
    assert re.fullmatch(expected, refusal(done))
    assert "secret" not in done.stderr


def test_retries_are_those_of_the_configuration(tmp_path: Path) -> None:
    """``[database] max_retries`` and ``retry_interval`` go on being obeyed."""
    commands = Commands(
        tmp_path,
        "mysql+pymysql://u@127.0.0.1:1/db",
        database={"max_retries": 2, "retry_interval": 0},
    )
    done = commands.run("cloudkitty-dbsync", "upgrade")
    assert done.stderr.count("SQL connection failed") == 2
    assert "Connection refused" in refusal(done)


def test_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("something else " * 100)
    done = Commands(tmp_path, f"sqlite:///{tmp_path}/x.sqlite").run("cloudkitty-dbsync", "upgrade")
    assert refusal(done) == f"database sqlite:///{tmp_path}/x.sqlite: file is not a database"
