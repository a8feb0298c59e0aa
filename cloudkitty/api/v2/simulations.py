# SPDX-License-Identifier: Apache-2.0
"""``/v2/rating/simulations``: what stored usage would have cost under a draft of rules."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn, TypedDict

import voluptuous as vol

from cloudkitty import messaging, simulation, timeutils
from cloudkitty.api import context, errors
from cloudkitty.api.v2 import bodies, paging, schema
from cloudkitty.api.v2.routing import Call, Operation, WithHeaders
from cloudkitty.db.engines import EXACT
from cloudkitty.rating import document
from cloudkitty.rating.document import Document, DocumentError, writer
from cloudkitty.state import simulations
from cloudkitty.state.simulations import Question, Row, State
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.base import Unsupported

#: Longest description.
_DESCRIPTION: Final = 255
#: How many errors of a document are told at once.
_MOST_PROBLEMS: Final = 50
_ORDERS: Final = ["group", "difference"]
_NONE: Final = "There is no such simulation."


class SimulatedModule(TypedDict):
    """A module that rated: by the rules of the document, or by its current ones."""

    module_id: str
    priority: int
    rules: str


class SimulationTotals(TypedDict):
    """Sums of all groups; `not_rated` are points that keep their price: nobody rated them."""

    points: int
    not_rated: int
    current: Decimal
    simulated: Decimal
    difference: Decimal


class Simulation(TypedDict):
    """A simulation; what is not known yet is null. `progress` goes from 0 to 1."""

    simulation_id: str
    description: str
    status: str
    progress: float
    error: str | None
    begin: dt.datetime
    end: dt.datetime
    groupby: list[str]
    filters: dict[str, list[str]]
    user_id: str | None
    project_id: str | None
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    modules: list[SimulatedModule] | None
    totals: SimulationTotals | None


class Simulations(TypedDict):
    """One page of simulations, newest first."""

    total: int
    results: list[Simulation]


class SimulatedGroup(TypedDict):
    """What a group costs at present, and would cost; `group` has the values of the groupby."""

    group: dict[str, str]
    begin: dt.datetime
    end: dt.datetime
    points: int
    qty: Decimal
    current: Decimal
    simulated: Decimal
    difference: Decimal


class SimulationResult(Simulation):
    """A simulation and one page of its groups; `rules` is there if it was asked for."""

    total: int
    results: list[SimulatedGroup]
    rules: str | None


class SimulationOrder(TypedDict):
    """It will be done; the header Location says where to look."""

    simulation_id: str


@dataclass(frozen=True, slots=True)
class _Filters:
    """The reader of filters: name -> a value, or several of which any will do."""

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        value = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
        return {"type": "object", "additionalProperties": value}

    def __call__(self, value: Any) -> dict[str, list[str]]:
        """Give name -> values; raises voluptuous.Invalid."""
        if not isinstance(value, dict):
            raise vol.Invalid("expected a dictionary")
        read = bodies.Text()
        return {
            read(name): [read(one) for one in (found if isinstance(found, list) else [found])]
            for name, found in value.items()
        }


@dataclass(frozen=True, slots=True)
class _Rules:
    """The reader of rules: a text of YAML or JSON, or the object itself."""

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        return {"anyOf": [{"type": "string"}, {"type": "object"}]}

    def __call__(self, value: Any) -> Any:
        """Give it as it is; raises voluptuous.Invalid."""
        return value if isinstance(value, dict) else bodies.Text()(value)


@dataclass(frozen=True, slots=True)
class _Date:
    """The reader of dates in bodies."""

    @property
    def json(self) -> dict[str, Any]:
        """What it takes, as a JSON Schema."""
        return {"type": "string", "format": "date-time"}

    def __call__(self, value: Any) -> dt.datetime:
        """Give the instant; raises voluptuous.Invalid."""
        return schema.date(value)


_BODY: Final = vol.Schema(
    {
        vol.Required(
            "rules",
            description="The rules to try: a rule document as text (YAML or JSON) or as object.",
        ): _Rules(),
        vol.Optional(
            "begin",
            description="Only usage that begins then or later; by default the first of this month.",
        ): bodies.OrNull(_Date()),
        vol.Optional(
            "end",
            description="Only usage that begins before; by default the first of next month.",
        ): bodies.OrNull(_Date()),
        vol.Optional(
            "groupby",
            description="As of a summary: keys of groupby, type, or time, time-d, time-w, time-m, "
            "time-y.",
        ): bodies.OrNull(bodies.Several(bodies.Text())),
        vol.Optional(
            "scopes",
            description="Only usage of these scopes.",
        ): bodies.OrNull(bodies.Several(bodies.Text())),
        vol.Optional(
            "filters",
            description="As of a summary: what groupby or metadata must say, or type the metric "
            "type.",
        ): bodies.OrNull(_Filters()),
        vol.Optional(
            "description",
            description="What it is about, for who looks at the list.",
        ): bodies.OrNull(bodies.Text(_DESCRIPTION)),
    },
)
_RESULT: Final = vol.Schema(
    {
        **paging.PAGING,
        vol.Optional(
            "order_by",
            default=lambda: ["group"],
            description="Order of groups: group, or difference, the largest first, up or down.",
        ): schema.Single(str),
        vol.Optional(
            "rules",
            default=lambda: ["false"],
            description="Whether to show the rules that were tried.",
        ): schema.Single(bodies.boolean),
    },
)


def _post(call: Call) -> WithHeaders:
    context.authorize("v2_rating:create_simulation", {}, call.context)
    args = {name: value for name, value in call.args.items() if value is not None}
    found, text = _document(args["rules"])
    question = _question(call, args, text)
    _check_storage(call)
    try:
        simulation.check(found)
    except simulation.UnusableError as exc:
        errors.abort_client(400, f"{exc}.")
    most: int = call.conf.simulations.max_stored
    try:
        id_ = simulations.place(question, most, call.context.user_id, call.context.project_id)
    except simulations.TooMany:
        _refuse(409, f"{most} simulations wait, no more are taken", "max_stored")
    messaging.wake_for_simulations()
    answer: SimulationOrder = {"simulation_id": id_}
    return WithHeaders(answer, {"Location": f"simulations/{id_}"})


def _list(call: Call) -> Simulations:
    context.authorize("v2_rating:list_simulations", {}, call.context)
    total, found = simulations.listed(call.args["offset"], paging.page_size(call))
    return {"total": total, "results": [_shown(state) for state in found]}


def _get(call: Call) -> SimulationResult:
    context.authorize("v2_rating:get_simulation", {}, call.context)
    args = call.args
    order = args["order_by"]
    if order not in _ORDERS:
        errors.abort_client(400, f"Invalid order [{order}]. Valid orders are {_ORDERS}.")
    limit = paging.page_size(call)
    state = simulations.get(_id(call), rules=args["rules"])
    if state is None:
        errors.abort_client(404, _NONE)
    total, found = simulations.rows(
        state.id, args["offset"], limit, by_difference=order == "difference"
    )
    names, by_time = query.group_names(state.question.groupby)
    period = call.conf.collect.period if by_time else 0
    return {
        **_shown(state),
        "total": total,
        "results": [_group(state, names, period, row) for row in found],
        "rules": state.question.rules if args["rules"] else None,
    }


def _delete(call: Call) -> None:
    context.authorize("v2_rating:delete_simulation", {}, call.context)
    if not simulations.delete(_id(call)):
        errors.abort_client(404, _NONE)


def _id(call: Call) -> str:
    """Give the id that the path has; 404 for what cannot be one."""
    try:
        return str(uuid.UUID(call.path["simulation_id"]))
    except ValueError:
        errors.abort_client(404, _NONE)


def _document(rules: Any) -> tuple[Document, str]:
    """Read the rules, whatever form they have; gives them and their text."""
    try:
        if isinstance(rules, str):
            return document.loads(rules), rules
        found = document.of_json(rules)
    except DocumentError as exc:
        lines = str(exc).split("\n")
        if len(lines) > _MOST_PROBLEMS:
            lines[_MOST_PROBLEMS:] = [f"and {len(lines) - _MOST_PROBLEMS} more"]
        errors.abort_client(400, "\n".join(lines))
    return found, writer.dump(found)


def _question(call: Call, args: Mapping[str, Any], rules: str) -> Question:
    asked = query.interval(args.get("begin"), args.get("end"))
    assert asked.begin is not None
    assert asked.end is not None
    if asked.end <= asked.begin:
        errors.abort_client(400, "end must be after begin.")
    most: int = call.conf.simulations.max_interval_days
    if most and asked.end - asked.begin > dt.timedelta(days=most):
        _refuse(400, f"end must be at most {most} days after begin", "max_interval_days")
    groupby = args.get("groupby", [])
    query.group_names(groupby)  # raises what the caller is told
    filters = dict(args.get("filters", {}))
    scope_key: str = call.conf.collect.scope_key
    if "scopes" in args:
        if scope_key in filters:
            errors.abort_client(400, f"Give either scopes or a filter by {scope_key}, not both.")
        filters[scope_key] = args["scopes"]
    first, stop = query.bounds(asked.begin, asked.end)
    return Question(
        first=first,
        stop=stop,
        groupby=groupby,
        filters=filters,
        rules=rules,
        description=args.get("description", ""),
    )


def _check_storage(call: Call) -> None:
    """Refuse, with an ApiError (501), what the storage does not give enough for."""
    never = timeutils.from_epoch(0)
    try:
        with call.storage.series_sums(never, never), call.storage.columns(never, never):
            return
    except Unsupported as exc:
        raise errors.ApiError(501, f"Simulations need more than the storage gives: {exc}.") from exc


def _refuse(status: int, text: str, option: str) -> NoReturn:
    errors.abort_client(status, f"{text} (limit of this service: [simulations] {option}).")


def _shown(state: State) -> Simulation:
    question, answer = state.question, state.answer
    return {
        "simulation_id": state.simulation_id,
        "description": question.description,
        "status": state.status,
        "progress": state.progress,
        "error": state.error,
        "begin": _local(question.first),
        "end": _local(question.stop),
        "groupby": list(question.groupby),
        "filters": {name: list(values) for name, values in question.filters.items()},
        "user_id": state.user_id,
        "project_id": state.project_id,
        "created_at": _local(state.created),
        "started_at": None if state.started is None else _local(state.started),
        "finished_at": None if state.finished is None else _local(state.finished),
        "modules": None if answer is None else answer["modules"],
        "totals": None if answer is None else _totals(answer),
    }


def _totals(answer: Mapping[str, Any]) -> SimulationTotals:
    current, simulated = Decimal(answer["current"]), Decimal(answer["simulated"])
    return {
        "points": answer["points"],
        "not_rated": answer["posted"],
        "current": current,
        "simulated": simulated,
        "difference": EXACT.subtract(simulated, current),
    }


def _group(state: State, names: list[str], period: int, row: Row) -> SimulatedGroup:
    bucket = row.bucket
    limits = (
        (state.question.first, state.question.stop) if bucket is None else (bucket, bucket + period)
    )
    return {
        "group": dict(zip(names, row.values, strict=True)),
        "begin": _local(limits[0]),
        "end": _local(limits[1]),
        "points": row.points,
        "qty": row.qty,
        "current": row.current,
        "simulated": row.simulated,
        "difference": EXACT.subtract(row.simulated, row.current),
    }


def _local(seconds: int) -> dt.datetime:
    return timeutils.as_local(timeutils.from_epoch(seconds))


LIST: Final = Operation(_list, query=vol.Schema(paging.PAGING), answer=Simulations)
POST: Final = Operation(
    _post,
    body=_BODY,
    status=202,
    answer=SimulationOrder,
    refusals={
        409: "Too many simulations wait.",
        501: "The storage backend does not give usage by series.",
    },
)
GET: Final = Operation(_get, query=_RESULT, answer=SimulationResult, refusals={404: _NONE})
DELETE: Final = Operation(_delete, refusals={404: _NONE})
