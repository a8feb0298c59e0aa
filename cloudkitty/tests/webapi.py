# SPDX-License-Identifier: Apache-2.0
"""The API's application inside the test: WebTest, with the headers of who asks."""

from __future__ import annotations

import tracemalloc
from typing import Any

import webtest
from oslo_config import fixture as cfg_fixture

from cloudkitty.policies import enforcer
from cloudkitty.rating import installed

ADMIN = {
    "X-User-Id": "user-admin",
    "X-Project-Id": "project-admin",
    "X-Roles": "admin,member,reader",
}
ALICE = {"X-User-Id": "user-alice", "X-Project-Id": "project-a", "X-Roles": "member,reader"}
NOBODY: dict[str, str] = {}


class Api:
    """Sends requests, as the administrator unless `as_` says otherwise, and gives the answers.

    No status raises; `body` is sent as it is, `json` as JSON.
    """

    def __init__(self, conf: cfg_fixture.Config) -> None:
        from cloudkitty.api import app

        conf.config(auth_strategy="keystone")
        enforcer.reset()
        installed.reload()
        self.wsgi = app.app_factory({})
        self._app = webtest.TestApp(self.wsgi)

    def __call__(
        self,
        method: str,
        path: str,
        *,
        as_: dict[str, str] = ADMIN,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        **options: Any,
    ) -> webtest.TestResponse:
        send = {"Accept": "application/json", **as_, **(headers or {})}
        if "json" in options:
            body = webtest.utils.dumps(options["json"]).encode()
            send.setdefault("Content-Type", "application/json")
        return self._app.request(
            path,
            method=method,
            headers=send,
            body=body,
            expect_errors=True,
        )

    def get(self, path: str, **options: Any) -> webtest.TestResponse:
        return self("GET", path, **options)

    def post(self, path: str, json: Any, **options: Any) -> webtest.TestResponse:
        return self("POST", path, json=json, **options)

    def put(self, path: str, json: Any, **options: Any) -> webtest.TestResponse:
        return self("PUT", path, json=json, **options)

    def delete(self, path: str, **options: Any) -> webtest.TestResponse:
        return self("DELETE", path, **options)

    def peak(self, path: str) -> tuple[int, int]:
        """Give the memory that an answer takes at most, read piece by piece, and its length."""
        environ = webtest.TestRequest.blank(path, headers=ADMIN).environ
        size = 0
        tracemalloc.start()
        try:
            body = self.wsgi(environ, lambda *_args: None)
            for piece in body:
                size += len(piece)
            body.close()
            return tracemalloc.get_traced_memory()[1], size
        finally:
            tracemalloc.stop()


def fault(answer: webtest.TestResponse, status: int) -> str:
    """Give the text of a fault after checking its shape."""
    assert answer.status_int == status, answer.text
    assert answer.content_type == "application/json"
    code = "Client" if status < 500 else "Server"
    found = answer.json
    assert found == {"faultcode": code, "faultstring": found["faultstring"], "debuginfo": None}
    return str(found["faultstring"])
