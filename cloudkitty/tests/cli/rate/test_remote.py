# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate export`` and ``apply`` through an API."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudkitty.tests import keystone
from cloudkitty.tests.cli.rate.conftest import Done
from cloudkitty.tests.cli.rate.test_apply import EMPTY, RULES, STEPS
from cloudkitty.tests.conformance import server
from cloudkitty.tests.e2e import processes
from cloudkitty.tests.rating.document.change.test_database import TEXT
from cloudkitty.tests.webserver import Reply, Request, Server, serving

Run = Callable[..., Done]
HASHMAP = "/v1/rating/module_config/hashmap"


@pytest.fixture
def url(sqlite_database: str, tmp_path: Path) -> Iterator[str]:
    """A real API on an empty database, which trusts everybody."""
    directory = tmp_path / "server"
    directory.mkdir()
    config = server.configuration(directory, database=sqlite_database, auth="noauth")
    port = str(server.free_port())
    words = ["--config-file", config, "--host", "127.0.0.1", "--port", port, "--workers", "1"]
    log = directory / "api.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            processes.command("cloudkitty-api", *map(str, words)),
            stdout=out,
            stderr=out,
            env=processes.environment(),
        )
    try:
        server.wait_for(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop(process)


@pytest.mark.e2e
def test_a_real_api(run: Run, url: str) -> None:
    api = f"--endpoint={url}"
    assert run("export", api) == Done(0, EMPTY, "")

    assert run("apply", api, "-", "--force", "--dry-run", stdin=RULES) == Done(0, STEPS, "")
    assert run("apply", api, "-", stdin=RULES).status == 1
    assert run("export", api) == Done(0, EMPTY, "")
    done = run("apply", api, "-", "--force", stdin=TEXT)
    assert done.err == ""
    assert run("export", api) == Done(0, TEXT, "")
    assert run("apply", api, "-", stdin=TEXT) == Done(0, "nothing to do\n", "")

    # Everything that can become of a rule.
    done = run("apply", api, "-", "--force", stdin=RULES + "pyscripts: [{name: c, data: x}]\n")
    assert done.err == ""
    verbs = [line.split()[0:2] for line in done.out.splitlines()]
    assert ["end", "mapping"] in verbs
    assert ["end", "script"] in verbs
    assert ["remove", "field"] in verbs
    assert ["change", "threshold"] in verbs
    assert verbs[-1] == ["done"]
    later = RULES.replace("cost: 1, start: 2024-01-01", "cost: 5, start: 2090-01-01")
    done = run("apply", api, "-", stdin=later)
    assert "end    mapping compute flat 1" in done.out
    done = run("apply", api, "-", stdin=later.replace("cost: 5", "cost: 6"))
    assert "change mapping compute flat 5, from 2090-01-01T00:00:00: cost 5 -> 6" in done.out
    assert '{type: flat, cost: "6", start: "2090-01-01T00:00:00"}' in run("export", api).out

    # What it refuses is told in its words.
    done = run("export", f"--endpoint={url}/nowhere")
    assert (done.status, done.out) == (1, "")
    assert "GET /v1/rating/modules: 404 " in done.err or "404" in done.err


class Rating:
    """An API that has nothing, and refuses the call number `broken`."""

    def __init__(self, broken: int = 99) -> None:
        self._broken = broken
        self.calls: list[tuple[str, str, Any]] = []

    def __call__(self, request: Request) -> Reply:
        if request.method == "GET":
            name = request.path.rpartition("/")[2]
            found: list[Any] = []
            if name == "modules":
                found = [{"module_id": "hashmap", "enabled": False, "priority": 1}]
            return Reply(body={name: found})
        self.calls.append((request.method, request.target, json.loads(request.body or b"null")))
        if len(self.calls) == self._broken:
            return Reply(500, {"faultcode": "Server", "faultstring": "out of order"})
        kind = request.path.rpartition("/")[2].removesuffix("s")
        if request.method == "POST":
            return Reply(201, {f"{kind}_id": f"id-{len(self.calls)}"})
        return Reply(302, headers={"location": request.path})


@pytest.fixture
def broken() -> Iterator[Server]:
    with serving(Rating(broken=3)) as found:
        yield found


def test_calls_and_what_is_said_when_one_fails(run: Run, broken: Server) -> None:
    done = run("apply", f"--endpoint={broken.url}", "-", "--force", stdin=RULES)
    assert (done.status, done.out) == (1, STEPS)
    assert done.err == (
        f"cloudkitty-rate: error: stopped after 2 of 4 steps: POST {HASHMAP}/thresholds: 500 out "
        "of order\n"
        "  done     add    service compute\n"
        "  done     add    mapping compute flat 1, from 2024-01-01T00:00:00\n"
        "  failed   add    threshold compute >= 1 flat 2\n"
        "  not done change module hashmap: on\n"
        "Run it again when the reason is gone: it goes on with what is left.\n"
    )
    answer = broken.answer
    assert isinstance(answer, Rating)
    # Nothing is sent twice that may have been done.
    assert answer.calls == [
        ("POST", f"{HASHMAP}/services", {"name": "compute"}),
        (
            "POST",
            f"{HASHMAP}/mappings?force=true",
            {
                "type": "flat",
                "cost": "1.0000000000000000000000000000",
                "group_id": None,
                "tenant_id": None,
                "service_id": "id-1",
                "value": None,
                "name": None,
                "start": "2024-01-01T00:00:00",
                "end": None,
                "description": None,
            },
        ),
        (
            "POST",
            f"{HASHMAP}/thresholds",
            {
                "type": "flat",
                "cost": "2.0000000000000000000000000000",
                "group_id": None,
                "tenant_id": None,
                "service_id": "id-1",
                "level": "1.00000000",
            },
        ),
    ]


@pytest.mark.parametrize(
    ("arguments", "variables", "header", "value"),
    [
        (["--auth=token"], {"OS_TOKEN": "secret"}, "X-Auth-Token", "secret"),
        (
            ["--auth=basic"],
            {"OS_USERNAME": "alice", "OS_PASSWORD": "pw"},
            "Authorization",
            f"Basic {base64.b64encode(b'alice:pw').decode()}",
        ),
        ([], {"OS_TOKEN": "secret", "OS_PASSWORD": "pw"}, "X-Auth-Token", "notused"),
        (["--os-cloud=mine"], {}, "X-Auth-Token", "secret"),
    ],
)
def test_who_asks(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variables: dict[str, str],
    header: str,
    value: str,
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    with serving(Rating()) as api:
        cloud = {"auth_type": "admin_token", "auth": {"endpoint": api.url}}
        Path("clouds.yaml").write_text(json.dumps({"clouds": {"mine": cloud}}))
        secret = {"auth": {"token": "secret"}}
        Path("secure.yaml").write_text(json.dumps({"clouds": {"mine": secret}}))
        done = run("export", f"--endpoint={api.url}", *arguments)
        assert done == Done(
            0,
            "hashmap:\n  groups: []\n  services: {}\npyscripts: []\n"
            "modules:\n  hashmap: {enabled: false, priority: 1}\n",
            "",
        )
        assert {request.headers.get(header) for request in api.requests} == {value}


@pytest.mark.service
def test_a_cloud_with_keystone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with keystone.cloud() as cloud, serving(Rating()) as api:
        admin = cloud.user(cloud.project(), ["admin"])
        for name, value in admin.environment().items():
            monkeypatch.setenv(name, value)
        assert run("export", "--os-cloud=envvars", f"--endpoint={api.url}").status == 0
        (token,) = {request.headers["X-Auth-Token"] for request in api.requests}
        assert len(token) > 50

        options = admin.options()
        kind = options.pop("auth_type")
        mine = {"auth_type": kind, "auth": {**options, "password": "wrong"}}
        Path("clouds.yaml").write_text(json.dumps({"clouds": {"mine": mine}}))
        done = run("export", "--os-cloud=mine")
        assert (done.status, done.out) == (1, "")
        assert "The request you have made requires authentication" in done.err
        # There is no such region in the catalogue.
        mine |= {"auth": options, "region_name": "gone"}
        Path("clouds.yaml").write_text(json.dumps({"clouds": {"mine": mine}}))
        done = run("export", "--os-cloud=mine")
        assert done.status == 1
        assert "endpoint for rating service in gone region not found" in done.err


@pytest.mark.parametrize(
    ("clouds", "error"),
    [
        ("clouds: {}", "clouds.yaml has no cloud 'mine'"),
        ("clouds: 5", "clouds.yaml: it has no clouds"),
        ("{", "clouds.yaml: while parsing a flow node"),
        ("clouds: {mine: {auth_type: gone}}", "cloud 'mine': no auth_type 'gone'; there are "),
        ("clouds: {mine: {auth: {username: a}}}", "cloud 'mine': Auth plugin requires param"),
    ],
)
def test_clouds_that_cannot_be_used(run: Run, clouds: str, error: str) -> None:
    Path("clouds.yaml").write_text(clouds)
    done = run("export", "--os-cloud", "mine")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"cloudkitty-rate: error: {error}"), done.err


def test_an_api_of_something_else(run: Run) -> None:
    with serving(lambda request: Reply(body="hello")) as other:
        done = run("export", f"--endpoint={other.url}")
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        f"cloudkitty-rate: error: GET {HASHMAP}/services: the answer is none of this API\n"
    )
