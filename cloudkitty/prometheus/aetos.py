# SPDX-License-Identifier: Apache-2.0
"""Aetos: the HTTP API of Prometheus behind Keystone (contract collect.md 2.3).

A proxy need not let everything through. One that knows no POST, or no ``query_range``, is asked
with what it knows: one GET for all periods, at last one GET for each. The answers are the same:
a range is defined as what an instant query gives at each of its steps.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import urlencode

from oslo_config import cfg
from oslo_log import log

from cloudkitty import keystone
from cloudkitty.keystone_http import TokenClient
from cloudkitty.prometheus.client import PrometheusClient, PrometheusError, Result

LOG = log.getLogger(__name__)

SERVICE_TYPE: Final = "metric-storage"
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}
# A method or path that the proxy does not have.
_UNKNOWN: Final = frozenset({404, 405, 501})
# Longer URLs are refused by common web servers: the limit of Apache is 8190 with method and path.
_MAX_URL: Final = 7900


class AetosClient(PrometheusClient):
    """Asks the proxy that is in the catalogue; safe for threads, usable after a fork."""

    def __init__(
        self,
        session: keystone.Session,
        *,
        interface: str,
        region_name: str | None,
        max_bytes: int = 64 << 20,
    ) -> None:
        """Take a session that can log in; nothing is sent."""
        super().__init__(
            f"{interface} endpoint of {SERVICE_TYPE}",
            TokenClient(session, headers=_HEADERS, max_bytes=max_bytes),
        )
        self._session = session
        self._interface = interface
        self._region_name = region_name
        # What the proxy was last found not to know.
        self._lacks_post = False
        self._lacks_ranges = False

    @classmethod
    def of_section(
        cls, conf: cfg.ConfigOpts, group: str, *, pool: int = 16, max_bytes: int = 64 << 20
    ) -> Self:
        """Build the client that the options of section `group` describe, and log in if possible.

        Raises oslo_config.cfg.Error naming section and option, and keystoneauth1's
        EndpointNotFound when Keystone's catalogue has no such endpoint.
        """
        options = conf[group]
        made = cls(
            keystone.session(conf, group, pool=pool),
            interface=options.interface,
            region_name=options.region_name,
            max_bytes=max_bytes,
        )
        keystone.first_try(made._session, made._endpoint)
        return made

    def base_url(self) -> str:
        """Give the URL that the catalogue has now; raises PrometheusError.

        The catalogue comes with the token, so this asks Keystone only when it needs a new one.
        """
        try:
            return self._endpoint()
        except keystone.Failure as exc:
            raise PrometheusError(f"no endpoint: {keystone.explain(exc)}", fatal=True) from exc

    def query(
        self,
        promql: str,
        at: str | None = None,
        *,
        post: bool = False,
        seconds: float | None = None,
    ) -> Result:
        """Give the vector of `promql`, by GET where the proxy knows no POST."""
        if not post:
            return self._instant(promql, at, seconds)
        if not self._lacks_post:
            try:
                return self._instant(promql, at, seconds, post=True)
            except PrometheusError as exc:
                if exc.status not in _UNKNOWN:
                    raise
        found = self._instant(promql, at, seconds)
        self._learn(post=False)
        return found

    def query_range(
        self, promql: str, start: int, end: int, step: int, *, seconds: float | None = None
    ) -> Result:
        """Give the matrix of `promql`, made of instants where the proxy knows no ranges."""
        limit = None if seconds is None else time.monotonic() + seconds
        if not self._lacks_ranges:
            fields = {"query": promql, "start": str(start), "end": str(end), "step": str(step)}
            for post in (True, False):
                if post and self._lacks_post:
                    continue
                try:
                    found = self._ask("query_range", fields, "matrix", post=post, seconds=seconds)
                except PrometheusError as exc:
                    if exc.status not in _UNKNOWN:
                        raise
                else:
                    self._learn(post=post)
                    return found
        found = self._instants(promql, range(start, end + 1, step), limit)
        self._learn(ranges=False)
        return found

    def _instants(self, promql: str, times: range, limit: float | None) -> Result:
        """Give the matrix that the vectors at these times make."""
        series: dict[object, dict[str, Any]] = {}
        rest: Result = []
        for when in times:
            seconds = None if limit is None else limit - time.monotonic()
            if seconds is not None and seconds <= 0:
                raise PrometheusError(f"{self.url}: not all periods answered in the time given")
            for item in self._instant(promql, str(when), seconds):
                try:
                    labels, (_when, text) = item["metric"], item["value"]
                    key = frozenset(labels.items())
                except (KeyError, TypeError, ValueError, AttributeError):
                    # The reader of series says what is wrong with it.
                    rest.append(item)
                    continue
                one = series.setdefault(key, {"metric": labels, "values": []})
                one["values"].append((when, text))
        return [*series.values(), *rest]

    def _instant(
        self, promql: str, at: str | None, seconds: float | None, *, post: bool = False
    ) -> Result:
        return super().query(promql, at, post=post, seconds=seconds)

    def _ask(
        self,
        path: str,
        fields: Mapping[str, str],
        kind: str,
        *,
        post: bool,
        seconds: float | None,
    ) -> Result:
        # A question for one scope is sent whatever its length: there is nothing to be halved.
        if not post and "=~" in fields["query"]:
            length = len(f"{self.base_url()}/{path}?{urlencode(fields)}")
            if length > _MAX_URL:
                raise PrometheusError(f"{self.url}: {length} bytes are too long for a GET request")
        try:
            return super()._ask(path, fields, kind, post=post, seconds=seconds)
        except PrometheusError as exc:
            if not exc.error_type:
                raise
            # Between Prometheus and us is a proxy, which may have another opinion.
            raise PrometheusError(
                f"HTTP {exc.status}, {exc}",
                fatal=exc.fatal,
                answer=exc.answer,
                status=exc.status,
                error_type=exc.error_type,
            ) from exc

    def _endpoint(self) -> str:
        """Give the URL that the catalogue has; raises what keystoneauth raises."""
        found = keystone.endpoint(
            self._session,
            service_type=SERVICE_TYPE,
            interface=self._interface,
            region_name=self._region_name,
        )
        self.url = f"{found}/api/v1"
        return self.url

    def _learn(self, *, post: bool = True, ranges: bool = True) -> None:
        """Note what the proxy was asked in vain before it has answered."""
        if not post and not self._lacks_post:
            self._lacks_post = True
            LOG.info("%s takes no POST requests: asking for less at a time", self.url)
        if not ranges and not self._lacks_ranges:
            self._lacks_ranges = True
            LOG.info("%s has no query_range: asking for each period", self.url)
