# SPDX-License-Identifier: Apache-2.0
"""How a plugin is found and built: by namespace and name, through stevedore."""

from __future__ import annotations

from typing import Any

from stevedore import driver


def build(namespace: str, name: str, **kwargs: Any) -> Any:
    """Build the plugin `name` of `namespace` with keyword arguments.

    Raises stevedore.exception.NoMatches (``No '<namespace>' driver found, looking for '<name>'``)
    for an unknown name; what the plugin's module or constructor raises passes through.
    """
    manager: Any = driver.DriverManager(
        namespace,
        name,
        invoke_on_load=True,
        invoke_kwds=kwargs,
        on_load_failure_callback=_reraise,
    )
    return manager.driver


def _reraise(_manager: object, _entry_point: object, error: BaseException) -> None:
    # stevedore would say "no driver found" for a plugin that is there but broken.
    raise error
