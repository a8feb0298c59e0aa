# SPDX-License-Identifier: Apache-2.0
"""Which storage is configured (contract storage.md 2)."""

from __future__ import annotations

from typing import Any, Final

from oslo_config import cfg

from cloudkitty import plugins
from cloudkitty.storage.v2.base import BaseStorage

NAMESPACES: Final = {
    1: "cloudkitty.storage.v1.backends",
    2: "cloudkitty.storage.v2.backends",
}


def get_storage(conf: cfg.ConfigOpts = cfg.CONF, **kwargs: Any) -> BaseStorage:
    """Build the storage that ``[storage]`` names; `backend` and `version` override it.

    Raises stevedore.exception.NoMatches for an unknown name.
    """
    version = kwargs.pop("version", conf.storage.version)
    backend = kwargs.pop("backend", conf.storage.backend)
    kwargs.setdefault("period", conf.collect.period)
    storage: BaseStorage = plugins.build(NAMESPACES[version], backend, **kwargs)
    return storage
