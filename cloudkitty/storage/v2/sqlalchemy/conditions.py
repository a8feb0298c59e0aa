# SPDX-License-Identifier: Apache-2.0
"""What a question asks for, as conditions on scopes, series and begins (storage.md 5.2 to 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty import timeutils
from cloudkitty.storage.v2.query import Filters, Interval
from cloudkitty.storage.v2.sqlalchemy import labels, models
from cloudkitty.storage.v2.sqlalchemy.localdays import LocalDays
from cloudkitty.timeutils import SECONDS_PER_DAY

PERIODS: Final = models.Period.__table__
_SCOPES: Final = models.Scope.__table__
#: Any instant: further away than any date that can be written.
_EVER: Final = (-(2**62), 2**62)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked for, in terms of the tables; made by :func:`select`.

    `first`, `stop`: begins in [first, stop), no further than there is data. `scope_ids` (None:
    all) hold every point asked for. `by_series` says whether more has to be true of the series:
    :meth:`series_condition`.
    """

    first: int
    stop: int
    #: The first and the last UTC day of which all data are inside; last < first: none.
    whole_days: tuple[int, int]
    scope_ids: tuple[int, ...] | None
    #: Scopes whose points are meant without a look at their labels; None: no filter by scope.
    whole_scopes: tuple[int, ...] | None
    scope_values: tuple[str, tuple[str, ...]] | None
    types: frozenset[str] | None
    labels: tuple[tuple[str, tuple[str, ...]], ...]
    metadata_too: bool
    days: LocalDays
    #: Whether there are scopes of another scope key than the configured one, or of none.
    foreign_scopes: bool = field(default=False)

    @property
    def empty(self) -> bool:
        """Whether nothing can match."""
        return self.first >= self.stop or self.scope_ids == ()

    @property
    def by_series(self) -> bool:
        """Whether points of one scope and period may differ in whether they match."""
        return self.types is not None or self.by_labels

    @property
    def by_labels(self) -> bool:
        """Whether more than its scope and metric type says whether a series matches."""
        return bool(self.labels or self._doubtful)

    @property
    def by_calendar(self) -> bool:
        """Whether points of one series may differ in whether they match."""
        return any(name in timeutils.CALENDAR_NAMES for name, _values in self.labels)

    @property
    def _doubtful(self) -> bool:
        return self.whole_scopes is not None and self.whole_scopes != self.scope_ids

    def scope_condition(self, column: Any) -> list[sa.ColumnElement[bool]]:
        """Give the condition that narrows `column`, a scope id, if there is one."""
        return [] if self.scope_ids is None else [column.in_(integers(self.scope_ids))]

    def series_condition(self, series: Any, begin: Any) -> list[sa.ColumnElement[bool]]:
        """Give the conditions on a row of ck_series, for a point that begins at `begin`."""
        found: list[sa.ColumnElement[bool]] = []
        if self.types is not None:
            found.append(series.metric.in_(sorted(self.types)))
        found += [self._label(series, begin, name, values) for name, values in self.labels]
        if self._doubtful and self.scope_values:
            found.append(
                sa.or_(
                    series.scope_id.in_(integers(self.whole_scopes or ())),
                    self._label(series, begin, *self.scope_values),
                ),
            )
        return found

    def _label(
        self,
        series: Any,
        begin: Any,
        name: str,
        values: Sequence[str],
    ) -> sa.ColumnElement[bool]:
        stored = [labels.has(series.labels, labels.pair("g", name, v)) for v in values]
        if "" in values:
            stored.append(sa.not_(labels.has(series.labels, labels.prefix("g", name))))
        condition = sa.or_(*stored)
        if name in timeutils.CALENDAR_NAMES:
            fitting = self.days.fitting(name, values)
            condition = sa.case(
                (series.calendar, self.days.of(begin).in_(integers(fitting))),
                else_=condition,
            )
        if not self.metadata_too:
            return condition
        return sa.or_(
            condition,
            *(labels.has(series.labels, labels.pair("m", name, v)) for v in values if v),
        )


