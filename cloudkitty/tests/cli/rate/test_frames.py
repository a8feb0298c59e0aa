# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate frames``: without a configuration, a database or a server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cloudkitty.tests
from cloudkitty.tests.cli.rate.conftest import Done

Run = Callable[..., Done]
VECTORS = Path(cloudkitty.tests.__file__).parent / "data" / "vectors"

RULES = """\
hashmap:
  services:
    compute:
      mappings:
      - {cost: 0.1}
      - {cost: 0.3, tenant: a, group: own}
      fields:
        flavor:
          mappings: [{value: big, cost: 2, start: 2024-05-01}]
"""
HALF = """\
pyscripts:
- name: half
  data: |
    for points in data["usage"].values():
        for point in points:
            point["rating"]["price"] /= 2
"""


def point(qty: Any = 1, price: Any = 0, **metadata: Any) -> dict[str, Any]:
    return {
        "vol": {"unit": "u", "qty": qty},
        "rating": {"price": price},
        "groupby": {},
        "metadata": metadata,
    }


def frame(*points: dict[str, Any], month: int = 5) -> dict[str, Any]:
    begin = f"2024-{month:02d}-01T00:00:00+00:00"
    end = f"2024-{month:02d}-01T01:00:00+00:00"
    return {"period": {"begin": begin, "end": end}, "usage": {"compute": list(points)}}


def write(name: str, what: Any) -> str:
    Path(name).write_text(what if isinstance(what, str) else json.dumps(what))
    return name


@pytest.mark.parametrize("name", ["hashmap.json", "pyscripts.json"])
def test_vectors(run: Run, name: str) -> None:
    cases = json.loads((VECTORS / name).read_text())
    done = run("frames", "--input", VECTORS / name, "--check")

    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert len(found) == len(cases)
    for case, one in zip(cases, found, strict=True):
        assert (one["name"], one["as_expected"]) == (case["name"], True)
        if name == "hashmap.json":
            assert one["modules"] == ["hashmap"]
            assert prices(one["prices"]) == prices(case["expected"]), case["name"]
        elif "error" in case["expected"]:
            assert one["error"].startswith("script 'script-1', line ")
        else:
            assert one["modules"] == ["pyscripts"]
            expected = case["expected"]["usage"]
            assert list(one["frame"]["usage"]) == list(expected)
            for metric, points in expected.items():
                got = one["frame"]["usage"][metric]
                assert [numbers(p) for p in got] == [numbers(p) for p in points], case["name"]
            assert prices(one["prices"]) == {
                metric: [Decimal(p["price"]) for p in points] for metric, points in expected.items()
            }


def prices(found: dict[str, list[str]]) -> dict[str, list[Decimal]]:
    return {metric: list(map(Decimal, some)) for metric, some in found.items()}


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "qty": Decimal(found["qty"]), "price": Decimal(found["price"])}


def test_one_case_gives_one_answer(run: Run) -> None:
    case = json.loads((VECTORS / "hashmap.json").read_text())[1]
    done = run("frames", "--input", "-", stdin=json.dumps(case))

    assert done.status == 0
    assert json.loads(done.out) == {
        "name": case["name"],
        "tenant_id": "tenant-a",
        "period_begin": "2024-05-01T00:00:00+00:00",
        "modules": ["hashmap"],
        "prices": {"instance": ["2"], "volume.size": ["1.5"]},
        "total": "3.5",
        "as_expected": True,
    }
    # Without a word about the environment.
    assert done.err == ""


def test_rules_of_a_document(run: Run) -> None:
    write("r.yaml", RULES)
    points = [point(3), point("0.5", 1, flavor="big"), point(flavor="small")]
    write("f.json", [frame(*points), frame(*points, month=4)])
    done = run("frames", "--rules", "r.yaml", "--input", "f.json")

    assert done.status == 0
    assert [one["prices"] for one in json.loads(done.out)] == [
        {"compute": ["0.3", "2", "0.1"]},
        {"compute": ["0.3", "1.05", "0.1"]},
    ]
    done = run("frames", "--rules", "r.yaml", "--input", "f.json", "--tenant", "a", "--from-zero")
    first = json.loads(done.out)[0]
    assert (first["tenant_id"], first["prices"]) == ("a", {"compute": ["1.2", "1.15", "0.4"]})
    assert first["total"] == "2.75"
    assert "frame" not in first


