# SPDX-License-Identifier: Apache-2.0
"""From what Gnocchi answers to series (contract collect.md 2.1.4, 2.1.5).

This is the hot path of collecting: attributes are looked at once per group, and a number is
converted once per answer however often it comes.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from cloudkitty import timeutils
from cloudkitty.collector import metrics
from cloudkitty.collector.conversion import CONTEXT
from cloudkitty.collector.gnocchi_query import REVISION
from cloudkitty.dataframe import ImmutableDict
from cloudkitty.gnocchi.client import Groups
from cloudkitty.gnocchi.errors import GnocchiError
from cloudkitty.usage import ZERO, Series

#: Time of a slot as Gnocchi writes it, its length in seconds, and its value.
Slot = Sequence[Any]
#: Scope, value of the resource key and begin of the period -> metadata, None: no such resource.
Lookup = Callable[[str, Any, int], ImmutableDict | None]

#: Why groups, or some of them, were left out; for people.
NO_VALUE: Final = "without a value (null, NaN or infinite)"
NO_RESOURCE: Final = "of a resource that the search for metadata does not find"
SEVERAL_SLOTS: Final = "of a revision that has several slots and is not summed up"

_NOTHING: Final = ImmutableDict({})


@dataclass(slots=True)
class Reading:
    """What an answer holds: scope -> series, and how many groups were left out, by reason."""

    found: dict[str, list[Series]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def _total(numbers: Iterable[Decimal]) -> Decimal:
    return functools.reduce(CONTEXT.add, numbers, ZERO)


_REDUCE: Final[Mapping[str, Callable[[Sequence[Decimal]], Decimal]]] = {
    "max": max,
    "mean": lambda numbers: CONTEXT.divide(_total(numbers), Decimal(len(numbers))),
    "sum": _total,
    "last": lambda numbers: numbers[-1],
}


class _Numbers(dict[Any, "Decimal | None"]):
    """Number as JSON has it -> Decimal of its text; None when it is no finite number."""

    def __missing__(self, value: Any) -> Decimal | None:
        if value is None:
            return None
        if type(value) not in {float, int}:
            raise TypeError(f"{value!r} is no number")
        number = Decimal(repr(value)) if math.isfinite(value) else None
        self[value] = number
        return number


class _Quantities(dict[Decimal, Decimal]):
    """Number -> quantity, filled as numbers come."""

    def __init__(self, convert: metrics.Conversion) -> None:
        self._convert = convert

    def __missing__(self, number: Decimal) -> Decimal:
        self[number] = qty = self._convert(number)
        return qty


class _Periods(dict[str, int]):
    """Time of a slot -> begin of the period that holds it, filled as times come."""

    def __init__(self, begins: Sequence[int], period: int) -> None:
        self._begins = frozenset(begins)
        self._first = begins[0]
        self._period = period

    def __missing__(self, when: str) -> int:
        offset = int(dt.datetime.fromisoformat(when).timestamp()) - self._first
        begin = self._first + offset // self._period * self._period
        if begin not in self._begins:
            raise ValueError(f"{when} is in no period that was asked for")
        self[when] = begin
        return begin


class GroupReader:
    """Reads the answers for one metric definition; without state, safe for threads."""

    def __init__(self, key: str, definition: Mapping[str, Any], scope_key: str) -> None:
        """Take a metric key and its validated definition."""
        extra = definition["extra_args"]
        self.metric = metrics.frame_name(key, definition)
        self.unit: str = definition["unit"]
        self.description: str | None = definition.get("description")
        self.scope_key = scope_key
        self.resource_key: str = extra["resource_key"]
        self.reduction: str = extra["slot_reduction"]
        every = extra["use_all_resource_revisions"]
        # Without an id revisions of the same resource cannot be told from other resources.
        self.last_revision_only = not every and "id" in definition["groupby"]
        # The date keys overwrite attributes of the same name (2.0).
        self.hidden = {*timeutils.CALENDAR_NAMES}
        if not every and REVISION not in definition["groupby"]:
            self.hidden.add(REVISION)
        self.conversion = metrics.Conversion.of(definition)

    def read(
        self,
        groups: Groups,
        scopes: Sequence[str],
        begins: Sequence[int],
        period: int,
        lookup: Lookup | None,
    ) -> Reading:
        """Give the series of `scopes` in these periods; `lookup` finds metadata, if any is wanted.

        With one period all slots are its slots, else each belongs to the period that holds its
        time. All of an answer for one scope is that scope's. Raises GnocchiError.
        """
        work = _Work(self, begins, period, lookup)
        only = scopes[0] if len(scopes) == 1 else None
        asked = frozenset(scopes)
        of_scope: dict[str, list[_Group]] = {}
        for item in groups:
            try:
                labels = item["group"]
                scope = labels[self.scope_key] if only is None else only
                periods = work.by_period(item["measures"]["measures"]["aggregated"])
            except (KeyError, TypeError, IndexError, ValueError) as exc:
                raise _strange(item, exc) from exc
            if scope not in asked:
                raise GnocchiError(f"a group of scope {scope!r}, which was not asked for")
            if periods:
                of_scope.setdefault(scope, []).append((labels, periods))
        take = work.last_revisions if self.last_revision_only else work.every_group
        for scope, some in of_scope.items():
            try:
                take(scope, some)
            except (KeyError, TypeError, IndexError, ValueError) as exc:
                raise _strange(some, exc) from exc
        return work.reading

    def series(self, labels: Mapping[str, Any], metadata: ImmutableDict) -> Series:
        """Give a series without points that has the labels of a group."""
        hidden = self.hidden
        groupby = {name: value for name, value in labels.items() if name not in hidden}
        return Series(self.metric, self.unit, ImmutableDict(groupby), metadata, self.description)


#: Attributes of a group, and begin of a period -> its slots.
_Group = tuple[Mapping[str, Any], Mapping[int, Sequence[Slot]]]


class _Work:
    """One answer being read."""

    def __init__(
        self, reader: GroupReader, begins: Sequence[int], period: int, lookup: Lookup | None
    ) -> None:
        self.reading = Reading()
        self._reader = reader
        self._only = begins[0] if len(begins) == 1 else None
        self._periods = _Periods(begins, period)
        self._lookup = lookup
        self._numbers = _Numbers()
        self._quantities = _Quantities(reader.conversion)

    def by_period(self, slots: Sequence[Slot]) -> Mapping[int, Sequence[Slot]]:
        """Give begin -> its slots, in the order of the answer."""
        if self._only is not None:
            return {self._only: slots} if slots else {}
        found: dict[int, list[Slot]] = {}
        for slot in slots:
            found.setdefault(self._periods[slot[0]], []).append(slot)
        return found

    def every_group(self, scope: str, groups: Iterable[_Group]) -> None:
        """Take each group as a series of its own."""
        for labels, periods in groups:
            series: Series | None = None
            for begin, slots in periods.items():
                number = self._reduced([slots])
                point = self._point(scope, begin, labels, number)
                if point is None:
                    continue
                qty, metadata = point
                if series is None:
                    series = self._reader.series(labels, metadata)
                    self.reading.found.setdefault(scope, []).append(series)
                series.begins.append(begin)
                series.qtys.append(qty)
                series.prices.append(ZERO)

    def last_revisions(self, scope: str, groups: Iterable[_Group]) -> None:
        """Take of each resource the last revision in a period, with what all revisions have."""
        revisions: dict[int, dict[str, list[tuple[str, Mapping[str, Any], Sequence[Slot]]]]] = {}
        for labels, periods in groups:
            for begin, slots in periods.items():
                of_id = revisions.setdefault(begin, {}).setdefault(str(labels["id"]), [])
                of_id.append((str(labels[REVISION]), labels, slots))
        known: dict[tuple[ImmutableDict, ImmutableDict], Series] = {}
        for begin in sorted(revisions):
            for name in sorted(revisions[begin]):
                some = sorted(revisions[begin][name], key=operator.itemgetter(0))
                labels = some[-1][1]
                number = self._summed([slots for _, _, slots in some])
                point = self._point(scope, begin, labels, number)
                if point is None:
                    continue
                qty, metadata = point
                series = self._reader.series(labels, metadata)
                series = known.setdefault((series.groupby, series.metadata), series)
                series.begins.append(begin)
                series.qtys.append(qty)
                series.prices.append(ZERO)
        if known:
            self.reading.found.setdefault(scope, []).extend(known.values())

    def _point(
        self, scope: str, begin: int, labels: Mapping[str, Any], number: Decimal | None
    ) -> tuple[Decimal, ImmutableDict] | None:
        """Give quantity and metadata, None when there is no point."""
        if number is None:
            self.reading.left_out[NO_VALUE] += 1
            return None
        if self._lookup is None:
            return self._quantities[number], _NOTHING
        metadata = self._lookup(scope, labels[self._reader.resource_key], begin)
        if metadata is None:
            self.reading.left_out[NO_RESOURCE] += 1
            return None
        return self._quantities[number], metadata

    def _reduced(self, revisions: Sequence[Sequence[Slot]]) -> Decimal | None:
        """Give what the slots of a period come to; those of the same time are summed up."""
        numbers = self._numbers
        if self._reader.reduction == "first":
            return numbers[revisions[0][0][2]]
        by_time: dict[str, Decimal] = {}
        for slots in revisions:
            for when, _granularity, value in slots:
                number = numbers[value]
                if number is not None:
                    before = by_time.get(when)
                    by_time[when] = number if before is None else CONTEXT.add(before, number)
        if not by_time:
            return None
        # Slots of one revision are in order, those of several overlap at their ends.
        return _REDUCE[self._reader.reduction]([by_time[when] for when in sorted(by_time)])

    def _summed(self, revisions: Sequence[Sequence[Slot]]) -> Decimal | None:
        """Give what the revisions of a resource, oldest first, come to in a period.

        With the first of several slots as the period's quantity there is no sum of revisions that
        makes sense: bills stay what they always were (2.1.5), the last revision's first slot.
        """
        if self._reader.reduction != "first":
            return self._reduced(revisions)
        single = [slots for slots in revisions if len(slots) == 1]
        if several := len(revisions) - len(single):
            if len(revisions) > 1:
                self.reading.left_out[SEVERAL_SLOTS] += several
            if len(revisions[-1]) > 1:
                return self._reduced(revisions[-1:])
        found = [self._numbers[slots[0][2]] for slots in single]
        numbers = [number for number in found if number is not None]
        return _total(numbers) if numbers else None


def _strange(item: Any, exc: Exception) -> GnocchiError:
    text = str(item)
    text = f"{text[:200]}{'...' if len(text) > 200 else ''}"
    return GnocchiError(f"not a group of measures: {text} ({type(exc).__name__}: {exc})")
