# SPDX-License-Identifier: Apache-2.0
"""``/v1/rating``: modules and their configuration (contract api.md 6.1 to 6.3), quotes."""

from __future__ import annotations

from typing import Any

import pecan
import wsme.exc
from oslo_config import cfg
from wsme import types as wtypes

from cloudkitty import messaging
from cloudkitty.api import context, errors
from cloudkitty.api.v1 import quote, rest
from cloudkitty.api.v1.expose import wsexpose
from cloudkitty.api.v1.types import given
from cloudkitty.db import module_info
from cloudkitty.rating import controller, installed


class Module(wtypes.Base):
    """A rating module."""

    _wsme_attr_order = ("module_id", "description", "enabled", "hot_config", "priority")

    module_id = wtypes.wsattr(wtypes.text, mandatory=True)
    description = wtypes.wsattr(wtypes.text, mandatory=False)
    enabled = wtypes.wsattr(bool, mandatory=False)
    hot_config = wtypes.wsattr(bool, mandatory=False, name="hot-config")
    priority = wtypes.wsattr(int, mandatory=False)


class ModuleCollection(wtypes.Base):
    """A list of rating modules."""

    modules = [Module]  # noqa: RUF012 - how WSME writes a list


class ModulesController(rest.RestController):
    """``/v1/rating/modules``."""

    @wsexpose(ModuleCollection)
    def get_all(self) -> ModuleCollection:
        """List the modules."""
        context.authorize("rating:list_modules")
        return ModuleCollection(modules=[_shown(info) for info in installed.describe_all()])

    @wsexpose(Module, wtypes.text)
    def get_one(self, module_id: str) -> Module:
        """Show one module."""
        context.authorize("rating:get_module")
        return _shown(_known(module_id))

    @wsexpose(Module, wtypes.text, body=Module, status_code=302)
    def put(self, module_id: str, module: Any) -> None:
        """Turn a module on or off, or change its priority; what is as it was is not written."""
        context.authorize("rating:update_module")
        present = _known(module_id)
        attributes = given(module)
        for name in ("enabled", "priority"):
            if name in attributes and attributes[name] is None:
                raise wsme.exc.InvalidInput(name, None, "Value should not be null.")
        priority = attributes.get("priority")
        # A smaller one that is there already may be sent back (contract D23).
        if (
            priority not in {None, present.priority}
            and not 1 <= priority <= module_info.MAX_PRIORITY
        ):
            reason = f"Value should be an integer from 1 to {module_info.MAX_PRIORITY}"
            raise wsme.exc.InvalidInput("priority", priority, reason)
        installed.change(module_id, enabled=attributes.get("enabled"), priority=priority)
        rest.see_itself()


class UnconfigurableController(rest.RestController):
    """Stands for the configuration of a module that has none: 409, after the policy (D26)."""

    @pecan.expose()
    def _route(self, args: list[str], request: Any = None) -> Any:
        controller.enforce(request or pecan.request)
        if any(args):
            pecan.abort(404)
        pecan.abort(409, "Module is not configurable")


class ModuleConfigController(rest.RestController):
    """``/v1/rating/module_config``: each module's own controller below its name."""

    @pecan.expose()
    def _lookup(self, name: str, *remainder: str) -> Any:
        known = installed.installed().get(name)
        if known is None:
            return None  # what the router has found before: 405
        return known.controller or UnconfigurableController(), list(remainder)


class ReloadModulesController(rest.RestController):
    """``/v1/rating/reload_modules``."""

    @wsexpose(None, status_code=204)
    def get(self) -> None:
        """Look for installed modules again, and have processors do so."""
        context.authorize("rating:module_config")
        installed.reload()
        messaging.modules_changed()


class RatingController(rest.RestController):
    """``/v1/rating`` and its old name ``/v1/billing``."""

    modules = ModulesController()
    module_config = ModuleConfigController()
    reload_modules = ReloadModulesController()

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.quote = quote.QuoteController(conf)


def _known(module_id: str) -> installed.ModuleInfo:
    found = installed.describe(module_id)
    if found is None:
        errors.abort_client(404, "Module not found.")
    return found


def _shown(info: installed.ModuleInfo) -> Module:
    return Module(
        module_id=info.module_id,
        description=info.description,
        enabled=info.enabled,
        hot_config=info.hot_config,
        priority=info.priority,
    )
