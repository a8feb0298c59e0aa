# SPDX-License-Identifier: Apache-2.0
"""The fetcher that takes the scopes from a label of a metric (contract collect.md 3.3).

What Prometheus says about now forgets a series as soon as it is not exported any more: a scope
that was deleted is gone long before its last period is due, and an exporter that is down takes all
scopes along. So there are two questions: the contract's, as it stands, and one about the recent
past, for which the processor asks now and then (``get_recent``). One question about all that time
would give the same scopes, but has the source read all of it every minute.
"""

from __future__ import annotations

from oslo_config import cfg

from cloudkitty.fetcher.base import BaseFetcher
from cloudkitty.prometheus import promql
from cloudkitty.prometheus.client import PrometheusClient, PrometheusError

GROUP = "fetcher_prometheus"


class PrometheusFetcherError(Exception):
    """Prometheus did not say which scopes there are."""


class PrometheusFetcher(BaseFetcher):
    """Gives the values that ``scope_attribute`` has on the series of ``metric``."""

    name = "prometheus"

    def __init__(self) -> None:
        """Read the options; raises oslo_config.cfg.Error naming the one that cannot be used."""
        super().__init__()
        options = self.conf[GROUP]
        if not options.metric:
            raise cfg.RequiredOptError("metric", cfg.OptGroup(GROUP))
        self._scope_attribute: str = options.scope_attribute
        for option, label in [
            ("scope_attribute", self._scope_attribute),
            *(("filters", name) for name in options.filters),
        ]:
            if not promql.is_label_name(label):
                raise cfg.ConfigFileValueError(f"[{GROUP}] {option}: not a label name: {label!r}")
        matchers = ", ".join(promql.equals(*item) for item in options.filters.items())
        selector = f"{options.metric}{f'{{{matchers}}}' if matchers else ''}"
        self._query = f"max({selector}) by ({self._scope_attribute})"
        self._recent_query = ""
        if (seconds := self._lookback()) and promql.is_metric_name(options.metric):
            recent = f"last_over_time({selector}[{seconds}s])"
            self._recent_query = f"max({recent}) by ({self._scope_attribute})"
        self._client = PrometheusClient.of_section(self.conf, GROUP, pool=1)

    def get_tenants(self) -> list[str]:
        """Give the scope ids, sorted, each once; series without the label are left out.

        Raises PrometheusFetcherError.
        """
        return self._ask(self._query)

    def get_recent(self) -> list[str]:
        """Give the ids of scopes with series during ``lookback``, like `get_tenants`."""
        return self._ask(self._recent_query) if self._recent_query else []

    def _lookback(self) -> int:
        seconds: int | None = self.conf[GROUP].lookback
        if seconds is None:
            # The last period is due wait_periods after its begin; one more for a processor that
            # is late, and one because the scope may have ended at once.
            seconds = (self.conf.collect.wait_periods + 2) * self.conf.collect.period
        return seconds

    def _ask(self, query: str) -> list[str]:
        try:
            result = self._client.query(query)
            scopes = {item["metric"].get(self._scope_attribute) for item in result}
        except PrometheusError as exc:
            if exc.answer is None:
                raise PrometheusFetcherError(f'{exc} (query "{query}")') from exc
            raise PrometheusFetcherError(
                f'Unexpected Prometheus server response "{exc.answer.excerpt(2000)}" for "{query}"'
            ) from exc
        except (KeyError, TypeError, AttributeError) as exc:
            raise PrometheusFetcherError(
                f'Unexpected Prometheus server response for "{query}": a series without labels'
            ) from exc
        return sorted(scope for scope in scopes if scope)