def select(
    session: Session,
    interval: Interval,
    filters: Filters,
    scope_key: str,
    *,
    metadata_too: bool = True,
) -> Selection:
    """Work out what `interval` and `filters` mean; looks up scopes and the range of the data."""
    by_name = dict(filters.labels)
    values = by_name.pop(scope_key, None)
    whole, all_, foreign = _scopes(session, scope_key, values)
    first, stop = (0, 0)
    if not (interval.empty or filters.impossible or all_ == ()):
        first, stop = _range(session, interval, all_)
    return Selection(
        first=first,
        stop=stop,
        whole_days=_whole_days(session, interval, all_, first, stop),
        scope_ids=all_,
        whole_scopes=whole,
        scope_values=None if values is None else (scope_key, values),
        types=filters.types,
        labels=tuple(by_name.items()),
        metadata_too=metadata_too,
        days=LocalDays(first, stop),
        foreign_scopes=foreign,
    )


def integers(values: Sequence[int]) -> sa.BindParameter[Any]:
    """Give a list for IN, written into the statement: there may be more than an engine binds."""
    return sa.bindparam(
        None,
        list(values),
        type_=sa.BigInteger(),
        unique=True,
        expanding=True,
        literal_execute=True,
    )


def _scopes(
    session: Session,
    scope_key: str,
    values: tuple[str, ...] | None,
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None, bool]:
    """Give the scopes meant, those and the ones to look into, and whether there are the latter."""
    foreign = tuple(
        session.scalars(sa.select(_SCOPES.c.id).where(_SCOPES.c.scope_key != scope_key)),
    )
    if values is None:
        return None, None, bool(foreign)
    whole: list[int] = []
    for start in range(0, len(values), 1000):
        some = values[start : start + 1000]
        whole += session.scalars(
            sa.select(_SCOPES.c.id).where(
                _SCOPES.c.scope_key == scope_key,
                _SCOPES.c.identifier.in_(some),
            ),
        )
    return tuple(whole), (*whole, *foreign), bool(foreign)


def _limits(interval: Interval) -> tuple[int, int]:
    low, high = _EVER
    return (
        low if interval.first is None else interval.first,
        high if interval.stop is None else interval.stop,
    )


def _range(
    session: Session,
    interval: Interval,
    scope_ids: tuple[int, ...] | None,
) -> tuple[int, int]:
    """Give the part of the interval that has data: local days need an end to be counted to."""
    first, stop = _limits(interval)
    edges = []
    # One by one: an engine finds the end of an index at once, but not both ends.
    for edge in (sa.func.min, sa.func.max):
        query = sa.select(edge(PERIODS.c.begin)).where(
            PERIODS.c.begin >= first,
            PERIODS.c.begin < stop,
        )
        edges.append(session.scalar(_of_scopes(query, scope_ids)))
    earliest, latest = edges
    return (0, 0) if earliest is None or latest is None else (earliest, latest + 1)


def _whole_days(
    session: Session,
    interval: Interval,
    scope_ids: tuple[int, ...] | None,
    first: int,
    stop: int,
) -> tuple[int, int]:
    """Give the days from that of `first` to that before `stop` that have no data outside.

    People ask for a month until 23:59:59: what counts is whether a period begins after that.
    """
    if first >= stop:
        return 0, -1
    first_day, last_day = first // SECONDS_PER_DAY, (stop - 1) // SECONDS_PER_DAY
    asked_first, asked_stop = _limits(interval)
    if _any(session, scope_ids, first_day * SECONDS_PER_DAY, asked_first):
        first_day += 1
    if _any(session, scope_ids, asked_stop, (last_day + 1) * SECONDS_PER_DAY):
        last_day -= 1
    return first_day, last_day


def _any(session: Session, scope_ids: tuple[int, ...] | None, first: int, stop: int) -> bool:
    """Whether a period begins in [first, stop)."""
    if first >= stop:
        return False
    query = sa.select(PERIODS.c.begin).where(PERIODS.c.begin >= first, PERIODS.c.begin < stop)
    return session.scalar(_of_scopes(query, scope_ids).limit(1)) is not None


def _of_scopes(query: sa.Select[Any], scope_ids: tuple[int, ...] | None) -> sa.Select[Any]:
    if scope_ids is None:
        return query
    return query.where(PERIODS.c.scope_id.in_(integers(scope_ids)))
