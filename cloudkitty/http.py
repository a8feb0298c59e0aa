# SPDX-License-Identifier: Apache-2.0
"""HTTP towards sources of usage: one pooled client with TLS, basic auth, limits and retries.

An answer is read whole, within limits of time and size, before anything looks at it. What went
wrong is told in one line that names the URL.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

#: Statuses of an overloaded or restarting server or proxy.
RETRY_STATUSES: Final = frozenset({429, 502, 503, 504})
_MAX_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 20
# Seconds before the first repeat; doubled for each further one.
_PAUSE = 0.5
_MAX_PAUSE: Final = 5.0
# User and password of a URL.
_USER: Final = re.compile(r"//[^/\s@]*@")


class HTTPFailure(Exception):  # noqa: N818 - a failure is what it is
    """No usable answer: the text names URL and reason. `again`: a repeat may help."""

    def __init__(self, url: str, reason: str, *, again: bool = False) -> None:
        super().__init__(f"{bare(url)}: {_USER.sub('//', reason)}")
        self.again = again


class Unreachable(HTTPFailure):
    """Nobody answers at that URL, whatever is asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `url` is the one that gave it, without user and password."""

    status: int
    body: bytes
    url: str
    content_type: str = ""
    retry_after: str = ""
    link: str = ""

    def excerpt(self, length: int = 200) -> str:
        """Give the start of the body on one line, for messages."""
        text = " ".join(self.body[: length * 4].decode("utf-8", "replace").split())
        return text if len(text) <= length else f"{text[:length]}..."

    @property
    def is_json(self) -> bool:
        """Whether the server says that the body is JSON."""
        return self.content_type.partition(";")[0].strip().lower() == "application/json"


@contextmanager
def failures(url: str) -> Iterator[None]:
    """Turn the exceptions of the HTTP library into ours."""
    try:
        yield
    except requests.exceptions.SSLError as exc:
        raise Unreachable(url, f"TLS: {reason(exc)}") from exc
    except requests.exceptions.ConnectTimeout as exc:
        raise Unreachable(url, "timeout while connecting") from exc
    except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as exc:
        raise HTTPFailure(url, "timeout while waiting for the answer") from exc
    except requests.exceptions.ConnectionError as exc:
        cause = getattr(exc.args[0], "reason", None) if exc.args else None
        if isinstance(cause, urllib3.exceptions.NewConnectionError):
            raise Unreachable(url, reason(exc), again=True) from exc
        raise HTTPFailure(url, f"connection broken: {reason(exc)}", again=True) from exc
    except (
        requests.exceptions.ContentDecodingError,
        urllib3.exceptions.DecodeError,
    ) as exc:
        raise HTTPFailure(url, f"broken encoding of the answer: {reason(exc)}") from exc
    except (urllib3.exceptions.LocationParseError, ValueError) as exc:
        # No URL, as a redirect may give one. The exception may have the password in it.
        raise Unreachable(url, str(exc)) from None
    except (
        urllib3.exceptions.ProtocolError,
        urllib3.exceptions.SSLError,
        requests.exceptions.ChunkedEncodingError,
        http.client.HTTPException,
        OSError,
    ) as exc:
        # RequestException is an OSError: what is left of it are settings that cannot work.
        if isinstance(exc, requests.exceptions.RequestException | FileNotFoundError):
            raise Unreachable(url, str(exc)) from None
        raise HTTPFailure(url, f"connection broken: {reason(exc)}", again=True) from exc


def reason(exc: BaseException) -> str:
    """Give the innermost reason in words: what the system said, else the last text."""
    text, seen = str(exc), 0
    current: BaseException | None = exc
    while current is not None and seen < 20:
        if isinstance(current, ssl.SSLError | socket.gaierror | OSError) and current.strerror:
            return current.strerror
        text = str(current) or text
        current, seen = current.__cause__ or current.__context__, seen + 1
    return text


def bare(url: str) -> str:
    """Give `url` without user, password, query and fragment, for messages and logs."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_url(text: str) -> bool:
    """Say whether `text` is an http(s) URL with a host."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return usable and (port is None or port > 0)


def left(limit: float | None, timeout: float | None, url: str) -> float | None:
    """Give the seconds that a connect or read may take now.

    `limit` is when, by the monotonic clock, the answer must be complete; raises HTTPFailure when
    that is over.
    """
    if limit is None:
        return timeout
    rest = limit - time.monotonic()
    if rest <= 0:
        raise HTTPFailure(url, "no complete answer in the time given")
    return rest if timeout is None else min(rest, timeout)


def read(response: requests.Response, limit: float | None, max_bytes: int) -> Answer:
    """Give the whole of a response that was asked for with ``stream=True``.

    Raises HTTPFailure when it is larger than `max_bytes` or not complete at `limit`.
    """
    chunks, size = [], 0
    # read1 gives what has come, so that a server that drips is noticed.
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > max_bytes:
            raise HTTPFailure(response.url, f"answer larger than {max_bytes >> 20} MiB")
        left(limit, None, response.url)
        chunks.append(chunk)
    return answer_of(response, b"".join(chunks))


def answer_of(response: requests.Response, body: bytes) -> Answer:
    """Give the answer that a response is together with its body."""
    return Answer(
        response.status_code,
        body,
        bare(response.url),
        response.headers.get("content-type", ""),
        response.headers.get("retry-after", ""),
        response.headers.get("link", ""),
    )


def overloaded(answer: Answer) -> bool:
    """Say whether a server, or what stands before it, was too busy to look at the question.

    One that explains itself in JSON was reached: that is its answer.
    """
    return answer.status in RETRY_STATUSES and not answer.is_json


def persist(
    once: Callable[[], Answer],
    retries: int,
    limit: float | None,
    busy: Callable[[Answer], bool] = overloaded,
) -> Answer:
    """Give what `once` gives, after up to `retries` repeats where one may help.

    Repeated are broken connections and answers that are `busy`, after growing pauses, as long as
    `limit` allows. Raises HTTPFailure when there is no answer.
    """
    for attempt in itertools.count():
        pause = min(_PAUSE * 2**attempt * random.uniform(0.75, 1.25), _MAX_PAUSE)  # noqa: S311
        failure: HTTPFailure | None = None
        answer: Answer | None = None
        try:
            answer = once()
        except HTTPFailure as exc:
            if not exc.again:
                raise
            failure = exc
        else:
            if not busy(answer):
                return answer
            if answer.retry_after.isdigit():
                pause = min(max(pause, float(answer.retry_after)), _MAX_PAUSE)
        late = limit is not None and time.monotonic() + pause >= limit
        if attempt >= retries or late:
            if answer is not None:
                return answer
            assert failure is not None
            raise failure
        time.sleep(pause)
    raise AssertionError("unreachable: the loop has no end")


class Client:
    """A pool of connections; safe for threads, usable after a fork."""

    def __init__(
        self,
        *,
        user: str | None = None,
        password: str | None = None,
        cafile: str | None = None,
        insecure: bool = False,
        timeout: float | None = 60,
        pool: int = 16,
        retries: int = 3,
        max_bytes: int = 64 << 20,
    ) -> None:
        """Take the settings; nothing is sent.

        Basic auth needs both user and password. `cafile` wins over `insecure`. `timeout` bounds
        the connect and each read (0: no bound). `retries` is for broken connections and for
        overloaded servers, with growing pauses.
        """
        self._auth = (user, password) if user and password else None
        self._verify: bool | str = cafile or not insecure
        self._timeout = timeout or None
        self._pool = pool
        self._retries = retries
        self._max_bytes = max_bytes
        self._session: requests.Session | None = None
        self._pid = 0
        if self._verify is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def get(
        self,
        url: str,
        params: Mapping[str, str],
        *,
        seconds: float | None = None,
    ) -> Answer:
        """Ask with GET; the answer must be complete within `seconds`.

        Gives answers of any status; raises HTTPFailure when there is none.
        """
        return self._persist("GET", url, params, seconds)

    def post(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        seconds: float | None = None,
    ) -> Answer:
        """Ask with a POST of form data, for questions too long for a URL; as `get` otherwise.

        The request must be repeatable: it is sent again after a broken connection, and to where
        a redirect points.
        """
        return self._persist("POST", url, form, seconds)

    def _persist(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str],
        seconds: float | None,
    ) -> Answer:
        limit = None if seconds is None else time.monotonic() + seconds
        return persist(lambda: self._follow(method, url, fields, limit), self._retries, limit)

    def _follow(
        self,
        method: str,
        url: str,
        fields: Mapping[str, str],
        limit: float | None,
    ) -> Answer:
        """Send once, following redirects; a redirected POST stays a POST unless 303 forbids it."""
        params: Mapping[str, str] | None = fields if method == "GET" else None
        form: Mapping[str, str] | None = fields if method == "POST" else None
        trusted = True
        for _ in range(_MAX_REDIRECTS + 1):
            with failures(url):
                timeout = left(limit, self._timeout, url)
                response = self._send(
                    method, url, trusted=trusted, params=params, data=form, timeout=timeout
                )
                with response:
                    if not response.is_redirect:
                        return read(response, limit, self._max_bytes)
                    target = urljoin(response.url, response.headers["location"])
            # Credentials are for the server that was configured, not for where it points to.
            if self._open().should_strip_auth(url, target):  # type: ignore[no-untyped-call]
                trusted = False
            if response.status_code == 303:
                method, form = "GET", None
            url, params = target, None
        raise Unreachable(url, f"more than {_MAX_REDIRECTS} redirects")

    def _send(self, method: str, url: str, *, trusted: bool, **kwargs: Any) -> requests.Response:
        """Send once; `trusted`: with credentials. The body of the response is not read."""
        return self._open().request(
            method,
            url,
            auth=self._auth if trusted else None,
            verify=self._verify,
            allow_redirects=False,
            stream=True,
            **kwargs,
        )

    def _open(self) -> requests.Session:
        if self._session is None or self._pid != os.getpid():
            session = requests.Session()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            adapter = HTTPAdapter(
                pool_connections=self._pool, pool_maxsize=self._pool, pool_block=True
            )
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            self._session, self._pid = session, os.getpid()
        return self._session
