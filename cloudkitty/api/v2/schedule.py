# SPDX-License-Identifier: Apache-2.0
"""``/v2/task/reprocesses``: periods that are to be rated again (contract api.md 13.6)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any, Final, TypedDict

import voluptuous as vol

from cloudkitty import messaging, timeutils
from cloudkitty.api import context, errors
from cloudkitty.api.v2 import bodies, schema
from cloudkitty.api.v2.routing import Call, Operation
from cloudkitty.state import schedule
from cloudkitty.state.schedule import Schedule, Window
from cloudkitty.state.scope import Origin, ScopeState

_ALL: Final = "ALL"
_ORDERS: Final = ["asc", "desc"]
#: What a TEXT column of MySQL holds whatever the characters are.
_LONGEST_REASON: Final = 16_383

_PAGE: Final = {
    **schema.PAGING,
    vol.Optional(
        "order",
        default=lambda: ["desc"],
        description="By creation: asc or desc.",
    ): schema.Single(str),
    vol.Optional(
        "scope_ids",
        description="Only schedules of these scopes.",
    ): schema.Many(str),
}
_BODY: Final = vol.Schema(
    {
        vol.Required(
            "scope_ids",
            description=f"The scopes to rate again, or {_ALL} for every active one.",
        ): bodies.Several(bodies.Text()),
        vol.Required(
            "start_reprocess_time",
            description="Begin of the first period to rate again.",
        ): schema.date,
        vol.Required(
            "end_reprocess_time",
            description="Begin of the last period to rate again.",
        ): schema.date,
        vol.Required("reason", description="Why."): bodies.One(bodies.Text(_LONGEST_REASON)),
        vol.Optional(
            "rules",
            default=schedule.VALID_THEN,
            description="By which rules: valid_then (those that were valid when a period began, "
            "also if they have been deleted since), current (what has been deleted since counts "
            "for no period) or as_rated (the very rules that the period was rated by).",
        ): bodies.Choice(schedule.RULES),
    },
)


class _Reprocess(TypedDict):
    scope_id: str
    reason: str
    start_reprocess_time: str
    end_reprocess_time: str
    current_reprocess_time: str


class Reprocess(_Reprocess, total=False):
    """A schedule; times are UTC, the present one is empty before the first period is done.

    `rules` is left out when it is valid_then.
    """

    rules: str


class Reprocesses(TypedDict):
    """One page of schedules."""

    results: list[Reprocess]


class Accepted(TypedDict):
    """It will be done."""


def _list(call: Call) -> Reprocesses:
    return _show(call, call.args.get("scope_ids"))


def _get(call: Call) -> Reprocesses:
    return _show(call, [call.path["path_scope_id"]])


def _show(call: Call, scope_ids: list[str] | None) -> Reprocesses:
    target = {"tenant_id": scope_ids or call.context.project_id}
    context.authorize("schedule:get_task_reprocesses", target, call.context)
    order = call.args["order"]
    if order.lower() not in _ORDERS:
        errors.abort_client(
            400, f"The order [{order}] is not valid. Accepted values are {_ORDERS}."
        )
    found = schedule.list_schedules(
        scope_ids=scope_ids,
        newest_first=order.lower() == "desc",
        offset=call.args["offset"],
        limit=call.args["limit"],
    )
    return {"results": [_shown(one) for one in found]}


def _shown(found: Schedule) -> Reprocess:
    shown: Reprocess = {
        "scope_id": found.scope_id,
        "reason": found.reason,
        "start_reprocess_time": _naive(found.window.start),
        "end_reprocess_time": _naive(found.window.end),
        "current_reprocess_time": "" if found.current is None else _naive(found.current),
    }
    # Who has not asked for anything else sees what clients have always seen.
    if found.rules != schedule.VALID_THEN:
        shown["rules"] = found.rules
    return shown


def _post(call: Call) -> Accepted:
    args = call.args
    scope_ids = args["scope_ids"]
    context.authorize("schedule:task_reprocesses", {"tenant_id": scope_ids}, call.context)
    window = Window(args["start_reprocess_time"], args["end_reprocess_time"])
    _check(scope_ids, window, args["reason"])
    try:
        schedule.create(
            Origin.configured(call.conf),
            None if scope_ids == [_ALL] else scope_ids,
            window,
            args["reason"],
            call.conf.collect.period,
            rules=args["rules"],
            check=lambda found: _check_recorded(call, found, window),
        )
    except schedule.Refused as exc:
        errors.abort_client(400, _why(exc, window))
    messaging.wake_for_schedules()
    return {}


def _check(scope_ids: list[str], window: Window, reason: str) -> None:
    """Refuse what can be refused without a look at the scopes."""
    if _ALL in scope_ids and len(scope_ids) > 1:
        errors.abort_client(
            400,
            f"Cannot use '{_ALL}' with scope ID [{scope_ids}]. Either schedule a reprocessing for "
            f"all active scopes using '{_ALL}' option, or inform only the scopes you desire to "
            "schedule a reprocessing.",
        )
    if not reason.strip():
        errors.abort_client(
            400,
            "Empty or blank reason text is not allowed. Please, do inform/register the reason for "
            "the reprocessing of a previously processed timestamp.",
        )
    if window.end < window.start:
        errors.abort_client(
            400,
            f"End reprocessing timestamp [{window.end}] cannot be less than start reprocessing "
            f"timestamp [{window.start}].",
        )


def _check_recorded(call: Call, scope_ids: Collection[str], window: Window) -> None:
    """Refuse to rate as before what is not known by which rules it was rated."""
    if call.args["rules"] != schedule.AS_RATED:
        return
    period = dt.timedelta(seconds=call.conf.collect.period)
    periods = (window.end - window.start) // period + 1
    known = call.storage.count_recorded(scope_ids, window.start, window.end + period)
    for scope_id in scope_ids:
        missing = periods - known.get(scope_id, 0)
        if missing:
            errors.abort_client(
                400,
                f"Scope [{scope_id}] cannot be reprocessed as it was rated: the rules of {missing} "
                f"of the {periods} periods are not recorded.",
            )


def _why(refused: schedule.Refused, window: Window) -> str:
    match refused:
        case schedule.OffGrid(nearest=near):
            valid = [str(near.start), str(near.end)]
            return (
                "The provided reprocess time window does not comply with the configured collector "
                f"period. A valid time window near the provided one is {valid}"
            )
        case schedule.UnknownScopes(scope_ids=unknown):
            return (
                f"Scopes {unknown} scheduled to reprocess [start={window.start}, "
                f"end={window.end}] do not exist."
            )
        case schedule.NotRatedYet(scope=state, bound=bound):
            return (
                f"Cannot execute a reprocessing [{bound}={getattr(window, bound)}] for scope "
                f"[{_named(state)}] {bound}ing after the last possible timestamp "
                f"[{state.last_processed}]."
            )
        case schedule.Overlapping(scope=state, other=other):
            return (
                f"Cannot schedule a reprocessing for scope [{_named(state)}] for reprocessing time "
                f"[{_compact(window)}], because it already has a schedule for a similar time range "
                f"[{_compact(other.window)}]."
            )
    return str(refused)


def _named(state: ScopeState) -> dict[str, Any]:
    return {"id": state.id, "identifier": state.scope_id, "active": state.active}


def _compact(window: Window) -> str:
    form = "%Y-%m-%dT%H:%M:%S%z"
    return f"{window.start.strftime(form)} - {window.end.strftime(form)}"


def _naive(when: dt.datetime) -> str:
    return timeutils.naive_utc(when).isoformat()


LIST: Final = Operation(_list, query=vol.Schema(_PAGE), answer=Reprocesses)
GET: Final = Operation(_get, query=vol.Schema(_PAGE), answer=Reprocesses)
POST: Final = Operation(_post, body=_BODY, status=202, answer=Accepted)
