# SPDX-License-Identifier: Apache-2.0
"""Every option of the product, one module per group (contract config.md 2).

A group's module has ``GROUP`` (None for ``[DEFAULT]``) and ``OPTS``. Code receives the
configuration; the global ``cfg.CONF`` is touched by entry points and plugin base classes only.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from oslo_config import cfg

from cloudkitty.conf import (
    api,
    audit,
    collect,
    collector_aetos,
    collector_gnocchi,
    collector_prometheus,
    default,
    fetcher,
    fetcher_gnocchi,
    fetcher_keystone,
    fetcher_prometheus,
    fetcher_source,
    joins,
    orchestrator,
    pyscripts,
    simulations,
    storage,
    storage_sqlalchemy,
)

GROUPS: Final[tuple[ModuleType, ...]] = (
    default,
    api,
    audit,
    collect,
    collector_aetos,
    collector_gnocchi,
    collector_prometheus,
    fetcher,
    fetcher_gnocchi,
    fetcher_keystone,
    fetcher_prometheus,
    fetcher_source,
    joins,
    orchestrator,
    pyscripts,
    simulations,
    storage,
    storage_sqlalchemy,
)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register every option of the product on `conf`."""
    for module in GROUPS:
        conf.register_opts(module.OPTS, group=module.GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Give (group, options) pairs for the sample generator."""
    return [(module.GROUP or "DEFAULT", list(module.OPTS)) for module in GROUPS]


__all__ = ["GROUPS", "list_opts", "register_opts"]
