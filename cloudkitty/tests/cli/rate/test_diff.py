# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate diff``: the same frames by two documents."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cloudkitty.tests.cli.rate.conftest import Done
from cloudkitty.tests.cli.rate.test_frames import HALF, RULES, frame, point, write

Run = Callable[..., Done]
NEW = RULES.replace("0.1", "0.15").replace("value: big, cost: 2", "value: big, cost: 1")


@pytest.fixture(autouse=True)
def files(run: Run) -> None:
    write("old.yaml", RULES)
    write("new.yaml", NEW)
    case = {"name": "small ones", "tenant_id": "a", "input": frame(point(), point(2))}
    case["period_begin"] = "2024-05-01T00:00:00+00:00"
    write("f.json", [frame(point(flavor="big"), point(qty=0)), case])


def test_text(run: Run) -> None:
    done = run("diff", "old.yaml", "new.yaml", "--input", "f.json")
    assert (done.status, done.err) == (1, "")
    assert (
        done.out
        == """\
--- old.yaml
+++ new.yaml
[0] (2024-05-01T00:00:00+00:00)
  compute[0]: 2 -> 1 (-1)
small ones (tenant a, 2024-05-01T00:00:00+00:00)
  compute[0]: 0.4 -> 0.45 (+0.05)
  compute[1]: 0.8 -> 0.9 (+0.1)
total: 3.2 -> 2.35 (-0.85)
"""
    )


def test_json(run: Run) -> None:
    done = run("diff", "old.yaml", "new.yaml", "--input", "f.json", "--format", "json")
    assert done.status == 1
    found = json.loads(done.out)
    assert (found["old"], found["new"], found["difference"]) == ("3.2", "2.35", "-0.85")
    first, second = found["cases"]
    assert first == {
        "tenant_id": None,
        "period_begin": "2024-05-01T00:00:00+00:00",
        "points": [{"service": "compute", "point": 0, "old": "2", "new": "1", "difference": "-1"}],
        "old": "2",
        "new": "1",
        "difference": "-1",
    }
    assert (second["name"], second["tenant_id"], second["difference"]) == (
        "small ones",
        "a",
        "0.15",
    )


def test_no_difference(run: Run) -> None:
    done = run("diff", "old.yaml", "-", "--input", "f.json", stdin=f"# other words\n{RULES}")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_points_that_a_script_takes_away(run: Run) -> None:
    gone = json.dumps({"pyscripts": [{"name": "s", "data": "data['usage']['compute'].pop()"}]})
    done = run("diff", "old.yaml", "-", "--input", "f.json", stdin=gone)
    assert done.status == 1
    assert "  compute[1]: 0 -> none (+0)\n" in done.out


@pytest.mark.parametrize(
    ("new", "error"),
    [
        ("hashmap: []", "<stdin>:1: hashmap: expected a mapping, not a list"),
        (HALF.replace("/=", "/"), "cloudkitty-rate: error: -: script 'half', line "),
        (HALF.replace("/= 2", "/= 0"), "cloudkitty-rate: error: -: script 'half', line 3: "),
    ],
)
def test_errors_are_no_differences(run: Run, new: str, error: str) -> None:
    if "/ 2" in new:
        new = new.replace("/ 2", "/ (")
    done = run("diff", "old.yaml", "-", "--input", "f.json", stdin=new)
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith(error)


def test_files_that_are_not_there(run: Run) -> None:
    done = run("diff", "old.yaml", "gone.yaml", "--input", "f.json")
    assert done.status == 2
    assert done.err == "cloudkitty-rate: error: gone.yaml: No such file or directory\n"
    done = run("diff", "-", "-", "--input", "f.json")
    assert done.status == 2
    assert done.err == "cloudkitty-rate: error: only one of OLD, NEW and --input can be '-'\n"
