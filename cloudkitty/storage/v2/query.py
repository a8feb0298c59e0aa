# SPDX-License-Identifier: Apache-2.0
"""What every storage of ours does with the arguments of a query (contract storage.md 5.2 to 5.8).

Drivers of others get the arguments as callers give them; ours begin with this.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from werkzeug import exceptions

from cloudkitty import timeutils

LOG = logging.getLogger(__name__)

TIME: Final = "time"
TYPE: Final = "type"
_ALIAS: Final = "time-"
#: What ``time-<x>`` stands for (5.7).
TIME_COMMANDS: Final[Mapping[str, str]] = {
    "d": "day_of_the_year",
    "w": "week_of_the_year",
    "m": "month",
    "y": "year",
}


@dataclass(frozen=True, slots=True)
class Interval:
    """The periods whose begin lies in ``[first, stop)``, epoch seconds; no limit is None.

    `begin` and `end` are the limits as they are shown in answers, in the local zone.
    """

    begin: dt.datetime | None
    end: dt.datetime | None
    first: int | None
    stop: int | None

    @property
    def empty(self) -> bool:
        """Whether no period can lie in it."""
        return self.first is not None and self.stop is not None and self.first >= self.stop


@dataclass(frozen=True, slots=True)
class Filters:
    """What points must match: a metric type of `types` (None: any), and every one of `labels`.

    `labels` are (name, values): the point holds one of the values under that name. A point is
    matched by nothing when a list of values is empty.
    """

    types: frozenset[str] | None
    labels: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def impossible(self) -> bool:
        """Whether nothing can match."""
        return self.types == frozenset() or any(not values for _name, values in self.labels)


def interval(begin: dt.datetime | None, end: dt.datetime | None) -> Interval:
    """Give the interval of a question; a missing limit is that of the local month (5.2)."""
    now = timeutils.utcnow()
    return _interval(
        begin or timeutils.month_start(now),
        end or timeutils.next_month_start(now),
    )


def bounds(begin: dt.datetime, end: dt.datetime) -> tuple[int, int]:
    """Give the interval as epoch seconds: periods that begin in [first, stop)."""
    return _ceil_epoch(begin), _ceil_epoch(end)


def open_interval(begin: dt.datetime | None, end: dt.datetime | None) -> Interval:
    """Give the interval of a deletion; a missing limit is none (5.9)."""
    return _interval(begin, end)


def filters(
    given: Mapping[str, Any] | None,
    metric_types: str | Sequence[str] | None = None,
) -> Filters:
    """Give filters and metric types in one form (5.3, 5.4)."""
    types = frozenset(_values(metric_types)) if metric_types else None
    labels = []
    for name, value in (given or {}).items():
        values = tuple(dict.fromkeys(_values(value)))
        if name == TYPE:
            types = frozenset(values) if types is None else types & frozenset(values)
        else:
            labels.append((str(name), values))
    return Filters(types, tuple(labels))


def text(value: Any) -> str:
    """Give the text form of a label's value, which filters compare (5.1.4, 5.3)."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, sort_keys=True, default=str)
    return str(value)


def resolve_aliases(groupbys: Iterable[str]) -> list[str]:
    """Give a groupby list with ``time-<x>`` replaced by the attribute it stands for (5.7).

    Raises werkzeug.exceptions.BadRequest for an unknown ``time-<x>``.
    """
    return [_resolve_alias(str(entry)) for entry in groupbys]


def group_names(groupbys: str | Iterable[str] | None) -> tuple[list[str], bool]:
    """Give the attributes to group by, each once, and whether ``time`` was among them."""
    entries = [groupbys] if isinstance(groupbys, str) else groupbys or ()
    names = list(dict.fromkeys(resolve_aliases(entries)))
    by_time = TIME in names
    return [name for name in names if name != TIME], by_time


def page(rows: Sequence[Any], offset: int, limit: int, *, paginate: bool) -> Sequence[Any]:
    """Give one page of `rows`."""
    return rows[offset : offset + limit] if paginate else rows


def _resolve_alias(entry: str) -> str:
    if not entry.startswith(_ALIAS):
        return entry
    command = entry.removeprefix(_ALIAS)
    if "-" in command:
        LOG.warning("Groupby entry %r has several dashes: taken as an attribute.", entry)
        return entry
    try:
        return TIME_COMMANDS[command]
    except KeyError:
        raise exceptions.BadRequest(
            f"Invalid groupby time option. There is no groupby processing for [{entry}].",
        ) from None


def _interval(begin: dt.datetime | None, end: dt.datetime | None) -> Interval:
    return Interval(
        None if begin is None else timeutils.as_local(begin),
        None if end is None else timeutils.as_local(end),
        None if begin is None else _ceil_epoch(begin),
        None if end is None else _ceil_epoch(end),
    )


def _ceil_epoch(when: dt.datetime) -> int:
    """Give the first whole second that is not before `when`: begins of periods are whole."""
    return timeutils.to_epoch(when) + bool(when.microsecond)


def _values(value: Any) -> list[str]:
    if isinstance(value, list | tuple | set | frozenset):
        return [text(item) for item in value]
    return [text(value)]
