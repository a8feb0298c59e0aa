# SPDX-License-Identifier: Apache-2.0
"""The fetcher plugin interface (contract collect.md 3), namespace ``cloudkitty.fetchers``."""

from __future__ import annotations

import abc
from typing import Final

from oslo_config import cfg

from cloudkitty import plugins

NAMESPACE: Final = "cloudkitty.fetchers"


class BaseFetcher(abc.ABC):
    """Says which scopes exist. Built without arguments."""

    #: Name of the plugin, as in ``[fetcher] backend``.
    name: str

    def __init__(self) -> None:
        self.conf: cfg.ConfigOpts = cfg.CONF

    @abc.abstractmethod
    def get_tenants(self) -> list[str]:
        """Give the ids of all scopes, each once. Raises when they cannot be had."""

    def get_recent(self) -> list[str]:
        """Give the ids of scopes that existed a short while ago, also of those that still do.

        A period is rated some time after it has ended: a scope that is gone by then has to be
        named once more for its last periods. Fetchers that cannot look back give none. Raises
        when the question fails, which does no harm to :meth:`get_tenants`.
        """
        return []


def get_fetcher(conf: cfg.ConfigOpts) -> BaseFetcher:
    """Build the fetcher that ``[fetcher] backend`` names; NoMatches for an unknown name."""
    fetcher: BaseFetcher = plugins.build(NAMESPACE, conf.fetcher.backend)
    return fetcher
