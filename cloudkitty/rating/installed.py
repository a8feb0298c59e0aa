# SPDX-License-Identifier: Apache-2.0
"""The rating modules of this process as the API shows and changes them (contract api.md 6.1).

One instance per module, without tenant, kept until ``reload``. A module that cannot be imported or
constructed is logged and left out.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oslo_db import api as db_api
from oslo_db import exception as db_exc
from oslo_log import log

from cloudkitty import db, messaging
from cloudkitty.rating import modules
from cloudkitty.rating.base import RatingProcessorBase

LOG = log.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Installed:
    """A rating module and its configuration's controller, None when it has none."""

    module: RatingProcessorBase
    controller: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleInfo:
    """What the API shows of a module; `module_id` is the name of its entry point."""

    module_id: str
    description: str | None
    enabled: bool
    hot_config: bool
    priority: int


_lock = threading.Lock()
_installed: Mapping[str, Installed] | None = None


def installed() -> Mapping[str, Installed]:
    """Give the modules by name of entry point, in the order of the names."""
    global _installed  # noqa: PLW0603 - one set of modules a process
    with _lock:
        if _installed is None:
            _installed = _load()
        return _installed


def reload() -> None:
    """Look for modules again; those there were are made anew."""
    global _installed  # noqa: PLW0603
    found = _load()
    with _lock:
        _installed = found


def describe(name: str) -> ModuleInfo | None:
    """Give what is known of a module at present, None when there is no such module."""
    known = installed().get(name)
    return None if known is None else _info(name, known.module)


def describe_all() -> list[ModuleInfo]:
    """Give what is known of every module at present."""
    return [_info(name, known.module) for name, known in installed().items()]


def change(name: str, *, enabled: bool | None = None, priority: int | None = None) -> None:
    """Set what is given and differs from what is; both or neither. `name` must be installed.

    Processors are told when it is done.
    """
    switched, moved = _change(name, enabled, priority)
    if switched is not None:
        messaging.module_switched(name, enabled=switched)
    if moved:
        messaging.module_changed(name)


# Two callers may make the row of a module at the same time.
@db_api.wrap_db_retry(
    max_retries=5,
    retry_on_deadlock=True,
    jitter=True,
    exception_checker=lambda exc: isinstance(exc, db_exc.DBDuplicateEntry),
)
def _change(
    name: str,
    enabled: bool | None,  # noqa: FBT001 - of one caller
    priority: int | None,
) -> tuple[bool | None, bool]:
    """Give the new state if it is another, and whether the priority is another."""
    module = installed()[name].module
    switched, moved = None, False
    with db.session_for_write():
        if enabled is not None and enabled != module.enabled:
            switched = enabled
            module.set_state(enabled)
        if priority is not None and priority != module.priority:
            moved = True
            module.set_priority(priority)
    return switched, moved


def _info(name: str, module: RatingProcessorBase) -> ModuleInfo:
    info = module.module_info
    return ModuleInfo(
        module_id=name,
        description=info["description"],
        enabled=info["enabled"],
        hot_config=info["hot_config"],
        priority=info["priority"],
    )


def _load() -> Mapping[str, Installed]:
    found = modules.find()
    for name, error in found.broken.items():
        LOG.error("Could not load rating module '%s': %s", name, error)
    loaded = {}
    for name, cls in found.classes.items():
        try:
            controller = cls.config_controller
            loaded[name] = Installed(cls(), None if controller is None else controller())
        except Exception:
            LOG.exception("Could not load rating module '%s'", name)
    return loaded
