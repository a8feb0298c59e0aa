# SPDX-License-Identifier: Apache-2.0
"""What Gnocchi is asked for one metric definition (contract collect.md 1.6, 2.1.2).

Which questions may be put together is decided here, by what Gnocchi does with them. Asked with
``use_history``, it looks at every *revision* of a resource on its own: the time from when it has
certain attributes until these change. It evaluates the operation for each revision, within the
part of the range that is the revision's, takes from a slot that a revision has only partly the
same part of its value, and puts what has the same attributes into one group. So

* nothing of one scope goes into the numbers of another, as the scope key is always grouped by.
  The exception: the first revision of a resource in the range counts from the range's begin on,
  and "first" is among all scopes that are asked for. ``gnocchi_changes`` finds the scopes for
  which that makes a difference;
* a slot is not changed by what else is asked for, when the range begins where a slot does. So one
  answer can be cut into periods where slots do not cross from one period into the next and no
  revision begins within the range. That is not so for operations that look at neighbouring slots:
  see `MetricQuery.one_period`;
* in a group of several resources only some may count, and which ones depends on the range. So
  the id must be grouped by to ask for several periods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import voluptuous as vol

from cloudkitty import timeutils

_PLAIN: Final = ("mean", "sum", "last", "max", "min", "std", "median", "first", "count")
_PERCENTILES: Final = tuple(f"{number}pct" for number in range(1, 100))
#: What makes one quantity of the several slots that a period may have.
REDUCTIONS: Final = ("first", "max", "mean", "sum", "last")
#: When a revision begins: tells the revisions of a resource from one another.
REVISION: Final = "revision_start"


def _with_rates(methods: Sequence[str]) -> list[str]:
    return sorted([*methods, *(f"rate:{method}" for method in methods)])


#: What ``extra_args`` may hold, as voluptuous takes it.
EXTRA_ARGS: Final = {
    vol.Required("resource_type"): vol.All(str, vol.Length(min=1)),
    vol.Required("resource_key", default="id"): vol.All(str, vol.Length(min=1)),
    vol.Required("aggregation_method", default="max"): vol.In(
        _with_rates([*_PLAIN, *_PERCENTILES]),
    ),
    vol.Required("re_aggregation_method", default="max"): vol.In(_with_rates(_PLAIN)),
    vol.Required("force_granularity", default=3600): vol.All(int, vol.Range(min=0)),
    vol.Required("use_all_resource_revisions", default=True): bool,
    vol.Required("custom_query", default=""): str,
    vol.Required("slot_reduction", default="first"): vol.In(REDUCTIONS),
}


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """The question of one metric definition, but for scopes and time."""

    resource_type: str
    operations: Any
    groupby: Sequence[str]
    granularity: int
    #: Seconds that are asked for before the period: what a rate starts from.
    before: int
    #: The operation is the operator's: nothing is known about it.
    custom: bool
    #: Why only one period may be asked for at a time, "" when several may.
    one_period: str

    @classmethod
    def of(cls, name: str, definition: Mapping[str, Any], period: int) -> Self:
        """Build the question for a metric, by its name in Gnocchi and validated definition."""
        extra = definition["extra_args"]
        groupby = list(definition["groupby"])
        if not extra["use_all_resource_revisions"] and REVISION not in groupby:
            groupby.append(REVISION)
        granularity = extra["force_granularity"]
        rate = extra["re_aggregation_method"].startswith("rate:")
        return cls(
            resource_type=extra["resource_type"],
            operations=_operations(name, extra),
            groupby=groupby,
            granularity=granularity,
            before=granularity if rate else 0,
            custom=bool(extra["custom_query"]),
            one_period=_one_period(definition, period),
        )

    def search(self, scope_key: str, scopes: Sequence[str], q_filter: Any = None) -> Any:
        """Give the condition that finds the resources of `scopes` (none: of everybody)."""
        conditions = [
            {"=": {"type": self.resource_type}},
            *of_scopes(scope_key, scopes),
            *([q_filter] if q_filter else []),
        ]
        return {"and": conditions} if len(conditions) > 1 else conditions[0]

    def start(self, begin: int) -> int:
        """Give the epoch second from which on to ask for a period that begins at `begin`."""
        return begin - self.before

    def splits(self, begins: Sequence[int]) -> bool:
        """Say whether the answer for these periods together can be cut into them."""
        return not self.one_period and begins[0] % self.granularity == 0


def of_scopes(scope_key: str, scopes: Sequence[str]) -> list[Any]:
    """Give the condition that an attribute is one of `scopes`, none for no scopes."""
    if len(scopes) == 1:
        return [{"=": {scope_key: scopes[0]}}]
    return [{"in": {scope_key: list(scopes)}}] if scopes else []


def iso(epoch: int) -> str:
    """Give an instant as Gnocchi is told it: ISO 8601 with the local offset."""
    return timeutils.as_local(timeutils.from_epoch(epoch)).isoformat()


def _operations(name: str, extra: Mapping[str, Any]) -> Any:
    outer, inner = extra["re_aggregation_method"], extra["aggregation_method"]
    custom: str = extra["custom_query"]
    if custom:
        # In this order: the first placeholder holds the second one.
        for placeholder, value in (
            ("RE_AGGREGATION_METHOD", outer),
            ("AGGREGATION_METHOD", inner),
            ("METRIC_NAME", name),
        ):
            custom = custom.replace(placeholder, value)
        return custom
    return ["aggregate", outer, ["metric", name, inner]]


def _one_period(definition: Mapping[str, Any], period: int) -> str:
    extra = definition["extra_args"]
    granularity: int = extra["force_granularity"]
    rate = extra["re_aggregation_method"].startswith("rate:")
    other_key = definition["metadata"] and extra["resource_key"] != "id"
    reasons = {
        "a custom query may look at several slots": extra["custom_query"],
        "a rate is the difference to the slot before, whichever period has that": rate,
        "without force_granularity slots of several lengths are mixed": not granularity,
        "slots cross from one period into the next": granularity and period % granularity,
        "which resources of a group count depends on the range": "id" not in definition["groupby"],
        "which resource gives the metadata depends on the period": other_key,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
