# SPDX-License-Identifier: Apache-2.0
"""The fetcher that is told the scopes by the configuration (contract collect.md 3.4)."""

from __future__ import annotations

from cloudkitty.fetcher.base import BaseFetcher


class SourceFetcher(BaseFetcher):
    """Gives ``[fetcher_source] sources``."""

    name = "source"

    def get_tenants(self) -> list[str]:
        """Give the sources in their order, each once, empty ones left out."""
        return [scope for scope in dict.fromkeys(self.conf.fetcher_source.sources) if scope]
