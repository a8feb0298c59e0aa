# SPDX-License-Identifier: Apache-2.0
"""Every recorded conversation against a real server process, on each SQL engine."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cloudkitty.tests import services
from cloudkitty.tests.conformance import server

_spec = importlib.util.spec_from_file_location("replay", server.KIT / "replay.py")
assert _spec is not None
assert _spec.loader is not None
replay = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(replay)

#: Requests to what is not served yet; they are left out. A request that would be answered after
#: all makes a test fail, so that the line goes when the resource comes.
PENDING = {}
#: Steps that need what is not served yet in another way: (transcript, id).
PENDING_STEPS = {
    ("v2-rating-modules", "list"),
}
#: Transcripts whose steps that are left need what pending ones make.
PENDING_TRANSCRIPTS = {}


@dataclass(frozen=True)
class Running:
    """A server, and who plays against it."""

    url: str
    player: Any


def transcripts(auth: str, storage: str = "v2") -> list[Any]:
    found = []
    for transcript in replay.load([server.KIT / "transcripts"]):
        name = transcript["name"]
        if storage not in transcript["storage"] or auth not in transcript.get("auth", ["headers"]):
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


def run_server(engine: str, auth: str, directory: Path, storage: str = "v2") -> Iterator[Running]:
    strategy = "keystone" if auth == "headers" else auth
    with services.fresh_database(engine, directory) as url:
        config = server.configuration(directory, database=url, auth=strategy, storage=storage)

        def seed() -> None:
            if storage == "v1":
                put_v1_rows(engine, url)

        with server.serving(config, prepare=seed) as base, contextlib.ExitStack() as more:
            if (storage, auth) == ("v2", "headers"):
                more.enter_context(server.processing(config))
            identities = json.loads((server.KIT / "identities.json").read_text())
            yield Running(base, replay.Player(base, identities))


def put_v1_rows(engine: str, url: str) -> None:
    database = sa.create_engine(url, poolclass=sa.NullPool)
    with database.begin() as connection:
        for statement in replay.v1_seed(engine).splitlines():
            connection.exec_driver_sql(statement)


@pytest.fixture(scope="module")
def headers_server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from run_server(engine, "headers", tmp_path_factory.mktemp("headers"))


@pytest.fixture(scope="module")
def noauth_server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from run_server(engine, "noauth", tmp_path_factory.mktemp("noauth"))


@pytest.fixture(scope="module")
def v1_storage_server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    yield from run_server(engine, "headers", tmp_path_factory.mktemp("v1"), "v1")


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
@pytest.mark.parametrize("transcript", transcripts("headers", "v1"))
def test_transcript_on_a_storage_of_version_1(
    transcript: dict[str, Any],
    v1_storage_server: Running,
) -> None:
    play(transcript, v1_storage_server)


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
