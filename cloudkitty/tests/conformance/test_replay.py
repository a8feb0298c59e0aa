# SPDX-License-Identifier: Apache-2.0
"""Every recorded conversation against a real server process, on each SQL engine."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudkitty.tests import services
from cloudkitty.tests.conformance import server

_spec = importlib.util.spec_from_file_location("replay", server.KIT / "replay.py")
assert _spec is not None
assert _spec.loader is not None
replay = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(replay)

#: Requests to what is not served yet; they are left out. A request that would be answered after
#: all makes a test fail, so that the line goes when the resource comes.
PENDING = {
    r"\w+ /v1/(report|storage|collector)/": "/v1/report/total",
    r"\w+ /v1/rating/quote": "/v1/rating/quote",
    r"\w+ /v1/rating/module(s|_config)/pyscripts": "/v1/rating/modules/pyscripts",
    r"\w+ /v2/rating/modules": "/v2/rating/modules",
    r"\w+ /v2/task/reprocesses(?!/no/such)": "/v2/task/reprocesses",
    r"(PUT|PATCH|POST) /v2/scope": None,
}
#: Steps that need what is not served yet in another way: (transcript, id).
PENDING_STEPS = {
    ("v1-rating-modules", "the three stock modules"),
    ("noauth", "read it"),
}
#: Transcripts whose steps that are left need what pending ones make.
PENDING_TRANSCRIPTS = {
    "v1-pyscripts",
    "v1-quote",
    "v2-rating-modules",
    "v2-reprocess",
    "v2-scope",
    "v2-scope-reset",
    "v1-collector",
    "v1-report",
    "v1-storage",
}


@dataclass(frozen=True)
class Running:
    """A server, and who plays against it."""

    url: str
    player: Any


def transcripts(auth: str) -> list[Any]:
    found = []
    for transcript in replay.load([server.KIT / "transcripts"]):
        name = transcript["name"]
        if "v2" not in transcript["storage"] or auth not in transcript.get("auth", ["headers"]):
            continue
        marks = []
        if name in PENDING_TRANSCRIPTS:
            marks = [pytest.mark.skip(reason="resource not served yet")]
        found.append(pytest.param(transcript, id=name, marks=marks))
    return found


def is_pending(name: str, step: dict[str, Any]) -> bool:
    request = f"{step['method']} {step['path']}"
    if any(re.match(pattern, request) for pattern in PENDING):
        return True
    return (name, step.get("id")) in PENDING_STEPS


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(engine, marks=[] if engine == "sqlite" else [pytest.mark.service])
        for engine in services.ENGINES
    ],
)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run_server(engine: str, auth: str, directory: Path) -> Iterator[Running]:
    strategy = "keystone" if auth == "headers" else auth
    with services.fresh_database(engine, directory) as url:
        config = server.configuration(directory, database=url, auth=strategy)
        with server.serving(config) as base:
            identities = json.loads((server.KIT / "identities.json").read_text())
            yield Running(base, replay.Player(base, identities))


@pytest.fixture(scope="module")
def headers_server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from run_server(engine, "headers", tmp_path_factory.mktemp("headers"))


@pytest.fixture(scope="module")
def noauth_server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from run_server(engine, "noauth", tmp_path_factory.mktemp("noauth"))


def play(transcript: dict[str, Any], running: Running) -> None:
    scope = running.player.scope()
    failures = []
    for number, step in enumerate(transcript["steps"], 1):
        if is_pending(transcript["name"], step):
            continue
        try:
            running.player.play_step(step, scope)
        except replay.Mismatch as exc:
            request = f"{step['method']} {step['path']}"
            failures.append(f"step {number} ({step.get('id')}) {request}: {exc}")
    assert not failures, "\n".join(failures)


@pytest.mark.e2e
@pytest.mark.parametrize("transcript", transcripts("headers"))
def test_transcript(transcript: dict[str, Any], headers_server: Running) -> None:
    play(transcript, headers_server)


@pytest.mark.e2e
@pytest.mark.parametrize("transcript", transcripts("noauth"))
def test_transcript_without_authentication(
    transcript: dict[str, Any],
    noauth_server: Running,
) -> None:
    play(transcript, noauth_server)


@pytest.mark.e2e
@pytest.mark.parametrize("path", [path for path in PENDING.values() if path])
def test_what_is_pending_is_not_served(path: str, headers_server: Running) -> None:
    step = {"method": "GET", "path": path, "expect": {"status": [404, 405]}}
    running = headers_server

    running.player.play_step(step, running.player.scope())


def test_the_kit_is_complete() -> None:
    loaded = replay.load([server.KIT / "transcripts"])

    assert len(loaded) == 31
    assert sum(len(transcript["steps"]) for transcript in loaded) == 935
