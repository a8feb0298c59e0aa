# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus for tests, with a history made up by the test.

::

    with prometheus.running(prometheus.openmetrics(families), tmp_path) as url:
        conf.config(prometheus_url=url, group="collector_prometheus")
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloudkitty.tests import services

#: One series: its labels, and its samples as (epoch seconds, value).
SeriesHistory = tuple[Mapping[str, str], Iterable[tuple[float, object]]]


@dataclass
class Family:
    """A metric with all its series; a counter's name ends in ``_total``."""

    name: str
    series: Sequence[SeriesHistory] = field(default_factory=list)
    type: str = "gauge"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def openmetrics(families: Iterable[Family]) -> str:
    """Give the text that promtool makes a history of."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# TYPE {family.name.removesuffix('_total')} {family.type}")
        for labels, samples in family.series:
            inner = ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())
            lines += [f"{family.name}{{{inner}}} {value} {when}" for when, value in samples]
    return "\n".join([*lines, "# EOF", ""])


def free_port() -> int:
    """Give a port on loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _binary(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        services.missing(f"the program {name} is not installed")
    return path or name


def fill(text: str, directory: Path) -> Path:
    """Turn OpenMetrics text into a database below `directory`; gives its path."""
    source, tsdb = directory / "history.om", directory / "tsdb"
    source.write_text(text, encoding="utf-8")
    tsdb.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            _binary("promtool"),
            *("tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h"),
            *(str(source), str(tsdb)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tsdb


@contextlib.contextmanager
def running(
    text: str,
    directory: Path,
    *,
    arguments: Sequence[str] = (),
    port: int | None = None,
) -> Iterator[str]:
    """Run Prometheus over the history `text`; yields its API's URL, ending in ``/api/v1``.

    It scrapes nothing. `arguments` are added to its command line; `directory` must be empty or
    from an earlier run. The test is skipped when Prometheus is not installed.
    """
    program = _binary("prometheus")
    tsdb = fill(text, directory)
    port = port or free_port()
    config = directory / "prometheus.yml"
    config.write_text("global:\n  scrape_interval: 1m\n")
    with (directory / "prometheus.log").open("wb") as output:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={tsdb}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
                *arguments,
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}/-/ready", directory / "prometheus.log")
            yield f"http://127.0.0.1:{port}/api/v1"
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, output: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"Prometheus did not come up:\n{output.read_text()}")
