# SPDX-License-Identifier: Apache-2.0
"""The HTTP API of Prometheus (and of what answers like it): questions out, series in.

Contract collect.md 2.2.1, 2.2.4. An answer counts only when it is whole: warnings that data may be
missing (a store that is down, a failed remote read) are errors here, because what is missing would
never be billed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self, cast

import orjson
from oslo_config import cfg
from oslo_log import log

from cloudkitty import http

LOG = log.getLogger(__name__)

# Remarks on the query, not on the data.
_REMARKS: Final = ("PromQL info", "PromQL warning")
#: With these the server (or what stands before it) refuses us, whatever is asked. 403 and 404 are
#: not among them: a gateway may refuse some scopes, or some metrics, only.
_REFUSALS: Final = frozenset({401, 405, 407})

Result = list[dict[str, Any]]


class PrometheusError(Exception):
    """No usable answer; the text is for people.

    `fatal`: another question would fare no better. `answer`: what was answered, when it is JSON.
    `status`: that of the answer, 0 when there is none. `error_type`: how Prometheus classes it.
    """

    def __init__(
        self,
        reason: str,
        *,
        fatal: bool = False,
        answer: http.Answer | None = None,
        status: int = 0,
        error_type: str = "",
    ) -> None:
        super().__init__(reason)
        self.fatal = fatal
        self.answer = answer
        self.status = status
        self.error_type = error_type


class PrometheusClient:
    """Asks one Prometheus; safe for threads, usable after a fork."""

    def __init__(self, url: str, client: http.Client) -> None:
        """Take the base URL, which ends in ``/api/v1``; nothing is sent."""
        self.url = url.rstrip("/")
        self._http = client

    @classmethod
    def of_section(
        cls, conf: cfg.ConfigOpts, group: str, *, pool: int = 16, max_bytes: int = 64 << 20
    ) -> Self:
        """Build the client that the options of section `group` describe.

        Raises oslo_config.cfg.Error naming section and option when ``prometheus_url`` is missing
        or no URL, or ``cafile`` is not there.
        """
        options = conf[group]
        url = options.prometheus_url
        if not url:
            raise cfg.RequiredOptError("prometheus_url", cfg.OptGroup(group))
        if not http.is_url(url):
            raise cfg.ConfigFileValueError(
                f"[{group}] prometheus_url: not an http(s) URL: {http.bare(url)!r}"
            )
        if options.cafile and not Path(options.cafile).exists():
            raise cfg.ConfigFileValueError(f"[{group}] cafile: no such file: {options.cafile}")
        return cls(
            url,
            http.Client(
                user=options.prometheus_user,
                password=options.prometheus_password,
                cafile=options.cafile,
                insecure=options.insecure,
                timeout=options.timeout,
                pool=pool,
                max_bytes=max_bytes,
            ),
        )

    def base_url(self) -> str:
        """Give the URL below which to ask now; raises PrometheusError."""
        return self.url

    def query(
        self,
        promql: str,
        at: str | None = None,
        *,
        post: bool = False,
        seconds: float | None = None,
    ) -> Result:
        """Give the vector that `promql` has at the instant `at` (None: now).

        `post` is for long queries; the answer must have come within `seconds`. Raises
        PrometheusError.
        """
        fields = {"query": promql} if at is None else {"query": promql, "time": at}
        return self._ask("query", fields, "vector", post=post, seconds=seconds)

    def query_range(
        self, promql: str, start: int, end: int, step: int, *, seconds: float | None = None
    ) -> Result:
        """Give the matrix of `promql` at start, start + step, ... up to `end`, as `query`."""
        fields = {"query": promql, "start": str(start), "end": str(end), "step": str(step)}
        return self._ask("query_range", fields, "matrix", post=True, seconds=seconds)

    def _ask(
        self,
        path: str,
        fields: Mapping[str, str],
        kind: str,
        *,
        post: bool,
        seconds: float | None,
    ) -> Result:
        url = f"{self.base_url()}/{path}"
        send = self._http.post if post else self._http.get
        try:
            answer = send(url, fields, seconds=seconds)
        except http.HTTPFailure as exc:
            raise PrometheusError(str(exc), fatal=isinstance(exc, http.Unreachable)) from exc
        return _result(answer, kind)


def _result(answer: http.Answer, kind: str) -> Result:
    """Give the series of an answer; raises PrometheusError when it is an error or incomplete."""
    fatal = answer.status in _REFUSALS
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        status = f"HTTP {answer.status}, " if answer.status != 200 else ""
        raise PrometheusError(
            f"Could not get a valid json response for {answer.url} "
            f"({status}response: {answer.excerpt()})",
            fatal=fatal,
            status=answer.status,
        ) from None
    if isinstance(body, dict) and body.get("status") == "error":
        error_type = str(body.get("errorType"))
        raise PrometheusError(
            f"{error_type}: {body.get('error')}",
            fatal=fatal,
            answer=answer,
            status=answer.status,
            error_type=error_type,
        )
    if isinstance(body, dict) and body.get("status") == "success" and answer.status == 200:
        data = body.get("data")
        if isinstance(data, dict) and isinstance(data.get("result"), list):
            _check_complete(body, answer.url)
            if data.get("resultType") != kind:
                raise PrometheusError(
                    f"{answer.url}: the query gives a {data.get('resultType')}, not a {kind}",
                    answer=answer,
                )
            return cast("Result", data["result"])
    raise PrometheusError(
        f"Unexpected answer from {answer.url}: HTTP {answer.status}, {answer.excerpt()}",
        fatal=fatal,
        answer=answer,
        status=answer.status,
    )


def _check_complete(body: Mapping[str, Any], url: str) -> None:
    warnings = body.get("warnings") or []
    warnings = warnings if isinstance(warnings, list) else [warnings]
    serious = [str(text) for text in warnings if not str(text).startswith(_REMARKS)]
    if serious:
        raise PrometheusError(f"{url}: the answer may be incomplete: {'; '.join(serious)}")
    if body.get("isPartial"):
        raise PrometheusError(f"{url}: the answer is incomplete (isPartial)")
    if warnings:
        LOG.debug("%s remarks: %s", url, warnings)