def test_modules_rate_in_their_order(run: Run) -> None:
    write("f.json", frame(point(price=1)))
    both = RULES + HALF
    orders = {
        both: "0.55",
        f"{both}modules: {{pyscripts: {{priority: 2}}}}": "0.6",
        f"{both}modules: {{pyscripts: {{enabled: false}}}}": "1.1",
        f"{both}modules: {{hashmap: {{enabled: false}}}}": "0.5",
    }
    for text, price in orders.items():
        done = run("frames", "--rules", "-", "--input", "f.json", stdin=text)
        assert json.loads(done.out)["prices"] == {"compute": [price]}, done.err


def test_the_frame_that_scripts_leave(run: Run) -> None:
    script = (
        "data['usage']['new'] = data['usage'].pop('compute') + [dict(vol={'unit': 'x', 'qty': 2}, "
    )
    script += "rating={'price': '1e-3'}, groupby={'a': None}, metadata={})]"
    text = json.dumps({"pyscripts": [{"name": "s", "data": script}]})
    write("f.json", frame(point("1.50", flavor="é")))
    found = json.loads(run("frames", "--rules", "-", "--input", "f.json", stdin=text).out)

    assert found["prices"] == {"new": ["0", "0.001"]}
    assert found["frame"] == {
        "period": {"begin": "2024-05-01T00:00:00+00:00", "end": "2024-05-01T01:00:00+00:00"},
        "usage": {
            "new": [
                {
                    "unit": "u",
                    "qty": "1.5",
                    "price": "0",
                    "groupby": {},
                    "metadata": {"flavor": "é"},
                },
                {"unit": "x", "qty": "2", "price": "0.001", "groupby": {"a": None}, "metadata": {}},
            ]
        },
    }


def test_scripts_are_isolated(run: Run) -> None:
    """A script that loops, or wants what it must not, is stopped as it would be in a processor."""
    write("c.conf", "[pyscripts]\ntime_limit = 0.2\nimports = decimal\n")
    write("f.json", frame(point()))
    for code, error in {
        "while True:\n    pass": "stopped after 0.2 s",
        "import socket": "ImportError",
        "raise SystemExit": "SystemExit",
        "x = (": "was never closed",
    }.items():
        text = json.dumps({"pyscripts": [{"name": "s", "data": f"y = 1\n{code}"}]})
        options = ["--rules", "-", "--input", "f.json", "--config-file", "c.conf"]
        done = run("frames", *options, stdin=text)
        assert done.status == 1
        found = json.loads(done.out)
        # One that loops is somewhere in its loop when its time is up.
        assert re.match("script 's', line [23]: ", found["error"])
        assert error in found["error"]
        assert "prices" not in found


def test_an_answer_of_the_api_is_rated(run: Run) -> None:
    write("r.yaml", RULES)
    answer = {"total": 2, "dataframes": [frame(point(price=5)), frame(point(2))]}
    done = run(
        "frames", "--rules", "r.yaml", "--input", "-", "--from-zero", stdin=json.dumps(answer)
    )
    assert [one["prices"] for one in json.loads(done.out)] == [
        {"compute": ["0.1"]},
        {"compute": ["0.2"]},
    ]


def test_a_quantity_that_is_no_number_is_refused(run: Run) -> None:
    write("r.yaml", RULES)
    text = json.dumps(frame(point("NaN"), point(2), point("Infinity")))
    done = run("frames", "--rules", "r.yaml", "--input", "-", stdin=text)
    assert json.loads(done.out)["prices"] == {"compute": [None, "0.2", None]}


