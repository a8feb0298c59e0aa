# SPDX-License-Identifier: Apache-2.0
"""commit(): the rated usage of a batch and the moves of its scopes, in one transaction.

Labels are described, and series found or made, before the transaction begins. Inside it the scopes
are moved on first: that is a compare-and-set, locks their state rows, and says whose points are to
be written at all. What is to be replaced is removed next (:mod:`.clearing`). A
(scope, period) that has no ledger row has no points either, so the usual case is one bulk insert;
where somebody has posted points already they are replaced by identity.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from itertools import chain, repeat
from typing import Any, Final

from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.db.engines import EXACT
from cloudkitty.storage.v2.base import Advance
from cloudkitty.storage.v2.sqlalchemy import (
    bulk,
    clearing,
    identity,
    ledger,
    models,
    points,
    rollup,
)
from cloudkitty.storage.v2.sqlalchemy.catalog import Catalog, SeriesRef
from cloudkitty.storage.v2.sqlalchemy.ledger import Entry, Key
from cloudkitty.storage.v2.sqlalchemy.points import Point
from cloudkitty.storage.v2.sqlalchemy.session import retried, writing
from cloudkitty.timeutils import SECONDS_PER_DAY
from cloudkitty.usage import ScopeUsage, Series

_POINTS: Final = models.Point.__table__
_DAILY: Final = models.Daily.__table__
_ZERO: Final = Decimal(0)
_add: Final = EXACT.add


@dataclass(slots=True)
class _Column:
    """A series on its way into the tables; `ranks` is None where every rank is 0.

    `qty_texts` and `price_texts` are the numbers as they are written.
    """

    ref: SeriesRef
    begins: list[int]
    qtys: list[Decimal]
    prices: list[Decimal]
    qty_texts: list[str]
    price_texts: list[str]
    ranks: list[int] | None = None

    def rows(self, seconds: int) -> Iterator[bulk.Row]:
        """Give the rows of ck_points."""
        return zip(
            self.begins,
            repeat(self.ref.scope_id),
            repeat(self.ref.id),
            self.ranks or repeat(0),
            repeat(seconds),
            self.qty_texts,
            self.price_texts,
            strict=False,
        )

    def points(self, seconds: int, keys: Collection[Key]) -> Iterator[Point]:
        """Give the points of those ledger rows that are among `keys`."""
        id_, scope_id, shared = self.ref
        for index, begin in enumerate(self.begins):
            if (scope_id, begin) in keys:
                rank = self.ranks[index] if self.ranks else 0
                yield Point(
                    begin,
                    scope_id,
                    id_,
                    rank,
                    seconds,
                    self.qtys[index],
                    self.prices[index],
                    shared,
                )

    def without(self, keys: Collection[Key]) -> _Column:
        """Give the column without the points of `keys`."""
        scope_id = self.ref.scope_id
        kept = [i for i, begin in enumerate(self.begins) if (scope_id, begin) not in keys]
        if len(kept) == len(self.begins):
            return self
        return _Column(
            self.ref,
            [self.begins[i] for i in kept],
            [self.qtys[i] for i in kept],
            [self.prices[i] for i in kept],
            [self.qty_texts[i] for i in kept],
            [self.price_texts[i] for i in kept],
            self.ranks and [self.ranks[i] for i in kept],
        )


@dataclass(slots=True)
class _Prepared:
    """One scope's usage, ready to be written; `scope_id` is its row of ck_scopes."""

    usage: ScopeUsage
    scope_id: int
    columns: list[_Column] = field(default_factory=list)

    @property
    def keys(self) -> set[Key]:
        """The ledger rows that it writes: one per period, and one wherever else points belong."""
        found = set(zip(repeat(self.scope_id), self.usage.begins, strict=False))
        for column in self.columns:
            if column.ref.scope_id != self.scope_id:
                found |= {(column.ref.scope_id, begin) for begin in column.begins}
        return found

    def completed_days(self) -> list[int]:
        """Give the UTC days whose last period this usage has."""
        begins = self.usage.begins
        if not begins:
            return []
        following = rollup.day_of(begins[-1] + self.usage.period)
        return sorted({day for begin in begins if (day := rollup.day_of(begin)) < following})


def commit(
    catalog: Catalog,
    batch: Sequence[ScopeUsage],
    advance: Advance,
    scope_key: str,
    chunk: int,
    *,
    replacing: bool = False,
) -> Collection[str]:
    """Store `batch` and move its scopes on; gives the ids of those that could be moved.

    With `replacing`, in the place of all that they have in the batch's periods. Raises ValueError,
    with nothing stored, for what no column can hold.
    """
    prepared = _prepare(catalog, batch, scope_key)
    return _store(prepared, advance, chunk, scope_key if replacing else None)


