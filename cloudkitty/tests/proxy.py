# SPDX-License-Identifier: Apache-2.0
"""A small reverse proxy on loopback before a real server, for what stands in between in a cloud.

::

    with proxy.before(cloud.url) as front:
        front.refuse = lambda request: Reply(403) if "roles" in request.path else None
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from cloudkitty.tests import webserver
from cloudkitty.tests.webserver import Reply, Request

# What belongs to one connection, and what the server of the proxy says itself.
_OWN = {"connection", "content-length", "transfer-encoding", "content-encoding", "date", "server"}


def nobody(_request: Request) -> Reply | None:
    """Refuse nothing."""


@dataclass
class Proxy:
    """The running proxy: its `url`, the `requests` so far, and what it answers by itself."""

    url: str
    refuse: Callable[[Request], Reply | None]
    requests: list[Request] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Give method and target of the requests so far, and forget them."""
        found = [f"{request.method} {request.target}" for request in self.requests]
        self.requests.clear()
        return found


@contextlib.contextmanager
def before(
    target: str, refuse: Callable[[Request], Reply | None] = nobody, port: int = 0
) -> Iterator[Proxy]:
    """Run a proxy before the server of `target`; its URL has the same path."""
    parts = urlsplit(target)
    origin = f"{parts.scheme}://{parts.netloc}"
    with requests.Session() as session:
        session.trust_env = False

        def forward(request: Request) -> Reply:
            refused = state.refuse(request)
            if refused is not None:
                return refused
            # With the name that the client has used: the server makes links of it.
            headers = {n: v for n, v in request.headers.items() if n.lower() not in _OWN}
            answer = session.request(
                request.method,
                f"{origin}{request.target}",
                data=request.body,
                headers=headers,
                allow_redirects=False,
                timeout=30,
            )
            kept = {n.lower(): v for n, v in answer.headers.items() if n.lower() not in _OWN}
            return Reply(answer.status_code, answer.content, kept)

        with webserver.serving(forward, port) as server:
            state = Proxy(f"{server.url}{parts.path}", refuse, server.requests)
            yield state
