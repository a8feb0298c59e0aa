# SPDX-License-Identifier: Apache-2.0
"""What the real API says over HTTP about what real processors rated."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cloudkitty
from cloudkitty.tests import prometheus
from cloudkitty.tests.e2e import outcome, processes
from cloudkitty.tests.e2e.cloud import PERIOD, Cloud
from cloudkitty.tests.e2e.processes import Site
from cloudkitty.timeutils import from_epoch

PASTE = Path(cloudkitty.__file__).parents[1] / "etc" / "cloudkitty" / "api_paste.ini"

pytestmark = pytest.mark.e2e


class Api:
    """A client of one API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, *arguments: tuple[str, object]) -> Any:
        """Give the answer to a GET; numbers are decimals."""
        query = urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(f"{self.url}{path}?{query}", timeout=30) as answer:
            return json.load(answer, parse_float=Decimal)


@contextlib.contextmanager
def serving(site: Site) -> Iterator[Api]:
    """Run the API of a site."""
    port = prometheus.free_port()
    log = site.directory / "api.log"
    arguments = ["--config-file", str(site.config), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            processes.command("cloudkitty-api", *arguments),
            stdout=output,
            stderr=output,
            env=processes.environment(),
        )
    api = Api(f"http://127.0.0.1:{port}")
    try:
        _wait(api, process, log.read_text)
        yield api
    finally:
        processes.stop(process)


def _wait(api: Api, process: subprocess.Popen[bytes], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            api.get("/v2/scope")
            return
        time.sleep(0.1)
    raise AssertionError(f"the API did not come up:\n{said()}")


def _interval(cloud: Cloud) -> list[tuple[str, object]]:
    return [
        ("begin", from_epoch(cloud.before).isoformat()),
        ("end", from_epoch(cloud.newest + PERIOD).isoformat()),
    ]


def test_the_api_tells_what_was_used_and_what_it_costs(
    make_site: Callable[..., Site],
    cloud: Cloud,
) -> None:
    site = make_site()
    site.write(f"[DEFAULT]\nauth_strategy = noauth\napi_paste_config = {PASTE}\n")
    with site.processor(), serving(site) as api:
        outcome.wait(cloud, 40)
        expected = cloud.expected()
        groups = ["type", "project_id", "day_of_the_year"]
        answer = api.get(
            "/v2/summary",
            *_interval(cloud),
            *(("groupby", group) for group in groups),
            ("limit", 1000),
        )
        rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["results"]]
        told = {tuple(row[g] for g in groups): (row["qty"], row["rate"]) for row in rows}
        assert answer["total"] == len(expected)
        assert told == expected

        everything = api.get("/v2/summary", *_interval(cloud))
        row = dict(zip(everything["columns"], everything["results"][0], strict=True))
        assert row["rate"] == sum(price for _qty, price in expected.values())

        frames = api.get("/v2/dataframes", *_interval(cloud), ("limit", 100_000))
        points = [
            point
            for frame in frames["dataframes"]
            for some in frame["usage"].values()
            for point in some
        ]
        assert frames["total"] == len(points) == len(list(cloud.points()))
        prices = sum(Decimal(str(point["rating"]["price"])) for point in points)
        assert prices == row["rate"]

        scopes = api.get("/v2/scope")["results"]
        assert {scope["scope_id"] for scope in scopes} == set(cloud.names)
        assert {scope["active"] for scope in scopes} == {True}
