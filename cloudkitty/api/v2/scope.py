# SPDX-License-Identifier: Apache-2.0
"""``/v2/scope``: how far scopes have been rated (contract api.md 13.1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final, TypedDict

import voluptuous as vol

from cloudkitty import db, messaging, timeutils
from cloudkitty.api import context, errors
from cloudkitty.api.v2 import bodies, schema
from cloudkitty.api.v2.routing import Call, Operation
from cloudkitty.state import orders, scope
from cloudkitty.state.scope import ScopeState


class Scope(TypedDict):
    """A scope, and the begin of the last period rated (state is the same)."""

    scope_id: str
    scope_key: str | None
    fetcher: str | None
    collector: str | None
    last_processed_timestamp: dt.datetime
    state: dt.datetime
    active: bool
    scope_activation_toggle_date: dt.datetime


class Scopes(TypedDict):
    """One page of scopes."""

    results: list[Scope]


class Accepted(TypedDict):
    """It will be done."""


_TIME: Final = "last_processed_timestamp"
_NAMES: Final = ("scope_key", "fetcher", "collector")
_SELECTORS: Final = ("scope_id", *_NAMES)
#: So that the period after it is a date in every zone and every database.
_YEARS: Final = range(1000, 9999)
_QUERY: Final = vol.Schema(
    {
        **schema.PAGING,
        **{
            vol.Optional(name, description="Only scopes with one of these."): schema.Many(str)
            for name in _SELECTORS
        },
        vol.Optional(
            "active",
            description="1: scopes that are rated; 0: those that are not.",
        ): schema.Many(schema.integer),
    },
)


def _in_reach(found: dt.datetime) -> dt.datetime:
    if found.year not in _YEARS:
        raise vol.Invalid("not a valid date")
    return found


def _exclusive(name: str, text: str) -> vol.Exclusive:
    return vol.Exclusive(name, "scope_selector", description=text)


def _for_names(text: str, kind: Any) -> dict[vol.Marker, Any]:
    return {vol.Optional(name, description=text): bodies.OrNull(kind) for name in _NAMES}


_DATE: Final = vol.All(schema.date, _in_reach)
_ID: Final = bodies.One(bodies.Text(scope.MAX_ID_LENGTH))
_NAME: Final = bodies.One(bodies.Text(scope.MAX_NAME_LENGTH))
_ACTIVE: Final[dict[vol.Marker, Any]] = {
    vol.Optional("active", description="Whether the scope is rated."): bodies.OrNull(
        bodies.One(bodies.boolean)
    ),
}
_RESET: Final = vol.Schema(
    {
        _exclusive("all_scopes", "Whether to reset every active scope."): bodies.boolean,
        _exclusive("scope_id", "The scopes to reset."): bodies.Several(bodies.Text()),
        **_for_names("Only scopes with one of these.", bodies.Several(bodies.Text())),
        vol.Optional(_TIME, description="Begin of the last period that stays rated."): _DATE,
        vol.Optional("state", description=f"Another name of {_TIME}."): _DATE,
    },
)
_PATCH: Final = vol.Schema(
    {
        vol.Required("scope_id", description="The scope to change."): _ID,
        **_for_names("A new value.", _NAME),
        **_ACTIVE,
    },
)
_POST: Final = vol.Schema(
    {
        vol.Required("scope_id", description="The new scope."): vol.All(_ID, vol.Length(min=1)),
        **_for_names("The configured one if left out.", _NAME),
        vol.Required(_TIME, description="Begin of the last period that counts as rated."): _DATE,
        **_ACTIVE,
    },
)


def show(state: ScopeState) -> Scope:
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


def _get(call: Call) -> Scopes:
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


def _put(call: Call) -> Accepted:
    args = call.args
    target = {"project_id": args.get("scope_id") or call.context.project_id}
    context.authorize("scope:reset_state", target, call.context)
    if not args.get("all_scopes") and not args.get("scope_id"):
        errors.abort_client(400, "Either all_scopes or a scope_id should be specified.")
    to = _reset_time(args)
    selection: dict[str, Any] = {name: args.get(name) for name in _SELECTORS}
    with db.session_for_write() as session:
        found = scope.list_scopes(call.conf, session, **selection, active=[True])
        if not found:
            errors.abort_client(404, errors.NOT_FOUND)
        orders.place(session, found, to)
    _wake(found, to)
    return {}


def _reset_time(args: dict[str, Any]) -> dt.datetime:
    given = {args[name] for name in (_TIME, "state") if name in args}
    if not given:
        errors.abort_client(400, f"Variable '{_TIME}' cannot be empty/None.")
    if len(given) > 1:
        errors.abort_client(400, f"'{_TIME}' and 'state' are the same, but differ here.")
    found: dt.datetime = given.pop()
    return found


def _wake(found: Sequence[ScopeState], to: dt.datetime) -> None:
    names = [{name: getattr(state, name) for name in _SELECTORS} for state in found]
    messaging.wake_for_resets(names, to.isoformat())


def _patch(call: Call) -> Scope:
    args = call.args
    scope_id = args["scope_id"]
    context.authorize("scope:patch_state", {"tenant_id": scope_id}, call.context)
    try:
        changed = scope.change(call.conf, scope_id, active=args.get("active"), **_names(args))
    except scope.NoScope:
        errors.abort_client(404, errors.NOT_FOUND)
    except scope.SeveralScopes:
        errors.abort_client(404, f"Too many resources found with the same scope_id: {scope_id}.")
    return show(changed)


def _post(call: Call) -> Scope:
    args = call.args
    scope_id = args["scope_id"]
    context.authorize("scope:post_state", {"tenant_id": scope_id}, call.context)
    active = args.get("active")
    try:
        made = scope.create(
            call.conf,
            scope_id,
            args[_TIME],
            active=True if active is None else active,
            **_names(args),
        )
    except scope.ScopeExists:
        text = f"Cannot create a scope with an already existing scope_id: {scope_id}."
        errors.abort_client(409, text)
    return show(made)


def _names(args: dict[str, Any]) -> dict[str, str]:
    """Give the names that were given; the empty one counts as not given."""
    return {name: args[name] for name in _NAMES if args.get(name)}


GET: Final = Operation(
    _get,
    query=_QUERY,
    answer=Scopes,
    refusals={404: errors.NOT_FOUND},
)
PUT: Final = Operation(
    _put,
    body=_RESET,
    status=202,
    answer=Accepted,
    refusals={404: errors.NOT_FOUND},
)
PATCH: Final = Operation(
    _patch,
    body=_PATCH,
    answer=Scope,
    refusals={404: "No scope, or more than one, has this scope_id."},
)
POST: Final = Operation(
    _post,
    body=_POST,
    answer=Scope,
    refusals={409: "There is a scope with this scope_id."},
)
