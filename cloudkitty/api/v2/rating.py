# SPDX-License-Identifier: Apache-2.0
"""``/v2/rating/modules``: which modules rate, and in what order (contract api.md 13.5)."""

from __future__ import annotations

from typing import Final, TypedDict

import voluptuous as vol

from cloudkitty.api import context, errors
from cloudkitty.api.v2 import bodies
from cloudkitty.api.v2.routing import Call, Operation
from cloudkitty.db import module_info
from cloudkitty.rating import installed

_NOT_FOUND: Final = "Module '{}' not found"
_BODY: Final = vol.Schema(
    {
        vol.Optional("enabled", description="Whether the module rates."): bodies.boolean,
        vol.Optional("priority", description="Higher goes first."): bodies.Whole(
            1, module_info.MAX_PRIORITY
        ),
    },
)


class Module(TypedDict):
    """A rating module that is installed."""

    module_id: str
    description: str | None
    enabled: bool
    hot_config: bool
    priority: int


class Modules(TypedDict):
    """All rating modules, by name."""

    modules: list[Module]


def _list(call: Call) -> Modules:
    context.authorize("v2_rating:list_modules", {}, call.context)
    return {"modules": [_shown(info) for info in installed.describe_all()]}


def _get(call: Call) -> Module:
    context.authorize("v2_rating:get_module", {}, call.context)
    return _shown(_known(call))


def _put(call: Call) -> None:
    context.authorize("v2_rating:update_module", {}, call.context)
    installed.change(_known(call).module_id, **call.args)


def _known(call: Call) -> installed.ModuleInfo:
    module_id = call.path["module_id"]
    found = installed.describe(module_id)
    if found is None:
        errors.abort_client(404, _NOT_FOUND.format(module_id))
    return found


def _shown(info: installed.ModuleInfo) -> Module:
    return {
        "module_id": info.module_id,
        "description": info.description,
        "enabled": info.enabled,
        "hot_config": info.hot_config,
        "priority": info.priority,
    }


LIST: Final = Operation(_list, answer=Modules)
GET: Final = Operation(_get, answer=Module, refusals={404: "There is no such module."})
PUT: Final = Operation(_put, body=_BODY, refusals={404: "There is no such module."})
