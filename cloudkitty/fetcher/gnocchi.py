# SPDX-License-Identifier: Apache-2.0
"""The fetcher that takes the scopes from the resources of Gnocchi (contract collect.md 3.2)."""

from __future__ import annotations

import logging
from typing import Final

from cloudkitty.conf.fetcher_gnocchi import GROUP
from cloudkitty.fetcher.base import BaseFetcher
from cloudkitty.gnocchi.client import GnocchiClient
from cloudkitty.gnocchi.errors import GnocchiError

LOG = logging.getLogger(__name__)

#: The type that all resources have.
_EVERY_TYPE: Final = "generic"


class GnocchiFetcherError(Exception):
    """Gnocchi did not say which scopes there are."""


class GnocchiFetcher(BaseFetcher):
    """Gives the values that ``scope_attribute`` has on resources of ``resource_types``."""

    name = "gnocchi"

    def __init__(self) -> None:
        """Read the options; raises oslo_config.cfg.Error naming the one that cannot be used."""
        super().__init__()
        options = self.conf[GROUP]
        self._attribute: str = options.scope_attribute
        # A blank option is a list without a name: that has always been documented as all types.
        self._types = list(dict.fromkeys(filter(None, options.resource_types))) or [_EVERY_TYPE]
        self._client = GnocchiClient.of_section(self.conf, GROUP)

    def get_tenants(self) -> list[str]:
        """Give the scope ids, sorted, each once; resources without one are left out.

        Resources that have ended count: what they used may not be rated yet. Raises
        GnocchiFetcherError.
        """
        scopes: set[str] = set()
        resources = 0
        for resource_type in self._types:
            try:
                for resource in self._client.search_resources(
                    resource_type, {}, attributes=[self._attribute], details=True
                ):
                    resources += 1
                    value = resource.get(self._attribute)
                    if value is not None and value != "":
                        scopes.add(str(value))
            except GnocchiError as exc:
                option = f"[{GROUP}] resource_types: " if exc.no_type else ""
                raise GnocchiFetcherError(f"{option}{exc}") from exc
        if resources and not scopes:
            LOG.warning(
                "fetcher '%s': none of %d resources of type %s has a value in '%s' "
                "([%s] scope_attribute)",
                self.name,
                resources,
                ", ".join(self._types),
                self._attribute,
                GROUP,
            )
        return sorted(scopes)
