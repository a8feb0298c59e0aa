# SPDX-License-Identifier: Apache-2.0
"""The few calls of the REST API that a try-out needs."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import requests

HASHMAP = "/v1/rating/module_config/hashmap"
_TIMEOUT = 60


class ApiError(Exception):
    """A request failed; the text has request, status and body."""


class Api:
    """The API at `url`; every call gives the parsed body."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        # A proxy for the outside world is none for 127.0.0.1.
        self._session.trust_env = False

    def get(self, path: str, **parameters: str | int) -> Any:
        """Read `path`."""
        return self._call("GET", path, params=parameters)

    def post(self, path: str, body: Mapping[str, Any], **parameters: str) -> Any:
        """Create something under `path`."""
        return self._call("POST", path, json=body, params=parameters)

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Change `path`."""
        self._call("PUT", path, json=body)

    def alive(self) -> bool:
        """Say whether it answers at all."""
        try:
            return self._session.get(f"{self.url}/", timeout=5).status_code < 500
        except requests.RequestException:
            return False

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self._session.request(
                # A redirect after a PUT names the thing changed: nothing to follow.
                method,
                f"{self.url}{path}",
                timeout=_TIMEOUT,
                allow_redirects=False,
                **arguments,
            )
        except requests.RequestException as error:
            raise ApiError(f"{method} {path}: {error}") from error
        if answer.status_code == HTTPStatus.NOT_FOUND and method == "GET":
            return {}
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise ApiError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content and answer.ok and method != "PUT" else None
