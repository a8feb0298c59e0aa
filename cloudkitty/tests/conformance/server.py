# SPDX-License-Identifier: Apache-2.0
"""A real API server process on an empty database, as the conformance kit wants it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

KIT = Path(__file__).parents[1] / "data" / "conformance"
_PATIENCE = 60


def configuration(directory: Path, *, database: str, auth: str, storage: str = "v2") -> Path:
    """Write the kit's configuration files into `directory`; gives the main one."""
    for source in (KIT / "server").iterdir():
        shutil.copy(source, directory)
    words = {
        "@DIR@": str(directory),
        "@WORK@": str(directory),
        "@AUTH@": auth,
        "@DB@": database,
        "@VERSION@": storage.removeprefix("v"),
        "@BACKEND@": "sqlalchemy",
        "@TRANSPORT@": "fake:/",
    }
    text = (directory / "cloudkitty.conf.in").read_text()
    for word, value in words.items():
        text = text.replace(word, value)
    path = directory / "cloudkitty.conf"
    path.write_text(text)
    return path


@contextlib.contextmanager
def serving(
    config: Path,
    *args: str,
    prepare: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """Make the tables and run the server until the end of the block; yields its URL.

    `prepare` is called when there are tables.
    """
    for module in ("dbsync", "storage_init"):
        extra = ["upgrade"] if module == "dbsync" else []
        subprocess.run(_command(module, config, *extra), check=True, capture_output=True)
    prepare()
    port = free_port()
    log = config.with_name("api.log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            _command("api", config, "--host", "127.0.0.1", "--port", str(port), *args),
            stdout=out,
            stderr=out,
            env={**os.environ, "TZ": "UTC"},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        assert status == 0, log.read_text()[-3000:]


@contextlib.contextmanager
def processing(config: Path) -> Iterator[None]:
    """Run a processor until the end of the block; there have to be tables."""
    log = config.with_name("processor.log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            _command("processor", config),
            stdout=out,
            stderr=out,
            env={**os.environ, "TZ": "UTC"},
        )
    try:
        yield
    finally:
        # A processor that is still starting ends by the signal, as any program would.
        deadline = time.monotonic() + _PATIENCE
        while b"is initiated as" not in log.read_bytes() and time.monotonic() < deadline:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        running = process.poll() is None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        assert running, log.read_text()[-3000:]
        assert status == 0, log.read_text()[-3000:]


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(url, timeout=10).ok:
                return
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _command(module: str, config: Path, *args: str) -> list[str]:
    return [sys.executable, "-m", f"cloudkitty.cli.{module}", "--config-file", str(config), *args]
