# SPDX-License-Identifier: Apache-2.0
"""Signals, and what happens when the source or the configuration is not there for a while."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cloudkitty.tests import prometheus
from cloudkitty.tests.e2e import cloud as clouds
from cloudkitty.tests.e2e import outcome, processes
from cloudkitty.tests.e2e.processes import Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def engine_name() -> str:
    """SQLite is enough: none of this is about SQL."""
    return "sqlite"


def test_nothing_is_skipped_while_the_source_is_down(
    make_site: Callable[..., Site],
    cloud: clouds.Cloud,
    tmp_path: Path,
) -> None:
    port = prometheus.free_port()
    site = make_site(prometheus=f"http://127.0.0.1:{port}/api/v1")
    directory = tmp_path / "prometheus"
    directory.mkdir()
    with site.processor():
        site.wait_for_log("trying again")
        assert not outcome.periods_done()
        history = prometheus.openmetrics(cloud.history())
        with prometheus.running(history, directory, port=port):
            outcome.wait(cloud, 50)
    outcome.check(cloud)
    # One line tells of the outage, not one per scope and attempt.
    assert site.output().count("trying again") <= 4
    assert "Traceback" not in site.output()


def test_sighup_reads_the_configuration_again(
    make_site: Callable[..., Site],
    cloud: clouds.Cloud,
) -> None:
    site = make_site(sources=cloud.names[:2], workers=1)
    with site.processor() as process:
        outcome.wait(cloud, 40, cloud.names[:2])
        site.metrics.write_text("metrics: [")
        process.send_signal(signal.SIGHUP)
        site.wait_for_log("going on with the former one")
        assert "metrics.yml" in site.output()
        site.metrics.write_text(clouds.METRICS)
        site.write(sources=cloud.names, workers=2)
        process.send_signal(signal.SIGHUP)
        site.wait_for_log("configuration reloaded")
        outcome.wait(cloud, 40)
        assert processes.stop(process) == 0
    outcome.check(cloud)


def test_sigterm_ends_a_worker_that_waits_for_a_slow_source(
    make_site: Callable[..., Site],
) -> None:
    asked = threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.set()
            time.sleep(30)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        site = make_site(prometheus=f"http://127.0.0.1:{server.server_port}/api/v1")
        with site.processor() as process:
            assert asked.wait(20)
            before = time.monotonic()
            assert processes.stop(process) == 0
            assert time.monotonic() - before < 15
    finally:
        server.shutdown()
        server.server_close()
    assert not outcome.periods_done()


def test_sigint_ends_with_status_one(make_site: Callable[..., Site], cloud: clouds.Cloud) -> None:
    site = make_site()
    process = site.start()
    outcome.wait(cloud, 40)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 1


def test_a_new_scope_begins_with_the_month(
    make_site: Callable[..., Site],
    cloud: clouds.Cloud,
) -> None:
    site = make_site(sources=["new-project"])
    with site.processor():
        outcome.wait(cloud, 50, ["new-project"])
    first = outcome.first_period("new-project")
    assert first == outcome.month_begin()
