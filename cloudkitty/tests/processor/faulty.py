# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus behind a server that spoils its answers as the test says."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cloudkitty.tests import prometheus, webserver
from cloudkitty.tests.processor.rig import NEWEST, P
from cloudkitty.tests.webserver import Reply, Request

#: What comes in place of the honest answer; it is asked for when needed.
Fault = Callable[[Callable[[], Reply]], Reply]
#: Scopes with two resources each.
SCOPES = ["pa", "pb", "pc"]
#: Periods of history up to the newest one that is due.
PERIODS = 3


def history() -> str:
    """Give two metrics; every value tells scope, resource and period."""
    samples = [(k, NEWEST - (PERIODS - 1 - k) * P + 60) for k in range(PERIODS + 1)]
    return prometheus.openmetrics(
        prometheus.Family(
            metric,
            [
                (
                    {"project_id": scope, "id": f"{scope}{n}"},
                    [(when, 100 * number + 10 * n + k) for k, when in samples],
                )
                for number, scope in enumerate(SCOPES, 1)
                for n in range(2)
            ],
        )
        for metric in ("cpu", "vol")
    )


class Source:
    """Spoils answers about one metric: for every scope, or for some only."""

    def __init__(self, real: str) -> None:
        """`real` is the URL of the API of Prometheus."""
        self._real = real
        self.fault: Fault | None = None
        self.metric = "vol"
        #: Scopes that the fault is about; None: all.
        self.scopes: set[str] | None = None

    def answer(self, request: Request) -> Reply:
        """Serve a request."""
        if self.fault is None or not self._meant(request):
            return self._honest(request)
        return self.fault(lambda: self._honest(request))

    def _meant(self, request: Request) -> bool:
        found = re.search(r'(\w+)\{project_id=~?"([^"]*)"', request.fields["query"])
        if not found or found[1] != self.metric:
            return False
        return self.scopes is None or not self.scopes.isdisjoint(found[2].split("|"))

    def _honest(self, request: Request) -> Reply:
        url = self._real + request.path.removeprefix("/api/v1")
        form = urllib.parse.urlencode(request.fields).encode()
        try:
            with urllib.request.urlopen(url, form, timeout=20) as answer:
                return Reply(answer.status, json.loads(answer.read()))
        except urllib.error.HTTPError as exc:
            return Reply(exc.code, json.loads(exc.read()))


@contextmanager
def serving(source: Source, port: int = 0) -> Iterator[webserver.Server]:
    """Run the server in front of the real one."""
    with webserver.serving(source.answer, port) as server:
        yield server


def instead(reply: Reply) -> Fault:
    """Answer with `reply`."""
    return lambda _honest: reply


def spoilt(change: Callable[[dict[str, Any]], object]) -> Fault:
    """Answer with what is honest, but for what `change` does to the data in place."""

    def fault(honest: Callable[[], Reply]) -> Reply:
        reply = honest()
        assert isinstance(reply.body, dict)
        change(reply.body)
        return reply

    return fault


def values(text: object) -> Fault:
    """Answer with `text` in place of every value."""

    def change(body: dict[str, Any]) -> None:
        for series in body["data"]["result"]:
            for sample in series.get("values") or [series["value"]]:
                sample[1] = text

    return spoilt(change)


def text(change: Callable[[str], str]) -> Fault:
    """Answer with what is honest, but for what `change` makes of its text."""

    def fault(honest: Callable[[], Reply]) -> Reply:
        return Reply(
            200,
            change(json.dumps(honest().body)),
            {"content-type": "application/json"},
        )

    return fault
