# SPDX-License-Identifier: Apache-2.0
"""Builds what joins need: one connection per source, one lookup for all that ask for the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from oslo_config import cfg

from cloudkitty import keystone
from cloudkitty.collector import metrics
from cloudkitty.collector.base import BaseCollector
from cloudkitty.collector.joins import schema
from cloudkitty.collector.joins.base import Lookup
from cloudkitty.collector.joins.collector import JoiningCollector, JoinOf
from cloudkitty.collector.joins.gnocchi import GnocchiDirectory
from cloudkitty.collector.joins.keystone import KeystoneDirectory
from cloudkitty.collector.joins.prometheus import PrometheusLookup
from cloudkitty.conf import collector_aetos, collector_gnocchi, collector_prometheus
from cloudkitty.gnocchi.client import GnocchiClient
from cloudkitty.prometheus.aetos import AetosClient
from cloudkitty.prometheus.client import PrometheusClient

_PROMETHEUS: Final[dict[str, tuple[type[PrometheusClient], str]]] = {
    "prometheus": (PrometheusClient, collector_prometheus.GROUP),
    "aetos": (AetosClient, collector_aetos.GROUP),
}


def joined(conf: cfg.ConfigOpts, collector: BaseCollector) -> BaseCollector:
    """Give `collector` with the joins of its definitions, itself when there are none.

    Nothing is sent. Raises metrics.InvalidConfiguration naming metric and join, or
    oslo_config.cfg.Error naming the option of the source.
    """
    found = {
        key: joins
        for key, definition in collector.conf.items()
        if (joins := schema.joins_of(definition))
    }
    if not found:
        return collector
    scope_key = conf.collect.scope_key
    sources = _Sources(conf, scope_key)
    made: dict[str, list[JoinOf]] = {}
    for key, joins in found.items():
        if scope_key in joins[0].groupby and not collector.scope_joins:
            raise metrics.InvalidConfiguration(
                f"metric '{key}': collector {collector.collector_name} cannot be asked for usage "
                f"whose scope comes from a join @ data['joins'][0]['groupby']['{scope_key}']"
            )
        _check_names(key, collector.conf[key], joins)
        made[key] = [JoinOf(join, sources.lookup(join)) for join in joins]
    return JoiningCollector(collector, made, scope_key)


def _check_names(key: str, definition: Mapping[str, Any], joins: Sequence[schema.Join]) -> None:
    """Refuse names that the collector has added to the definition (a resource key)."""
    own = {*definition.get("groupby", ()), *definition.get("metadata", ())}
    given = {name for join in joins for name in (*join.groupby, *join.metadata)}
    if both := sorted(own & given):
        raise metrics.InvalidConfiguration(
            f"metric '{key}': {', '.join(both)}: given by a join, but asked for by the collector "
            "@ data['joins']"
        )


class _Sources:
    """What has been built so far."""

    def __init__(self, conf: cfg.ConfigOpts, scope_key: str) -> None:
        self._conf = conf
        self._scope_key = scope_key
        self._clients: dict[str, Any] = {}
        self._lookups: dict[tuple[object, ...], Lookup] = {}
        self._build = {
            "prometheus": self._prometheus,
            "aetos": self._prometheus,
            "keystone": self._keystone,
            "gnocchi": self._gnocchi,
        }

    def lookup(self, join: schema.Join) -> Lookup:
        """Give the lookup for a join."""
        on = tuple(join.on.values())
        # What Keystone says does not depend on what of it is used.
        theirs = () if join.source == "keystone" else join.theirs
        scope = join.groupby.get(self._scope_key)
        extra = "domain_name" in join.theirs if join.source == "keystone" else scope
        key = join.source, join.subject, on, theirs, extra
        if key not in self._lookups:
            with _named(join):
                self._lookups[key] = self._build[join.source](join, on, scope)
        return self._lookups[key]

    def _prometheus(self, join: schema.Join, on: tuple[str, ...], scope: str | None) -> Lookup:
        options = self._conf.orchestrator
        if join.source not in self._clients:
            kind, group = _PROMETHEUS[join.source]
            self._clients[join.source] = kind.of_section(
                self._conf, group, pool=options.max_threads
            )
        return PrometheusLookup(
            self._clients[join.source],
            join.subject,
            on,
            join.theirs,
            scope,
            options.collector_request_timeout,
        )

    def _gnocchi(self, join: schema.Join, on: tuple[str, ...], _scope: str | None) -> Lookup:
        if "gnocchi" not in self._clients:
            self._clients["gnocchi"] = GnocchiClient.of_section(self._conf, collector_gnocchi.GROUP)
        return GnocchiDirectory(
            self._clients["gnocchi"],
            join.subject,
            on,
            join.theirs,
            self._conf.joins.cache_seconds,
        )

    def _keystone(self, join: schema.Join, _on: tuple[str, ...], _scope: str | None) -> Lookup:
        options = self._conf.joins
        if "keystone" not in self._clients:
            session = keystone.session(self._conf, options.keystone_section)
            identity = self._clients["keystone"] = keystone.adapter(
                session,
                service_type="identity",
                # The endpoint may or may not name the version.
                version="3",
                interface=options.keystone_interface,
                region_name=options.keystone_region,
            )
            keystone.first_try(session, identity.get_endpoint)
        return KeystoneDirectory(
            self._clients["keystone"],
            join.subject,
            domain_names="domain_name" in join.theirs,
            seconds=options.cache_seconds,
        )


@contextmanager
def _named(join: schema.Join) -> Iterator[None]:
    """Say which join wants the option that is wrong."""
    try:
        yield
    except (cfg.Error, keystone.Failure, ValueError) as exc:
        raise cfg.ConfigFileValueError(f"{join}: {exc}") from exc


__all__ = ["joined"]
