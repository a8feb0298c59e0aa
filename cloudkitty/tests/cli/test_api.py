# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-api`` as a process: what it refuses, how it serves and stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from cloudkitty.tests.conformance import server


@pytest.fixture
def config(tmp_path: Path) -> Path:
    database = f"sqlite:///{tmp_path}/ck.sqlite"
    return server.configuration(tmp_path, database=database, auth="keystone")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudkitty.cli.api", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def refusal(config: Path, *args: str) -> str:
    """Give the last line on standard error; there must be no traceback."""
    done = run("--config-file", str(config), *args)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr.splitlines()[-1]


def change(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version = 2", "version = 7", "[storage] version"),
        ("backend = sqlalchemy", "backend = nope", "looking for 'nope'"),
        ("api_paste.ini", "nothing.ini", "Failed to find some config files: "),
        ("auth_strategy = keystone", "auth_strategy = magic", "[DEFAULT] auth_strategy"),
    ],
)
def test_what_is_wrong_with_the_configuration(config, old, new, says):
    change(config, old, new)

    assert says in refusal(config)


def test_a_paste_file_without_the_pipeline(config):
    config.with_name("api_paste.ini").write_text("[composite:other]\nuse = egg:Paste#urlmap\n")

    assert "cloudkitty+keystone" in refusal(config)


def test_a_policy_file_that_is_none(config):
    config.with_name("policy.yaml").write_text("a: [b\n")

    assert "[oslo_policy] policy_file (policy.yaml): " in refusal(config)


def test_an_address_that_is_taken(config):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        text = refusal(config, "--host", "127.0.0.1", "--port", port)

    assert text.endswith(f"cannot listen on 127.0.0.1, port {port}: Address already in use")


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (["--port", "99999"], 1),
        (["--workers", "0"], 1),
        (["--host", "256.1.1.1"], 1),
        (["--bogus"], 2),
    ],
)
def test_wrong_arguments(config, args, status):
    done = run("--config-file", str(config), *args)

    assert done.returncode == status
    assert args[-1] in done.stderr.splitlines()[-1]


@pytest.mark.e2e
def test_it_serves_from_several_processes_and_stops_cleanly(config):
    with server.serving(config, "--workers", "3") as url:
        seen = set()
        deadline = time.monotonic() + 30
        while len(seen) < 3 and time.monotonic() < deadline:
            threads = [threading.Thread(target=requests.get, args=(url,)) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            log = config.with_name("api.log").read_text()
            seen = {line.split()[2] for line in log.splitlines() if '"GET / HTTP/1.1" 200' in line}
        assert len(seen) == 3

        answer = requests.get(url, headers={"X-Forwarded-Proto": "https"}, timeout=10)
        assert answer.json()["versions"][0]["links"][0]["href"] == f"{url}/v1"
    # Status 0 after SIGTERM is checked by serving().
    log = config.with_name("api.log").read_text()
    assert "Traceback" not in log


@pytest.mark.e2e
def test_requests_under_way_are_answered_before_it_stops(config):
    with server.serving(config, "--workers", "1") as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as client:
            body = b'{"dataframes": []}'
            client.sendall(
                b"POST /v2/dataframes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                b"X-Roles: admin\r\nX-Project-Id: p\r\nContent-Type: application/json\r\n"
                b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body[:5]
            )
            time.sleep(0.5)
            os.kill(_master(config), signal.SIGTERM)
            time.sleep(0.5)
            client.sendall(body[5:])
            answer = b""
            while piece := client.recv(65536):
                answer += piece
    assert b"Parameter dataframes must not be empty." in answer


def _master(config: Path) -> int:
    log = config.with_name("api.log").read_text()
    (line,) = [line for line in log.splitlines() if "Listening at: " in line]
    return int(line.rpartition("(")[2].rstrip(")"))


@pytest.mark.e2e
def test_hangup_reads_the_configuration_again(config):
    with config.open("a") as file:
        file.write("[oslo_middleware]\nenable_proxy_headers_parsing = false\n")
    with server.serving(config, "--workers", "1") as url:
        forwarded = {"X-Forwarded-Host": "pub.example.com"}
        change(config, "headers_parsing = false", "headers_parsing = true")
        os.kill(_master(config), signal.SIGHUP)
        deadline = time.monotonic() + 30
        href = ""
        while "pub.example.com" not in href and time.monotonic() < deadline:
            time.sleep(0.2)
            answer = requests.get(url, headers=forwarded, timeout=10)
            href = answer.json()["versions"][0]["links"][0]["href"]
        assert href == "http://pub.example.com/v1"