def _prepare(catalog: Catalog, batch: Sequence[ScopeUsage], scope_key: str) -> list[_Prepared]:
    fit = points.fitted(db.get_engine().dialect.name)
    parts = [list(_parts(usage)) for usage in batch]
    refs = iter(catalog.references([*chain.from_iterable(parts)], scope_key))
    names = [identity.scope_name(scope_key, usage.scope_id) for usage in batch]
    scopes = catalog.scopes(names)
    prepared = []
    for usage, name, some in zip(batch, names, parts, strict=True):
        what = f"of a point of scope {usage.scope_id!r}"
        qty_of, price_of = f"qty {what}", f"price {what}"
        ready = _Prepared(usage, scopes[name])
        for series in some:
            qtys, prices = series.qtys, series.prices
            if fit:
                qtys, prices = [*map(fit, qtys)], [*map(fit, prices)]
            ready.columns.append(
                _Column(
                    next(refs),
                    series.begins,
                    qtys,
                    prices,
                    points.texts(qtys, qty_of),
                    points.texts(prices, price_of),
                ),
            )
        _rank(ready.columns)
        prepared.append(ready)
    return prepared


def _parts(usage: ScopeUsage) -> Iterator[Series]:
    for series in usage.series:
        if series.begins:
            yield from identity.split_by_calendar(series)


def _rank(columns: Sequence[_Column]) -> None:
    """Number the points of one identity and period in the order of the series (5.1.3)."""
    if len({column.ref.identity for column in columns}) == len(columns):
        return
    shared = {key for key, n in Counter(c.ref.identity for c in columns).items() if n > 1}
    seen: Counter[tuple[bytes, int]] = Counter()
    for column in columns:
        if column.ref.identity in shared:
            column.ranks = []
            for begin in column.begins:
                column.ranks.append(seen[column.ref.identity, begin])
                seen[column.ref.identity, begin] += 1


@retried
def _store(
    prepared: Sequence[_Prepared],
    advance: Advance,
    chunk: int,
    replaced_key: str | None,
) -> Collection[str]:
    """Write what could be moved; with a scope key, in the place of what is there."""
    with writing() as session:
        moved = advance(session)
        kept = [ready for ready in prepared if ready.usage.scope_id in moved]
        if kept:
            usages = [ready.usage for ready in kept]
            rolled = clearing.clear(session, usages, replaced_key) if replaced_key else set()
            _write(session, kept, chunk, rolled)
    return moved


def _write(
    session: Session,
    kept: Sequence[_Prepared],
    chunk: int,
    rolled: Collection[tuple[int, int]],
) -> None:
    """Write points, ledger and roll-ups; `rolled` are (scope, day) to roll up in any case."""
    versions = {key: ready.usage.rules_version for ready in kept for key in ready.keys}
    keys = versions.keys()
    days = [rollup.day_of(begin) for _scope_id, begin in keys]
    scope_ids = sorted({scope_id for scope_id, _begin in keys})
    # Every row of the days concerned: they also say whether anything of a day is elsewhere.
    locked = {
        (scope_id, begin)
        for scope_id, begin, _rolled in rollup.lock(session, scope_ids, min(days), max(days))
    }
    used_days = {(scope_id, rollup.day_of(begin)) for scope_id, begin in locked}
    taken = keys & locked
    entries = _entries(kept, {key: versions[key] for key in keys - taken})
    here, later = _roll_ups(kept, used_days)
    for scope_id, day in rolled:
        if (scope_id, day) not in here:
            later.setdefault(day, set()).add(scope_id)
    for (scope_id, begin), entry in entries.items():
        entry.rolled = (scope_id, rollup.day_of(begin)) in here
    ledger.insert(session, entries)
    bulk.insert(session, _POINTS, _ordered(kept, taken), chunk)
    bulk.insert(session, _DAILY, _daily_rows(kept, here), chunk)
    for day, rolled_here in _by_day(here).items():
        rollup.total_up(session, rolled_here, day)
    if taken:
        again = [
            point
            for ready in kept
            for column in ready.columns
            for point in column.points(ready.usage.period, taken)
        ]
        if again:
            points.replace(session, again, ledger.RATED, chunk)
    ledger.mark_rated(session, {key: versions[key] for key in taken})
    for day, scopes in sorted(later.items()):
        rollup.roll(session, scopes, day)


