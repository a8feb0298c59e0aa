# SPDX-License-Identifier: Apache-2.0
"""HTTP with a token of Keystone, within the limits and with the repeats of ``http.Client``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from cloudkitty import http, keystone


class TokenClient(http.Client):
    """As ``http.Client``, with the token and the TLS settings of a session of Keystone.

    A token that is rejected (401) is renewed once, and the request is sent again.
    """

    def __init__(
        self,
        session: keystone.Session,
        *,
        headers: Mapping[str, str] | None = None,
        retries: int = 3,
        max_bytes: int = 64 << 20,
    ) -> None:
        """Take a session and what else goes into every request; nothing is sent."""
        super().__init__(timeout=session.timeout, retries=retries, max_bytes=max_bytes)
        self._keystone = session
        self._headers = dict(headers or {})

    def _send(self, method: str, url: str, *, trusted: bool, **kwargs: Any) -> requests.Response:
        if not trusted:
            return self._request(method, url, {}, **kwargs)
        token = self._token(url)
        response = self._request(method, url, token, **kwargs)
        if response.status_code != requests.codes.unauthorized:
            return response
        # Of many threads whose token has just expired, one renews it.
        if self._token(url) == token and not self._keystone.invalidate():
            return response
        response.close()
        return self._request(method, url, self._token(url), **kwargs)

    def _request(
        self, method: str, url: str, token: Mapping[str, str], **kwargs: Any
    ) -> requests.Response:
        with _library_failures(url):
            return self._keystone.request(
                url,
                method,
                headers={**self._headers, **token},
                authenticated=False,
                connect_retries=0,
                raise_exc=False,
                redirect=False,
                stream=True,
                # To log an answer it would have to be read.
                log=False,
                **kwargs,
            )

    def _token(self, url: str) -> dict[str, str]:
        try:
            headers: dict[str, str] | None = self._keystone.get_auth_headers()
        except keystone.Failure as exc:
            raise http.Unreachable(url, f"no token: {keystone.explain(exc)}") from exc
        return headers or {}


@contextmanager
def _library_failures(url: str) -> Iterator[None]:
    """Raise what keystoneauth has wrapped: ``http.failures`` makes the better text of it."""
    try:
        yield
    except keystone.Failure as exc:
        inner = exc.__cause__ or exc.__context__
        if isinstance(inner, requests.RequestException):
            raise inner from None
        raise http.Unreachable(url, keystone.explain(exc)) from exc
