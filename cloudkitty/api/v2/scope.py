# SPDX-License-Identifier: Apache-2.0
"""``/v2/scope``: how far scopes have been rated (contract api.md 13.1)."""

from __future__ import annotations

from typing import Any, Final

import voluptuous as vol

from cloudkitty import timeutils
from cloudkitty.api import context, errors
from cloudkitty.api.v2 import schema
from cloudkitty.api.v2.routing import Call, Operation
from cloudkitty.state import scope
from cloudkitty.state.scope import ScopeState

_SELECTORS: Final = ("scope_id", "scope_key", "fetcher", "collector")
_QUERY: Final = vol.Schema(
    {
        **schema.PAGING,
        **{vol.Optional(name): schema.Many(str) for name in _SELECTORS},
        vol.Optional("active"): schema.Many(schema.integer),
    },
)


def show(state: ScopeState) -> dict[str, Any]:
    """Give a scope as answers show it; ``state`` is what the official client prints (D47)."""
    last = timeutils.as_local(state.last_processed)
    return {
        "scope_id": state.scope_id,
        "scope_key": state.scope_key,
        "fetcher": state.fetcher,
        "collector": state.collector,
        "last_processed_timestamp": last,
        "state": last,
        "active": state.active,
        "scope_activation_toggle_date": timeutils.as_local(state.toggled),
    }


def _get(call: Call) -> dict[str, Any]:
    args = call.args
    target = {"project_id": args.get("scope_id") or call.context.project_id}
    context.authorize("scope:get_state", target, call.context)
    active = args.get("active")
    found = scope.list_scopes(
        call.conf,
        **{name: args.get(name) for name in _SELECTORS},
        active=None if active is None else [bool(value) for value in active if value in {0, 1}],
        offset=args["offset"],
        limit=args["limit"],
    )
    if not found:
        errors.abort_client(404, errors.NOT_FOUND)
    return {"results": [show(state) for state in found]}


GET: Final = Operation(_get, query=_QUERY)
