# SPDX-License-Identifier: Apache-2.0
"""Parts of a rating module that not every process needs: controllers, migrations."""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    """A class attribute that lives in a module which is imported when it is asked for."""

    def __init__(self, module: str, name: str | None = None) -> None:
        self._module = module
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        module = importlib.import_module(self._module)
        return getattr(module, self._name) if self._name else module
