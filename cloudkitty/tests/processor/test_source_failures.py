# SPDX-License-Identifier: Apache-2.0
"""A source that fails: who is not rated, what is said about it, and that it goes on by itself.

The processor's parts are real, and so is Prometheus; a server between them spoils its answers.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty.tests import prometheus, webserver
from cloudkitty.tests.collector.helpers import build
from cloudkitty.tests.processor import faulty
from cloudkitty.tests.processor.faulty import PERIODS, SCOPES, Fault, Source, instead, spoilt
from cloudkitty.tests.processor.rig import NEWEST, P, Rig, lasts, seed, stored
from cloudkitty.tests.webserver import Reply

pytestmark = pytest.mark.service

SECRET = "hidden-pass"
METRICS = {name: {"unit": "u", "groupby": ["id"]} for name in ("cpu", "vol")}
DONE = dict.fromkeys(SCOPES, 0)


@dataclass(frozen=True)
class Case:
    """A fault, and the reason that is told (None: it is none, nobody is kept from being rated)."""

    fault: Fault
    reason: str | None
    #: Whether it says that the source can be asked nothing at all.
    refuses: bool = False


def _twice(body: dict[str, Any]) -> None:
    body["data"]["result"] += body["data"]["result"][:1]


def _foreign(body: dict[str, Any]) -> None:
    body["data"]["result"][0]["metric"]["project_id"] = "z"


def _kind(body: dict[str, Any]) -> None:
    body["data"]["resultType"] = "scalar"


def _histogram(body: dict[str, Any]) -> None:
    series = body["data"]["result"][0]
    series["histograms"] = series.pop("values", None) or series.pop("value")


CASES = {
    "hangs up": Case(instead(Reply(hang_up=True)), "connection broken"),
    "401": Case(
        instead(Reply(401, "who are you")), "HTTP 401, response: who are you", refuses=True
    ),
    "403": Case(instead(Reply(403, "not you")), "HTTP 403, response: not you"),
    "404": Case(instead(Reply(404, "no such metric")), "HTTP 404, response: no such metric"),
    "422": Case(
        instead(webserver.error("execution", "query processing would load too many samples", 422)),
        "execution: query processing would load too many samples",
    ),
    "duplicates found by the server": Case(
        instead(webserver.error("execution", "found duplicate series for the match group", 422)),
        "execution: found duplicate series",
    ),
    "429": Case(instead(Reply(429, "slower")), "HTTP 429, response: slower"),
    "500": Case(instead(Reply(500, "<b>oops</b>\n" * 500)), "HTTP 500, response: <b>oops</b>"),
    "503": Case(instead(Reply(503, "busy")), "HTTP 503, response: busy"),
    "503 in the server's words": Case(
        instead(webserver.error("timeout", "query timed out", 503)), "timeout: query timed out"
    ),
    "redirects for ever": Case(
        instead(Reply(302, headers={"location": "/api/v1/query_range"})),
        "more than 5 redirects",
        refuses=True,
    ),
    "truncated": Case(instead(Reply(200, '{"status"', declared=500)), "connection broken"),
    "truncated text": Case(faulty.text(lambda t: t[:-20]), "valid json response"),
    "broken text": Case(faulty.text(lambda t: t.replace(":", "=")), "valid json response"),
    "html": Case(instead(Reply(200, "<html>log in</html>")), "response: <html>log in</html>"),
    "not what was asked for": Case(instead(Reply(200, [])), r"Unexpected answer"),
    "another kind": Case(spoilt(_kind), "gives a scalar, not a (matrix|vector)"),
    "words": Case(faulty.values("one"), "a value is no number: 'one'"),
    "numbers that are no text": Case(faulty.values(1.5), "a value is not text: 1.5"),
    "beyond numbers": Case(faulty.values("1e9999"), "a value is out of range"),
    "histograms": Case(spoilt(_histogram), "native histograms"),
    "twice": Case(spoilt(_twice), r"a series twice: \{.*'id': 'p\w0'"),
    "another scope": Case(spoilt(_foreign), "a series of scope 'z', which was not asked for"),
    "a part": Case(
        spoilt(lambda body: body.update(warnings=["store is down"])),
        "may be incomplete: store is down",
    ),
    "nothing": Case(spoilt(lambda body: body["data"]["result"].clear()), None),
    "not a number": Case(faulty.values("NaN"), None),
    "infinite": Case(faulty.values("-Inf"), None),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus.running(faulty.history(), tmp_path_factory.mktemp("prometheus")) as url:
        yield url


@pytest.fixture
def source(real: str, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr("cloudkitty.http._PAUSE", 0.001)
    return Source(real)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def rig_for(
    conf: cfg_fixture.Config, url: str, metrics: dict[str, Any] = METRICS, **sizes: int
) -> Rig:
    """Build a processor for the source, whose URL has a user and a password."""
    url = url.replace("http://", f"http://ck:{SECRET}@") + "/api/v1"
    return Rig(SCOPES, source=build(conf, url, metrics), **sizes)


def said(log: pytest.LogCaptureFixture) -> list[str]:
    """Give what we logged as a warning or worse since this was last called."""
    found = [
        record.getMessage()
        for record in log.records
        if record.levelno >= logging.WARNING and record.name.startswith("cloudkitty.")
    ]
    # Nothing at any level may tell the password, in tracebacks neither.
    assert SECRET not in log.text
    assert base64.b64encode(f"ck:{SECRET}".encode()).decode() not in log.text
    log.clear()
    return found


def expected(metrics: int = 2) -> set[int]:
    """Give the number of points that each scope has in a period."""
    return {2 * metrics}


@pytest.mark.parametrize("scopes", [None, {"pb"}], ids=["metric", "scope"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_fault_keeps_what_it_is_about_from_being_rated_until_it_is_over(
    conf: cfg_fixture.Config,
    sqlite_database: str,
    source: Source,
    log: pytest.LogCaptureFixture,
    case: Case,
    scopes: set[str] | None,
) -> None:
    seed(SCOPES, PERIODS)
    source.fault, source.scopes = case.fault, scopes
    with faulty.serving(source) as server:
        rig = rig_for(conf, server.url)
        rig.rounds()
        lines = said(log)
        if case.reason is None:
            assert lasts() == DONE
            # The other metric of the scope has been rated.
            assert min(stored().values()) == 2
            assert len(lines) == (0 if case is CASES["nothing"] else 1)
            return
        failed = set(SCOPES) if scopes is None or case.refuses else scopes
        assert lasts() == {scope: PERIODS if scope in failed else 0 for scope in SCOPES}
        assert {scope for scope, _begin in stored()} == set(SCOPES) - failed
        (line,) = lines
        assert re.search(case.reason, line)
        assert "metric 'vol': " in line
        assert f"{len(failed)} scope(s) not rated ({', '.join(sorted(failed))}), trying" in line
        assert server.url.removeprefix("http://") in line
        assert len(line) < 1000
        assert "\n" not in line

        source.fault = None
        rig.clock.now += 5
        rig.rounds()
    assert lasts() == DONE
    assert set(stored().values()) == expected()
    assert len(stored()) == len(SCOPES) * PERIODS
    assert said(log) == []


def test_nobody_listens_and_then_somebody_does(
    conf: cfg_fixture.Config,
    sqlite_database: str,
    source: Source,
    log: pytest.LogCaptureFixture,
) -> None:
    seed(SCOPES, PERIODS)
    port = prometheus.free_port()
    rig = rig_for(conf, f"http://127.0.0.1:{port}")
    rig.rounds()
    assert lasts() == dict.fromkeys(SCOPES, PERIODS)
    (line,) = said(log)
    assert "3 scope(s) not rated (pa, pb, pc), trying again in 5 s: metric '" in line
    assert "Connection refused" in line
    # Hours later nobody waits for hours more; in the meantime it is not said again and again.
    for _ in range(12):
        rig.clock.now = rig.backoff.until("pa")
        rig.rounds()
    assert said(log) == []
    with faulty.serving(source, port):
        rig.clock.now += 60
        rig.rounds()
    assert set(stored().values()) == expected()
    assert len(stored()) >= len(SCOPES) * PERIODS
    assert "3 scope(s) that had failed are rated again (pa, pb, pc)" in log.text


def test_a_source_that_is_late(
    conf: cfg_fixture.Config,
    sqlite_database: str,
    source: Source,
    log: pytest.LogCaptureFixture,
) -> None:
    seed(SCOPES, 1)
    conf.config(timeout=0.7, group="collector_prometheus")
    source.fault, source.scopes = instead(Reply(200, "{}", pause=20)), {"pc"}
    with faulty.serving(source) as server:
        rig = rig_for(conf, server.url)
        rig.rounds()
        assert lasts() == {"pa": 0, "pb": 0, "pc": 1}
        (line,) = said(log)
        assert "1 scope(s) not rated (pc), trying again in 5 s: metric 'vol': " in line
        assert "timeout while waiting for the answer" in line
        source.fault = None
        rig.clock.now += 5
        rig.rounds()
    assert lasts() == DONE


def test_a_source_that_can_take_little_is_no_fault(
    conf: cfg_fixture.Config,
    sqlite_database: str,
    source: Source,
    log: pytest.LogCaptureFixture,
) -> None:
    seed(SCOPES, PERIODS)

    def fault(honest: Any) -> Reply:
        reply: Reply = honest()
        assert isinstance(reply.body, dict)
        cells = sum(len(s.get("values", "1")) for s in reply.body["data"]["result"])
        return webserver.error("execution", "too many samples", 422) if cells > 2 else reply

    source.fault = fault
    with faulty.serving(source) as server:
        rig_for(conf, server.url).rounds()
    assert lasts() == DONE
    assert set(stored().values()) == expected()
    assert said(log) == []


def test_series_that_prometheus_itself_finds_twice(
    conf: cfg_fixture.Config,
    sqlite_database: str,
    log: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """An operation by the operator that fails for one scope: a real 422."""
    when = NEWEST - PERIODS * P
    samples = [(when + k * P // 2, 1) for k in range(2 * PERIODS + 2)]
    resources = [("pa", "1"), ("pb", "1"), ("pb", "2"), ("pc", "1")]
    families = [
        prometheus.Family("vol", [({"project_id": s, "id": i}, samples) for s, i in resources]),
        prometheus.Family("price", [({"project_id": s}, samples) for s in SCOPES]),
    ]
    extra = {"query_suffix": "* on (project_id) last_over_time(price[1h])"}
    seed(SCOPES, PERIODS)
    with prometheus.running(prometheus.openmetrics(families), tmp_path) as url:
        metrics = {"vol": {"unit": "u", "groupby": ["id"], "extra_args": extra}}
        rig_for(conf, url.removesuffix("/api/v1"), metrics).rounds()
    assert lasts() == {"pa": 0, "pb": PERIODS, "pc": 0}
    (line,) = said(log)
    assert re.search(r"1 scope\(s\) not rated \(pb\).*metric 'vol'.*execution: .*many", line)


def test_an_outage_is_one_line_however_many_batches_and_scopes(
    sqlite_database: str, log: pytest.LogCaptureFixture
) -> None:
    names = [f"scope-{n:03}" for n in range(95)]
    seed(names, 3)
    rig = Rig(names, batch_scopes=10)
    rig.collector.down = True
    rig.rounds()
    assert len(rig.collector.asked) == 10
    (line,) = said(log)
    assert "95 scope(s) not rated (scope-000, scope-001, " in line
    assert "and 90 more), trying again in 5 s: metric '" in line
    assert len(line) < 300
    # One more fails for the same reason: that is news.
    rig.fetcher.scopes = [*names, "late"]
    seed(["late"], 3)
    rig.clock.now += 60
    rig.rounds()
    (line,) = said(log)
    assert "late" in line or "and 91 more" in line


def test_reasons_that_name_their_scope_are_one_line_too(
    sqlite_database: str, log: pytest.LogCaptureFixture
) -> None:
    names = [f"scope-{n:03}" for n in range(40)]
    rig = Rig(names)
    later = dict.fromkeys(names, 5.0)
    rig.worker._not_rated.add({s: f"script 'x', line 3 (scope {s})" for s in names}, later)
    rig.worker._not_rated.tell()
    (line,) = said(log)
    assert "40 scope(s) not rated (scope-000, " in line
    assert line.endswith("script 'x', line 3 (scope scope-000)")
    rig.worker._not_rated.add({s: f"reason {n}" for n, s in enumerate(names)}, later)
    rig.worker._not_rated.tell()
    lines = said(log)
    assert len(lines) == 11
    assert "30 more scope(s) not rated (scope-010, " in lines[-1]


def test_a_bug_in_a_collector_is_traced_once(
    sqlite_database: str, log: pytest.LogCaptureFixture
) -> None:
    seed(["a", "b"], 3)
    rig = Rig(["a", "b"])
    rig.collector.usage = lambda scope: scope[99] == "x"
    rig.rounds()
    traced, line = said(log)
    assert traced == "metric 'disk@#a_disk': the collector failed"
    assert "2 scope(s) not rated (a, b)" in line
    assert "metric 'disk@#a_disk': IndexError: " in line
    rig.clock.now += 60
    rig.rounds()
    assert said(log) == []
    rig.collector.usage = lambda _scope: True
    rig.clock.now += 60
    rig.rounds()
    assert lasts() == {"a": 0, "b": 0}
