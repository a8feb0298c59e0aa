# SPDX-License-Identifier: Apache-2.0
"""Which storage is configured (contract storage.md 2 and 3)."""

from __future__ import annotations

from typing import Any, Final

from oslo_config import cfg

from cloudkitty import plugins
from cloudkitty.storage.v1.base import NAMESPACE as V1
from cloudkitty.storage.v2.base import BaseStorage

NAMESPACES: Final = {1: V1, 2: "cloudkitty.storage.v2.backends"}


def get_storage(conf: cfg.ConfigOpts = cfg.CONF, **kwargs: Any) -> BaseStorage:
    """Build the storage that ``[storage]`` names; `backend` and `version` override it.

    A storage of the first generation comes in its adapter. Raises
    stevedore.exception.NoMatches for an unknown name.
    """
    version = kwargs.pop("version", conf.storage.version)
    backend = kwargs.pop("backend", conf.storage.backend)
    kwargs.setdefault("period", conf.collect.period)
    built = plugins.build(NAMESPACES[version], backend, **kwargs)
    storage: BaseStorage = built.adapted() if version == 1 else built
    return storage
