# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-status rating check``: what it shows, and its exit status for monitoring."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloudkitty import service, timeutils
from cloudkitty.cli import rating_check, rating_report
from cloudkitty.cli.collect_check import Level
from cloudkitty.tests.cli.commands import Commands
from cloudkitty.tests.rating.coverage.cloud import BEGIN, END, look, rate, rules, series, switch

STATUS = "cloudkitty-status"
DAYS = ("--begin", "2026-06-01", "--end", "2026-06-04")
PAGE = Path(__file__).parents[3] / "doc" / "source" / "admin" / "coverage.rst"


def fill_example() -> None:
    """Make the cloud of the administrator's guide."""
    switch("hashmap")

    def make(book):
        book.mapping("instance/flavor_name", "0.044", value="small", mapping_id="6a1c")
        book.mapping("instance/flavor_name", "0.1", value="Large", mapping_id="b27f")
        book.mapping("volume.size", "0.0002", mapping_id="c3d0")
        book.mapping("volume.size", "0.0003", group="storage", mapping_id="d94e")
        book.mapping("network", 0, mapping_id="e5b1")

    rules(make)
    rate(
        "shop",
        [
            series("instance", {"flavor_name": "small"}, unit="instance"),
            series("instance", {"flavor_name": "large"}, unit="instance"),
            series("volume.size", {}, [20], unit="GiB"),
            series("network", {}, unit="network"),
        ],
    )
    rate("lab", [series("instance", {"flavor_name": "large"}, unit="instance")])
    rate("lab", [series("ip", {}, unit="ip")])


@pytest.fixture
def run(sqlite_database, conf):
    """Check with these arguments."""

    def check(**options: Any) -> rating_check.Report:
        options = {"begin": BEGIN, "end": END, "ignore": [], "only": None, "limit": 20} | options
        command = SimpleNamespace(**options)
        asked = SimpleNamespace(
            command=command,
            **{name: conf.conf[name] for name in ("storage", "database", "collect")},
        )
        return rating_check.check(asked, timeutils.utcnow())

    return check


def test_the_example_of_the_guide(run):
    fill_example()

    text = rating_report.as_table(run())

    page = PAGE.read_text(encoding="utf-8")
    assert "".join(f"    {line}\n" if line else "\n" for line in text.splitlines()) in page


def test_all_is_fine(run):
    switch("hashmap")
    rules(lambda book: book.mapping("a", 1))
    rate("p1", [series("a", {})])

    report = run()

    assert report.level is Level.FINE
    assert rating_report.as_table(report).startswith("Rating Check Results: ok: 66 points\n")


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ({}, Level.WARNING),
        ({"only": ["unpriced"]}, Level.WARNING),
        ({"only": ["unpriced"], "ignore": ["instance", "ip"]}, Level.FINE),
        ({"only": ["unused"], "ignore": ["instance", "ip"]}, Level.WARNING),
        ({"only": ["overlaps"]}, Level.WARNING),
    ],
)
def test_what_counts(run, options, level):
    fill_example()

    assert run(**options).level is level


def test_lists_that_are_cut_say_so(run):
    switch("hashmap")
    rate("p1", [series(name, {}) for name in "abc"])

    text = rating_report.as_table(run(limit=2))

    assert "\nUsage without a price (the first 2 of 3)\n" in text


@pytest.mark.parametrize(
    ("options", "text"), [({"end": BEGIN}, "--end"), ({"limit": 0}, "--limit")]
)
def test_arguments_that_make_no_sense(run, options, text):
    with pytest.raises(service.Refused, match=text):
        run(**options)


def test_a_backend_that_is_not_there(run, conf):
    conf.config(backend="nothing", group="storage")

    report = run()

    assert report.level is Level.ERROR
    assert rating_report.as_table(report) == (
        "Rating Check Results: error: [storage] backend: there is no 'nothing'"
    )


def test_a_storage_of_the_first_generation(run, conf):
    conf.config(version=1, group="storage")

    report = run()

    assert report.level is Level.ERROR
    assert "not supported by storage backend 'sqlalchemy'" in rating_report.as_table(report)


def test_what_controls_a_terminal_is_not_shown(run):
    switch("hashmap")
    rules(lambda book: book.mapping("a/name", 1, value="x"))
    rate("p1", [series("a", {"name": "\x1b[2J" + "y" * 100})])

    assert f"name=?[2J{'y' * 56}…" in rating_report.as_table(run())


@pytest.mark.e2e
def test_as_a_command(sqlite_database: str, tmp_path: Path) -> None:
    fill_example()
    assert look().warnings == {"unpriced": 2, "unused": 1, "overlaps": 1}
    commands = Commands(tmp_path, sqlite_database)

    warned = commands.run(STATUS, "rating", "check", *DAYS, "--format", "json")
    fine = commands.run(
        STATUS,
        "rating",
        "check",
        *DAYS,
        *("--ignore", "ip", "--ignore", "instance"),
        *("--only", "unpriced"),
    )
    broken = Commands(tmp_path, "mysql+pymysql://u:secret@127.0.0.1:1/db").run(
        STATUS, "rating", "check", "--format", "json"
    )

    assert warned.returncode == 1, warned.stderr
    found = json.loads(warned.stdout)
    assert (found["name"], found["result"], found["error"]) == ("Rating Check Results", 1, None)
    assert found["coverage"]["unpriced"][0]["values"][0] == {
        "values": {"flavor_name": "large"},
        "points": 132,
        "qty": "132",
        "series": 2,
        "scopes": 2,
    }
    assert fine.returncode == 0, fine
    assert broken.returncode == 2, broken
    error = json.loads(broken.stdout)["error"]
    assert error.startswith("database mysql+pymysql://u:***@127.0.0.1:1/db: ")
