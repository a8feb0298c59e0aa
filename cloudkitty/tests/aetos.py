# SPDX-License-Identifier: Apache-2.0
"""What Aetos does: a reverse proxy before a real Prometheus that lets in who Keystone knows.

::

    with aetos.running(cloud, prometheus_url) as front:
        region = cloud.endpoint("metric-storage", front.url)
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator

import requests

from cloudkitty.tests import proxy
from cloudkitty.tests.keystone import Cloud
from cloudkitty.tests.webserver import Reply, Request

#: As keystonemiddleware answers.
UNAUTHORIZED = Reply(
    401,
    {
        "error": {
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        }
    },
    {"www-authenticate": "Keystone uri=..."},
)


@contextlib.contextmanager
def running(
    cloud: Cloud,
    prometheus: str,
    *,
    methods: Collection[str] = ("GET", "POST"),
    paths: Collection[str] = ("query", "query_range"),
) -> Iterator[proxy.Proxy]:
    """Run it; the URL of what it yields is for the catalogue, that is without ``/api/v1``.

    `methods` and `paths` are all that it knows. Each token is asked about at Keystone once.
    """
    known: dict[str, bool] = {}

    def refuse(request: Request) -> Reply | None:
        token = request.headers.get("X-Auth-Token", "")
        if token not in known:
            known[token] = bool(token) and _valid(cloud, token)
        if not known[token]:
            return UNAUTHORIZED
        if request.path.rpartition("/api/v1/")[2] not in paths:
            return Reply(404, "Not Found")
        return None if request.method in methods else Reply(405, "Method Not Allowed")

    with proxy.before(prometheus, refuse) as front:
        front.url = front.url.removesuffix("/api/v1")
        yield front


def _valid(cloud: Cloud, token: str) -> bool:
    answer = requests.get(
        f"{cloud.url}/auth/tokens",
        headers={"X-Auth-Token": token, "X-Subject-Token": token},
        timeout=30,
    )
    return answer.status_code == 200
