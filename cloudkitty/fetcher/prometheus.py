# SPDX-License-Identifier: Apache-2.0
"""The fetcher that takes the scopes from a label of a metric (contract collect.md 3.3)."""

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
        selector = f"{{{matchers}}}" if matchers else ""
        self._query = f"max({options.metric}{selector}) by ({self._scope_attribute})"
        self._client = PrometheusClient.of_section(self.conf, GROUP, pool=1)

    def get_tenants(self) -> list[str]:
        """Give the scope ids, sorted, each once; series without the label are left out.

        Raises PrometheusFetcherError.
        """
        try:
            result = self._client.query(self._query)
            scopes = {item["metric"].get(self._scope_attribute) for item in result}
        except PrometheusError as exc:
            if exc.answer is None:
                raise PrometheusFetcherError(f'{exc} (query "{self._query}")') from exc
            raise PrometheusFetcherError(
                f'Unexpected Prometheus server response "{exc.answer.excerpt(2000)}" '
                f'for "{self._query}"'
            ) from exc
        except (KeyError, TypeError, AttributeError) as exc:
            raise PrometheusFetcherError(
                f'Unexpected Prometheus server response for "{self._query}": '
                "a series without labels"
            ) from exc
        return sorted(scope for scope in scopes if scope)
