# SPDX-License-Identifier: Apache-2.0
"""The HTTP API of Gnocchi: questions out, groups of measures and resources in.

Contract collect.md 2.1.1, 2.1.2. The session is keystoneauth's, for both ways to log in. What
gnocchiclient adds to it is left out: it makes an object of every timestamp, so that reading an
answer takes seven times as long, and it loses what Gnocchi says about an error.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

import orjson
import requests
from keystoneauth1 import exceptions, http_basic
from oslo_config import cfg

from cloudkitty import http, keystone
from cloudkitty.gnocchi import errors
from cloudkitty.gnocchi.errors import GnocchiError

SERVICE_TYPE: Final = "metric"
#: Resources of a page; Gnocchi gives fewer when its ``max_limit`` is lower.
PAGE: Final = 1000
_MAX_REDIRECTS: Final = 5
#: Where keystoneauth logs answers.
_LOGGERS: Final = (
    logging.getLogger("keystoneauth.session"),
    logging.getLogger("keystoneauth.session.body"),
)
_HEADERS: Final = {"Accept": "application/json", "Content-Type": "application/json"}

Groups = list[dict[str, Any]]
Resource = dict[str, Any]


class GnocchiClient:
    """Asks one Gnocchi; safe for threads, usable after a fork.

    Methods take `seconds` within which the whole answer must have come (None: no limit but that
    of each read) and raise GnocchiError.
    """

    def __init__(
        self,
        session: keystone.Session,
        *,
        interface: str = "internal",
        region_name: str | None = None,
        retries: int = 3,
        max_bytes: int = 64 << 20,
    ) -> None:
        """Take a session that knows how to log in; nothing is sent.

        `retries` is for broken connections and for overloaded servers, with growing pauses; an
        answer larger than `max_bytes` is an error.
        """
        self._session = session
        self._adapter = keystone.adapter(
            session, service_type=SERVICE_TYPE, interface=interface, region_name=region_name
        )
        self._timeout: float | None = session.timeout
        self._retries = retries
        self._max_bytes = max_bytes

    @classmethod
    def of_section(
        cls, conf: cfg.ConfigOpts, group: str, *, retries: int = 3, max_bytes: int = 64 << 20
    ) -> Self:
        """Build the client that the options of section `group` describe.

        Raises oslo_config.cfg.Error naming section and option when one is missing or wrong.
        """
        options = conf[group]
        basic = options.gnocchi_auth_type == "basic"
        session = keystone.session(
            conf,
            group,
            pool=options.http_pool_maxsize,
            auth=_basic_auth(conf, group) if basic else None,
        )
        try:
            return cls(
                session,
                interface=options.interface,
                region_name=options.region_name,
                retries=retries,
                max_bytes=max_bytes,
            )
        except ValueError as exc:
            raise cfg.ConfigFileValueError(f"[{group}] interface: {exc}") from exc

    @property
    def url(self) -> str:
        """The base URL, for messages; asks Keystone for it if need be."""
        try:
            return http.bare(self._endpoint())
        except keystone.Failure:
            return SERVICE_TYPE

    def aggregates(
        self,
        operations: Any,
        search: Any,
        resource_type: str,
        *,
        groupby: Sequence[str],
        start: str,
        stop: str,
        granularity: int | None = None,
        seconds: float | None = None,
    ) -> Groups:
        """Give the aggregates of the resources found, a group for each combination of attributes.

        `start` and `stop` are ISO 8601 with an offset, `granularity` None lets Gnocchi choose.
        The history of resources is always taken into account (``use_history``).
        """
        path, body = _aggregates(
            operations,
            search,
            resource_type,
            groupby=groupby,
            start=start,
            stop=stop,
            granularity=granularity,
        )
        return _objects(self._post(path, body, seconds))

    @staticmethod
    def explain(operations: Any, search: Any, resource_type: str, **rest: Any) -> str:
        """Give the question that `aggregates` asks, for people; nothing is sent."""
        path, body = _aggregates(operations, search, resource_type, **rest)
        return f"POST /{path} {orjson.dumps(body).decode()}"

    def search_resources(
        self,
        resource_type: str,
        query: Any,
        *,
        sort_key: str = "id",
        descending: bool = False,
        attributes: Sequence[str] = (),
        history: bool = False,
        details: bool = False,
        limit: int = PAGE,
        seconds: float | None = None,
    ) -> Iterator[Resource]:
        """Yield every resource of a type that `query` finds, page by page, in order of `sort_key`.

        `history` gives all their revisions, each a resource of its own. `attributes` limits what
        is sent of each; one that does not know the parameter sends all. `details` gives resources
        of all types what their own type adds; only in order of ``id``, and no page is in order.
        """
        path = f"v1/search/resource/{quote(resource_type, safe='')}"
        order = "desc" if descending else "asc"
        params: dict[str, Any] = {"limit": limit, "sort": f"{sort_key}:{order}"}
        if attributes:
            # The marker is the id of the last resource of a page.
            params["attrs"] = sorted({*attributes, "id"})
        if history:
            params["history"] = True
        if details:
            params["details"] = "true"
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            rest = None if until is None else max(until - time.monotonic(), 0.0)
            answer = self._post(_with_query(path, params), query, rest)
            page = _objects(answer)
            yield from page
            # The server may have a lower limit than ours: then it says that there is more.
            marker = _next_marker(answer.link)
            if not page or not (marker or len(page) >= limit):
                return
            if details:
                # Gnocchi sorts such a page by type, and then takes its last resource for the
                # marker, which leaves resources out or gives them again.
                marker = max(str(one.get("id")) for one in page)
            elif not marker and history:
                raise GnocchiError(f"{answer.url}: a page of revisions that names no next one")
            # Gnocchi finds its place by the id, whatever the order.
            params["marker"] = marker or str(page[-1].get("id", page[-1].get(sort_key)))

    def _post(self, target: str, body: Any, seconds: float | None) -> http.Answer:
        """Send a question and give the answer, which has a status of 2xx."""
        data = orjson.dumps(body)
        limit = None if seconds is None else time.monotonic() + seconds
        try:
            # First, so that the repeats when asking Keystone are not multiplied by ours.
            url = f"{self._endpoint()}/{target}"
            answer = http.persist(
                lambda: self._send_once_more(url, data, limit), self._retries, limit, _busy
            )
        except http.HTTPFailure as exc:
            raise GnocchiError(str(exc), fatal=isinstance(exc, http.Unreachable)) from exc
        except keystone.Failure as exc:
            # No token, or no endpoint: nothing was asked of Gnocchi.
            raise GnocchiError(keystone.explain(exc), fatal=True) from exc
        if answer.status >= 400:
            raise errors.of_answer(answer)
        if answer.status >= 300:
            raise GnocchiError(
                f"{answer.url}: HTTP {answer.status}, a redirect that leads nowhere",
                status=answer.status,
                fatal=True,
            )
        return answer

    def _endpoint(self) -> str:
        """Give the base URL; raises keystone.Failure."""
        self._session.get_auth_headers()
        found: str | None = self._adapter.get_endpoint()
        if not found:
            raise exceptions.EndpointNotFound(
                f"the catalogue has no {self._adapter.interface} endpoint of type {SERVICE_TYPE}"
                f" in region {self._adapter.region_name}"
            )
        return found.rstrip("/")

    def _send_once_more(self, url: str, data: bytes, limit: float | None) -> http.Answer:
        """Send, and again with a new token if the one that we had is rejected."""
        answer = self._send(url, data, limit)
        if answer.status == 401 and self._session.invalidate():
            answer = self._send(url, data, limit)
        return answer

    def _send(self, url: str, data: bytes, limit: float | None) -> http.Answer:
        """Send once, to where redirects point; raises HTTPFailure or keystone.Failure.

        keystoneauth does not let go of the connections of answers that it does not read, so what
        it does about redirects and rejected tokens is done here.
        """
        authenticated = True
        for _ in range(_MAX_REDIRECTS + 1):
            # What the log of keystoneauth shows of an answer has been read by it.
            stream = not any(logger.isEnabledFor(logging.DEBUG) for logger in _LOGGERS)
            with _failures(url):
                response = self._adapter.request(
                    url,
                    "POST",
                    data=data,
                    headers=_HEADERS,
                    timeout=http.left(limit, self._timeout, url),
                    authenticated=authenticated,
                    stream=stream,
                    redirect=False,
                    allow_reauth=False,
                    raise_exc=False,
                    connect_retries=0,
                )
                with response:
                    if not response.is_redirect and not stream:
                        return http.answer_of(response, response.content)
                    if not response.is_redirect:
                        return http.read(response, limit, self._max_bytes)
                    target = urljoin(response.url, response.headers["location"])
            if self._session.session.should_strip_auth(url, target):  # type: ignore[no-untyped-call]
                authenticated = False
            url = target
        raise http.Unreachable(url, f"more than {_MAX_REDIRECTS} redirects")


def _with_query(path: str, params: Mapping[str, Any]) -> str:
    return f"{path}?{urlencode(sorted(params.items()), doseq=True)}"


def _aggregates(
    operations: Any,
    search: Any,
    resource_type: str,
    *,
    groupby: Sequence[str],
    start: str,
    stop: str,
    granularity: int | None,
) -> tuple[str, dict[str, Any]]:
    params: dict[str, Any] = {
        "details": False,
        "groupby": list(groupby),
        "start": start,
        "stop": stop,
        "use_history": True,
    }
    if granularity:
        params["granularity"] = granularity
    body = {"operations": operations, "search": search, "resource_type": resource_type}
    return _with_query("v1/aggregates", params), body


def _basic_auth(conf: cfg.ConfigOpts, group: str) -> http_basic.HTTPBasicAuth:
    url = conf[group].gnocchi_endpoint
    if not url:
        raise cfg.RequiredOptError("gnocchi_endpoint", cfg.OptGroup(group))
    if not http.is_url(url):
        raise cfg.ConfigFileValueError(
            f"[{group}] gnocchi_endpoint: not an http(s) URL: {http.bare(url)!r}"
        )
    return http_basic.HTTPBasicAuth(url, conf[group].gnocchi_user, "")


@contextmanager
def _failures(url: str) -> Iterator[None]:
    """Turn the exceptions of keystoneauth and of the HTTP library into HTTPFailure."""
    with http.failures(url):
        try:
            yield
        except keystone.Failure as exc:
            # keystoneauth says everything in one text; what it wraps tells more.
            inner = exc.__cause__ or exc.__context__
            if isinstance(inner, requests.RequestException):
                raise inner from (inner.__cause__ or inner.__context__)
            raise


def _busy(answer: http.Answer) -> bool:
    # In JSON too: Gnocchi says so when its storage or indexer is away. 500 as well: Gnocchi 4.7
    # answers so now and then when two threads of its API map the tables of a resource type at
    # the same time ("dictionary changed size during iteration"), and all that is asked is reading.
    return answer.status in http.RETRY_STATUSES or answer.status == 500


def _objects(answer: http.Answer) -> list[dict[str, Any]]:
    """Give the list of objects that an answer is; raises GnocchiError."""
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        try:
            # Python writes NaN and Infinity, which are no JSON.
            found = json.loads(answer.body)
        except ValueError:
            raise GnocchiError(
                f"{answer.url}: not valid JSON: {answer.excerpt()}", status=answer.status
            ) from None
    if not isinstance(found, list) or not all(type(one) is dict for one in found):
        raise GnocchiError(
            f"{answer.url}: not a list of objects: {answer.excerpt()}", status=answer.status
        )
    return found


def _next_marker(link: str) -> str:
    """Give the marker of the next page that a ``Link`` header names, "" when it names none."""
    for one in requests.utils.parse_header_links(link) if link else ():
        if one.get("rel") == "next":
            return dict(parse_qsl(urlsplit(one["url"]).query)).get("marker", "")
    return ""
