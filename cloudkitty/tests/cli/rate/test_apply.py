# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate export`` and ``apply`` with a database."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudkitty.rating.hashmap.store import mapping, service
from cloudkitty.tests.cli.rate.conftest import Done

Run = Callable[..., Done]

EMPTY = """\
hashmap:
  groups: []
  services: {}
pyscripts: []
modules:
  hashmap: {enabled: false, priority: 1}
  noop: {enabled: true, priority: 1}
  pyscripts: {enabled: false, priority: 1}
"""
RULES = """\
hashmap:
  services:
    compute:
      mappings: [{cost: 1, start: 2024-01-01}]
      thresholds: [{level: 1, cost: 2}]
modules:
  hashmap: {enabled: true}
"""
STEPS = """\
add    service compute
add    mapping compute flat 1, from 2024-01-01T00:00:00
add    threshold compute >= 1 flat 2
change module hashmap: on
3 to add, 1 to change
"""


@pytest.fixture
def config(sqlite_database: str, tmp_path: Path) -> str:
    """The file that names the database."""
    path = tmp_path / "c.conf"
    path.write_text(f"[database]\nconnection = {sqlite_database}\n")
    return f"--config-file={path}"


def test_export_and_apply(run: Run, config: str) -> None:
    assert run("export", config) == Done(0, EMPTY, "")

    # What begins in the past is not done by accident, and not in part.
    done = run("apply", config, "-", stdin=RULES)
    assert (done.status, done.out) == (1, STEPS)
    assert done.err == (
        "<stdin>:4: add    mapping compute flat 1, from 2024-01-01T00:00:00: it begins in the "
        "past, 2024-01-01T00:00:00\n"
        "1 of these reach into the past, so that they need --force\n"
    )
    done = run("apply", config, "-", "--dry-run", "--force", stdin=RULES)
    assert done == Done(0, STEPS, "")
    assert run("export", config).out == EMPTY

    assert run("apply", config, "-", "--force", stdin=RULES) == Done(0, f"{STEPS}done\n", "")
    text = run("export", config, "--output", "out.yaml")
    assert text == Done(0, "", "")
    assert (
        Path("out.yaml").read_text()
        == """\
hashmap:
  groups: []
  services:
    compute:
      mappings:
      - {type: flat, cost: "1", start: "2024-01-01T00:00:00"}
      thresholds:
      - {level: "1", type: flat, cost: "2"}
pyscripts: []
modules:
  hashmap: {enabled: true, priority: 1}
  noop: {enabled: true, priority: 1}
  pyscripts: {enabled: false, priority: 1}
"""
    )
    assert run("apply", config, "out.yaml") == Done(0, "nothing to do\n", "")


def test_what_takes_effect_when(run: Run, config: str) -> None:
    run("apply", config, "-", "--force", stdin=RULES)
    new = "hashmap: {services: {compute: {mappings: [{cost: 3}]}}}"
    done = run("apply", config, "-", "--at", "2040-01-01", stdin=new)
    assert done == Done(
        0,
        "end    mapping compute flat 1, from 2024-01-01T00:00:00: ends 2040-01-01T00:00:00\n"
        "add    mapping compute flat 3, from 2040-01-01T00:00:00\n"
        "remove threshold compute >= 1 flat 2\n"
        "1 to add, 1 to end, 1 to remove\n"
        "done\n",
        "",
    )
    assert run("apply", config, "-", "--at", "2020-01-01", stdin=new).err.startswith(
        "cloudkitty-rate: error: --at must be in the future, it is "
    )
    # The same again changes nothing more.
    assert run("apply", config, "-", stdin=new).out == (
        "keep   mapping compute flat 1, from 2024-01-01T00:00:00, until 2040-01-01T00:00:00\n"
        "nothing to do\n"
    )
    # Without it, soon.
    done = run("apply", config, "-", stdin="hashmap: {services: {disk: {mappings: [{cost: 1}]}}}")
    assert done.status == 0
    assert re.search(
        r"^add    mapping disk flat 1, from 20\d\d-\d\d-\d\dT[\d:]{8}$", done.out, re.MULTILINE
    )


def test_what_is_over_is_kept(run: Run, config: str) -> None:
    old = RULES.replace("start: 2024-01-01", "start: 2024-01-01, end: 2024-02-01")
    run("apply", config, "-", "--force", stdin=old)
    done = run("apply", config, "-", stdin="hashmap: {}")
    assert done.out == (
        "remove threshold compute >= 1 flat 2\n"
        "keep   mapping compute flat 1, from 2024-01-01T00:00:00, until 2024-02-01T23:59:59\n"
        "keep   service compute, which has a past\n"
        "1 to remove\n"
        "done\n"
    )
    assert len(mapping.get_all(mapping.MappingFilter())) == 1


def test_errors_before_anything_is_done(run: Run, config: str) -> None:
    done = run("apply", config, "-", stdin=f"{RULES}foo: 1\n")
    assert done == Done(1, "", "<stdin>:8: foo: unknown key; known: hashmap, pyscripts, modules\n")
    done = run("apply", config, "-", stdin="modules:\n  gone: {enabled: true}")
    assert done.err == (
        "<stdin>:2: modules.gone: no such rating module; installed: hashmap, noop, pyscripts\n"
    )
    assert service.get_all() == []


def test_rules_of_old_databases(run: Run, config: str) -> None:
    """They may be such that nobody could make them: that is said, and no reason not to export."""
    from cloudkitty import db
    from cloudkitty.tests.rating.hashmap import rulebook

    with db.session_for_write() as session:
        book = rulebook.Rulebook(session)
        for cost in "12":
            book.mapping("compute", cost, created_by="x")
    done = run("export", config)
    assert done.status == 0
    assert done.err == (
        "warning: rules that could not be made today:\n"
        "<stdout>:7: hashmap.services.compute.mappings[1]: Mapping 'None' already exists for "
        "service 'compute', tenant: 'None' (hashmap.services.compute.mappings[0] in line 6)\n"
    )
    # They may stay.
    assert run("apply", config, "-", stdin=done.out).out == "nothing to do\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["export", "--endpoint", "http://127.0.0.1:1", "--config-file", "x"], "a database and an"),
        (["export", "--auth", "basic", "--config-file", "x"], "--auth needs --endpoint"),
        (["export", "--config-file", "/gone.conf"], "Failed to find some config files: /gone.conf"),
        (["apply", "/gone.yaml", "--endpoint", "http://127.0.0.1:1"], "/gone.yaml: No such file"),
        (["export", "--endpoint", "http://127.0.0.1:1"], "Unable to establish connection to http"),
        (["export", "--os-cloud", "gone"], "there is no clouds.yaml: clouds.yaml, "),
        (
            ["export", "--endpoint", "http://127.0.0.1:1", "--auth", "token"],
            "the environment variable OS_TOKEN is not set",
        ),
    ],
)
def test_what_cannot_be(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], error: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("OS_TOKEN", raising=False)
    done = run(*arguments)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"cloudkitty-rate: error: {error}"), done.err
    assert done.err.count("\n") == 1


def test_a_database_that_is_not_there(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "c.conf"
    path.write_text("[database]\nconnection = sqlite:////nonexistent/x.sqlite\nmax_retries = 0\n")
    done = run("export", f"--config-file={path}")
    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines()[-1] == (
        "cloudkitty-rate: error: database sqlite:////nonexistent/x.sqlite: unable to open database "
        "file"
    )
