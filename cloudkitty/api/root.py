# SPDX-License-Identifier: Apache-2.0
"""``/``: which versions of the API there are (contract api.md 1.1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import webob

from cloudkitty.api import errors
from cloudkitty.api.wsgi import Environ, StartResponse

_ALLOW: Final = "HEAD, GET, OPTIONS"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the API: the first segment of its paths, and how settled it is."""

    id: str
    status: str


V1: Final = Version("v1", "CURRENT")
V2: Final = Version("v2", "EXPERIMENTAL")


class Root:
    """The list of versions; always JSON, whatever the request accepts."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self._versions = tuple(versions)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        """Answer a request for ``/``."""
        request = webob.Request(environ)
        if request.method in {"GET", "HEAD"}:
            response = _json(200, self._list(request))
        elif request.method == "OPTIONS":
            response = webob.Response(status=200, content_type="application/json", charset=None)
        else:
            response = _json(405, {"message": errors.NOT_ALLOWED_V2})
        if response.status_int == 405 or request.method == "OPTIONS":
            response.headers["Allow"] = _ALLOW
        return response(environ, start_response)

    def _list(self, request: webob.Request) -> dict[str, Any]:
        # With the prefix that a proxy in front has taken away (contract D51).
        prefix = f"{request.scheme}://{request.host}{quote(request.script_name.rstrip('/'))}"
        return {
            "versions": [
                {
                    "id": version.id,
                    "links": [{"href": f"{prefix}/{version.id}", "rel": "self"}],
                    "status": version.status,
                }
                for version in self._versions
            ],
        }


def _json(status: int, body: dict[str, Any]) -> webob.Response:
    return webob.Response(
        status=status,
        body=(json.dumps(body) + "\n").encode(),
        content_type="application/json",
        charset=None,
    )
