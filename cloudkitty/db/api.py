# SPDX-License-Identifier: Apache-2.0
"""Where plugins ask for the state of rating modules (contract rating.md 2.2).

An alias: ``get_instance().get_module_info()`` is :mod:`cloudkitty.db.module_info`, with
``get_state``, ``set_state``, ``get_priority`` and ``set_priority``.
"""

from __future__ import annotations

from types import ModuleType

from cloudkitty.db import module_info


class _Instance:
    """What :func:`get_instance` gives."""

    @staticmethod
    def get_module_info() -> ModuleType:
        """Give the functions that read and write ``modules_state``."""
        return module_info


_INSTANCE = _Instance()


def get_instance() -> _Instance:
    """Give the access to the database that plugins were written for."""
    return _INSTANCE