def test_check(run: Run) -> None:
    case = json.loads((VECTORS / "hashmap.json").read_text())[1]
    case["expected"]["instance"] = ["3"]
    text = json.dumps([case])
    done = run("frames", "--input", "-", "--check", stdin=text)
    assert done.status == 1
    assert json.loads(done.out)[0]["as_expected"] is False
    assert run("frames", "--input", "-", stdin=text).status == 0
    # Other rules than those of the case count if they are given.
    write("r.yaml", "hashmap: {services: {instance: {mappings: [{cost: 3}]}}}")
    assert run("frames", "--input", "-", "--rules", "r.yaml", "--check", stdin=text).status == 0


@pytest.mark.parametrize(
    ("arguments", "stdin", "error"),
    [
        (
            ["--input", "gone.json"],
            "",
            "cloudkitty-rate: error: gone.json: No such file or directory",
        ),
        (
            ["--rules", "gone.yaml", "--input", "-"],
            "",
            "cloudkitty-rate: error: gone.yaml: No such file or directory",
        ),
        (["--input", "."], "", "cloudkitty-rate: error: .: Is a directory"),
        (["--input", "-"], "[\n1,", "<stdin>:2: not valid JSON: Expecting value"),
        (["--input", "-"], "[NaN]", "<stdin>: not valid JSON: NaN is no number"),
        (["--input", "-"], "5", "<stdin>: expected a frame or a case"),
        (
            ["--input", "-"],
            '[{"usage": {}}]',
            "<stdin>: [0]: DataFrame: required key not provided @ data['period']",
        ),
        (
            ["--input", "-"],
            json.dumps(frame()),
            "cloudkitty-rate: error: -: it has no rules of its own: give --rules",
        ),
        (
            ["--input", "-", "--rules", "-"],
            "",
            "cloudkitty-rate: error: --rules and --input cannot both be '-'",
        ),
        (
            ["--input", "-", "--config-file", "/gone.conf"],
            "{}",
            "cloudkitty-rate: error: Failed to find some config files: /gone.conf",
        ),
    ],
)
def test_what_cannot_be(run: Run, arguments: list[str], stdin: str, error: str) -> None:
    done = run("frames", *arguments, stdin=stdin)
    assert (done.status, done.out, done.err) == (1, "", f"{error}\n")


def test_all_errors_of_a_case_with_their_lines(run: Run) -> None:
    case = json.loads((VECTORS / "hashmap.json").read_text())[1]
    case["rules"]["mappings"][0]["cost"] = "x"
    del case["input"]["usage"]["volume.size"][0]["vol"]["qty"]
    text = json.dumps([case], indent=1)
    line = text[: text.index('"cost"')].count("\n") + 1
    done = run("frames", "--input", "-", stdin=text)

    assert done.status == 1
    qty, cost = done.err.splitlines()
    assert cost.startswith(f"<stdin>:{line}: [0].rules.mappings[0].cost: Invalid input for field")
    assert qty == (
        "<stdin>: [0].input.usage['volume.size'][0]: DataPoint: required key not provided @ "
        "data['vol']['qty']"
    )


@pytest.mark.parametrize(
    "arguments", [[], ["rate"], ["frames"], ["frames", "--input"], ["frames", "--what"]]
)
def test_usage(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.status == 2
    assert "usage: cloudkitty-rate" in done.err


def test_help(run: Run) -> None:
    done = run("--help")
    assert done.status == 0
    for name in ("frames", "diff", "export", "apply"):
        assert name in done.out
    assert "--input" in run("frames", "--help").out


def test_the_time_zone_of_rules(run: Run) -> None:
    write("f.json", frame(point(flavor="big"), month=5))
    done = run(
        "frames", "--rules", "-", "--input", "f.json", "--timezone", "US/Pacific", stdin=RULES
    )
    assert json.loads(done.out)["prices"] == {"compute": ["0.1"]}
    done = run("frames", "--rules", "-", "--input", "f.json", "--timezone", "Nowhere", stdin=RULES)
    assert done.status == 2
    assert "there is no time zone 'Nowhere'" in done.err