def _ordered(kept: Sequence[_Prepared], taken: Collection[Key]) -> Iterable[bulk.Row]:
    """Give the rows of ck_points but for those of `taken`, in the order of the key.

    A table that is kept in that order grows at its end, and so does an index.
    """
    by_begin: dict[int, list[bulk.Row]] = {}
    columns = [(column, ready.usage.period) for ready in kept for column in ready.columns]
    columns.sort(key=lambda item: (item[0].ref.scope_id, item[0].ref.id))
    for column, seconds in columns:
        for row in (column.without(taken) if taken else column).rows(seconds):
            try:
                by_begin[row[0]].append(row)
            except KeyError:
                by_begin[row[0]] = [row]
    return chain.from_iterable(by_begin[begin] for begin in sorted(by_begin))


def _entries(
    kept: Sequence[_Prepared],
    versions: Mapping[Key, str | None],
) -> dict[Key, Entry]:
    """Give the new ledger rows; `versions` has the rule set of each."""
    entries = {
        key: Entry(0, _ZERO, ledger.RATED, rules_version=version)
        for key, version in versions.items()
    }
    for ready in kept:
        begins = list(ready.usage.begins)
        # Series that were there in every period can be added up side by side.
        whole: list[_Column] = []
        for column in ready.columns:
            if column.ref.scope_id == ready.scope_id and column.begins == begins:
                whole.append(column)
                continue
            for begin, price in zip(column.begins, column.prices, strict=True):
                _count(entries.get((column.ref.scope_id, begin)), 1, price)
        if whole:
            sums = map(_total, zip(*(column.prices for column in whole), strict=True))
            for begin, price in zip(begins, sums, strict=True):
                _count(entries.get((ready.scope_id, begin)), len(whole), price)
    return entries


def _count(entry: Entry | None, number: int, price: Decimal) -> None:
    if entry:
        entry.points += number
        entry.price = _add(entry.price, price)


def _total(numbers: Iterable[Decimal]) -> Decimal:
    return reduce(_add, numbers)


def _roll_ups(
    kept: Sequence[_Prepared],
    used_days: Collection[tuple[int, int]],
) -> tuple[set[tuple[int, int]], dict[int, set[int]]]:
    """Give the (scope, day) pairs to roll up from the batch, and day -> scopes to roll up in SQL.

    From the batch: days that nobody has anything of in the tables yet.
    """
    here: set[tuple[int, int]] = set()
    later: dict[int, set[int]] = {}
    for ready in kept:
        for day in ready.completed_days():
            if (ready.scope_id, day) not in used_days:
                here.add((ready.scope_id, day))
            else:
                later.setdefault(day, set()).add(ready.scope_id)
    return here, later


def _by_day(found: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Give day -> scope ids for (scope id, day) pairs."""
    days: dict[int, list[int]] = {}
    for scope_id, day in sorted(found, key=lambda pair: pair[::-1]):
        days.setdefault(day, []).append(scope_id)
    return days


def _daily_rows(
    kept: Sequence[_Prepared],
    here: Collection[tuple[int, int]],
) -> Iterator[bulk.Row]:
    """Give the rows of ck_daily for the scopes and days of `here`."""
    found: list[bulk.Row] = []
    for ready in kept:
        for column in ready.columns:
            for day, start, stop in _day_slices(column.begins):
                if (column.ref.scope_id, day) in here:
                    found.append(
                        (
                            column.ref.scope_id,
                            day,
                            column.ref.id,
                            stop - start,
                            *_folded(column.qtys[start:stop]),
                            *_folded(column.prices[start:stop]),
                        ),
                    )
    # One series may have several columns: its ranks.
    return iter(_merged(found))


def _merged(rows: Sequence[bulk.Row]) -> list[bulk.Row]:
    by_key: dict[tuple[int, int, int], list[Any]] = {}
    for row in rows:
        known = by_key.get(row[:3])
        if known is None:
            by_key[row[:3]] = list(row)
            continue
        known[3] += row[3]
        for at in (4, 7):
            known[at] = _add(known[at], row[at])
            known[at + 1] = min(known[at + 1], row[at + 1])
            known[at + 2] = max(known[at + 2], row[at + 2])
    return [(*known[:4], *map(bulk.plain, known[4:])) for _key, known in sorted(by_key.items())]


def _day_slices(begins: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (day, from index, to index) for the days of ascending begins."""
    start = 0
    while start < len(begins):
        day = rollup.day_of(begins[start])
        stop = bisect_left(begins, (day + 1) * SECONDS_PER_DAY, start)
        yield day, start, stop
        start = stop


def _folded(numbers: Sequence[Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    """Give the exact sum, the minimum and the maximum."""
    first = numbers[0]
    if numbers.count(first) == len(numbers):
        # Most series do not change during a day.
        return EXACT.multiply(first, Decimal(len(numbers))), first, first
    return _total(numbers), min(numbers), max(numbers)
