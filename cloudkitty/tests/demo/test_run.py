# SPDX-License-Identifier: Apache-2.0
"""``make run`` as a user sees it: real processes, Ctrl-C, a second start."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from cloudkitty.demo.cloud import DAY, PROJECTS, Cloud
from cloudkitty.demo.run import progress
from cloudkitty.demo.run.settings import DEMO_METRICS, from_environment
from cloudkitty.demo.server import DemoServer

pytestmark = pytest.mark.e2e

LIMIT = 120


@contextmanager
def running(directory: Path, **environ: str) -> Iterator[str]:
    """Everything that is shown until Ctrl-C is offered; then Ctrl-C, and nothing may be left."""
    command = [sys.executable, "-m", "cloudkitty.demo.run", "--directory", str(directory)]
    log = directory.with_suffix(".out")
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | environ)
    try:
        deadline = time.monotonic() + LIMIT
        while "Ctrl-C stops it" not in (shown := log.read_text(encoding="utf-8")):
            assert process.poll() is None, shown
            assert time.monotonic() < deadline, shown
            time.sleep(0.2)
        yield shown
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
        assert "Stopped." in log.read_text(encoding="utf-8")
        assert [line for line in _processes() if str(directory) in line] == []
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(90)


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def _listening(port: int) -> list[str]:
    """Addresses of this machine on which somebody listens on a port, each once."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path("/proc/net", name).read_text().splitlines()[1:]:
            address, number = line.split()[1].split(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                found.add(str(ipaddress.ip_address(bytes.fromhex(address)[::-1])))
    return sorted(found)


def test_the_demo_twice(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    if progress.last_due(from_environment({}, tmp_path)) < progress.month_start():
        pytest.skip("nothing of this month can have been rated yet")

    with running(directory) as shown:
        api = re.search(r"^API +(\S+)$", shown, re.MULTILINE)
        assert api
        for project in PROJECTS:
            line = re.search(rf"^{project} .* ([\d,]+\.\d\d)$", shown, re.MULTILINE)
            assert line, project
            assert float(line[1].replace(",", "")) > 0, project
        assert _listening(int(api[1].rpartition(":")[2])) == ["127.0.0.1"]
        scopes = requests.get(f"{api[1]}/v2/scope", timeout=30).json()["results"]
        assert len(scopes) == len(PROJECTS)
        end = min(one["last_processed_timestamp"] for one in scopes)
        first = _summary(api[1], end)
        for line in re.findall(r"curl '(\S+)'", shown):
            assert requests.get(line, timeout=30).status_code == 200, line

    with running(directory) as shown:
        api = re.search(r"^API +(\S+)$", shown, re.MULTILINE)
        assert api
        # What had been rated is as it was.
        assert _summary(api[1], end) == first


def test_a_prometheus_of_ones_own(tmp_path: Path) -> None:
    start = int(progress.month_start().timestamp()) - DAY
    server = DemoServer(("127.0.0.1", 0), Cloud("other", start, projects=3))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    metrics = str(DEMO_METRICS)
    try:
        directory = tmp_path / "run"
        environ = {"PROMETHEUS_URL": url, "METRICS": metrics, "SCOPE_KEY": "project_name"}
        with running(directory, **environ) as shown:
            assert "rating 3 projects" in shown
            if progress.last_due(from_environment(environ, tmp_path)) >= progress.month_start():
                assert re.search(r"^webshop-staging .* [\d,]+\.\d\d$", shown, re.MULTILINE)
            assert "Traceback" not in shown
    finally:
        server.shutdown()
        server.server_close()


def _summary(url: str, end: str) -> object:
    parameters = {"groupby": "project_name,type", "end": end, "limit": "1000"}
    parameters["begin"] = progress.month_start().isoformat()
    answer = requests.get(f"{url}/v2/summary", params=parameters, timeout=30).json()
    assert answer["total"] >= 4 * len(PROJECTS)
    return answer


def test_a_source_without_the_scope_key(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cloudkitty.demo.run", "--directory", str(tmp_path)]
    environ = os.environ | {"PROMETHEUS_URL": "http://127.0.0.1:9"}

    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=LIMIT, check=False
    )

    assert done.returncode == 1
    assert "no usable answer from http://127.0.0.1:9/api/v1" in done.stderr
    assert "Traceback" not in done.stderr
