# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate explain``: frames by a document; stored points from a database or an API."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

import cloudkitty
from cloudkitty.tests import webapi
from cloudkitty.tests.api.v2 import test_explain as stored
from cloudkitty.tests.cli.rate.conftest import Done
from cloudkitty.tests.cli.rate.test_documentation import BLOCK
from cloudkitty.tests.cli.rate.test_frames import HALF, RULES, frame, point, write

Run = Callable[..., Done]
PAGE = Path(cloudkitty.__file__).parents[1] / "doc" / "source" / "user" / "why.rst"
VECTORS = Path(cloudkitty.__file__).parent / "tests" / "data" / "vectors" / "hashmap.json"
DAY = ("--begin=2026-11-03", "--end=2026-11-04")


def explained(done: Done) -> list[dict[str, Any]]:
    assert (done.status, done.err) == (0, ""), done.err
    answer = json.loads(done.out, parse_float=Decimal)
    found = [
        one
        for frame_ in answer["dataframes"]
        for points in frame_["usage"].values()
        for one in points
    ]
    assert answer["total"] >= len(found)
    return found


@pytest.mark.skipif(not PAGE.exists(), reason="needs a checkout")
def test_the_example_of_the_documentation(run: Run) -> None:
    tried = 0
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        text = textwrap.dedent(block["text"])
        if block["name"]:
            Path(block["name"]).write_text(text.rstrip("\n") + "\n")
            continue
        for example in re.split(r"^\$ cloudkitty-rate ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = example.partition("\n")
            done = run(*shlex.split(command))
            assert (done.status, done.err) == (0, "")
            assert done.out.rstrip("\n") == expected.rstrip("\n")
            tried += 1
    assert tried == 1


def test_cases_with_rules_of_their_own(run: Run) -> None:
    """All recorded prices are explained, and the explanations lead to them."""
    cases = json.loads(VECTORS.read_text())
    found = explained(run("explain", f"--input={VECTORS}", "--format=json"))
    prices = [
        Decimal(price)
        for case in cases
        for metric in sorted(case["input"]["usage"])
        for price in case["expected"].get(metric, [])
    ]
    assert len(found) == len(prices) > 400
    assert sorted(one["rating"]["price"] for one in found) == sorted(prices)
    text = run("explain", f"--input={VECTORS}")
    assert (text.status, text.err) == (0, "")
    assert text.out.endswith(f"\n{len(prices)} of {len(prices)} points\n")


def test_scripts_and_prices_that_are_there(run: Run) -> None:
    write("rules.yaml", RULES + HALF)
    usage = write("in.json", frame(point(2, price="2.3", flavor="big"), point(price=7)))
    done = run("explain", "--rules=rules.yaml", f"--input={usage}", "--tenant=a", "--from-zero")
    assert done.status == 0, done.err
    assert done.out == textwrap.dedent("""\
        2024-05-01T00:00:00+00:00  compute  2 u: 2.3
          by the document
          hashmap: 0 -> 4.6
            group _DEFAULT_: 2 * 2 = 4
              rules.yaml:5  mapping  compute       flat 0.1  lower than rules.yaml:9
              rules.yaml:9  mapping  flavor = big  flat 2    the price of a unit
            group own: 0.3 * 2 = 0.6
              rules.yaml:6  mapping  compute  flat 0.3  the price of a unit  (tenant a)
          pyscripts, script half: 4.6 -> 2.3

        2024-05-01T00:00:00+00:00  compute  1 u: 0.2
          by the document; NOT THE SAME: 0.2 in place of 7
          hashmap: 0 -> 0.4
            group _DEFAULT_: 0.1 * 1 = 0.1
              rules.yaml:5  mapping  compute  flat 0.1  the price of a unit
            group own: 0.3 * 1 = 0.3
              rules.yaml:6  mapping  compute  flat 0.3  the price of a unit  (tenant a)
          pyscripts, script half: 0.4 -> 0.2

        2 of 2 points
    """)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--input=in.json"], "in.json: it has no rules of its own: give --rules"),
        (["--input=in.json", "--begin=2024-01-01"], "--begin cannot be used with --input"),
        (["--rules=x", "--tenant=a"], "--rules and --tenant need --input"),
        (["--from-zero"], "--from-zero needs --input"),
        (["--input=-", "--rules=-"], "--rules and --input cannot both be '-'"),
        (["--begin=soon", "--config-file=c.conf"], "--begin soon: "),
        (["--filter=soon", "--config-file=c.conf"], "--filter soon: expected KEY:VALUE"),
    ],
)
def test_arguments_that_do_not_go_together(run: Run, arguments: list[str], text: str) -> None:
    write("in.json", frame(point()))
    write("c.conf", "[database]\nconnection = sqlite:///c.sqlite\n")
    done = run("explain", *arguments)
    assert (done.status, done.out) == (1, "")
    assert text in done.err


@pytest.fixture
def rated(sqlite_database: str, conf: cfg_fixture.Config) -> str:
    """A database with points that were rated, and rules that have gone since."""
    stored.add_rules()
    stored.rate(stored.series("cpu", "20", flavor="big"), stored.series("ram", "1"))
    stored.rulebook.clear()
    return sqlite_database


EXPECTED = """\
2026-11-03T01:00:00+00:00  cpu  id r-1  20 unit: 42.5
  by the rules that were recorded
  hashmap: 0 -> 42.5
    group g: 0.25 * 20 * 0.5 = 2.5
      m-mine  mapping    cpu        flat 0.25  the price of a unit        (tenant project-a)
      m-all   mapping    cpu        flat 0.5   replaced by m-mine
      t-10    threshold  cpu >= 10  rate 0.5   the highest level reached
    group _DEFAULT_: 2 * 20 = 40
      m-big  mapping  flavor = big  flat 2  the price of a unit
  noop: 42.5 -> 42.5

1 of 2 points
"""


def test_points_in_a_database(run: Run, rated: str) -> None:
    write("c.conf", f"[database]\nconnection = {rated}\n")
    arguments = ("explain", "--config-file=c.conf", *DAY)
    page = ("--filter=type:cpu", "--filter=project_id:project-a", "--offset=1", "--limit=1")
    assert run(*arguments, *page) == Done(0, EXPECTED, "")
    free = explained(run(*arguments, "--filter=type:ram", "--format=json"))
    assert [why["code"] for why in free[0]["explanation"]["reasons"]] == ["no_service"]


@pytest.fixture
def api(rated: str, conf: cfg_fixture.Config) -> Iterator[str]:
    """The API on it, in this process; it takes everybody for an administrator."""
    application = webapi.Api(conf).wsgi

    def trusting(environ: dict[str, Any], start: Any) -> Any:
        for name, value in webapi.ADMIN.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return application(environ, start)

    class Silent(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *_args: object) -> None:
            pass

    with wsgiref.simple_server.make_server("127.0.0.1", 0, trusting, handler_class=Silent) as one:
        thread = threading.Thread(target=one.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()
        thread.join()


def test_points_of_an_api(run: Run, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The server is in the process of the command here, and needs its configuration.
    monkeypatch.setattr("oslo_config.cfg.CONF.reset", lambda: None)
    arguments = ("explain", f"--endpoint={api}", *DAY)
    page = ("--filter=type:cpu", "--filter=project_id:project-a", "--offset=1", "--limit=1")
    assert run(*arguments, *page) == Done(0, EXPECTED, "")
    assert len(explained(run(*arguments, "--format=json"))) == 4
    done = run(*arguments, "--limit=1000")
    assert (done.status, done.out) == (1, "")
    assert "limit must be at most 100" in done.err
