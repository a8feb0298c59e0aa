# SPDX-License-Identifier: Apache-2.0
"""Rows of ck_points on their way into the table, and the checks of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.db.engines import EXACT
from cloudkitty.storage.v2.sqlalchemy import bulk, ledger, models, rollup
from cloudkitty.storage.v2.sqlalchemy.bulk import plain
from cloudkitty.storage.v2.sqlalchemy.ledger import Entry, Key

POINTS: Final = models.Point.__table__
_SERIES: Final = models.Series.__table__
_CHUNK: Final = 500

#: What every engine can hold: MySQL's DECIMAL has 35 digits before the point.
_DIGITS_BEFORE: Final = 35
_DIGITS_AFTER: Final = 150
_MYSQL_DIGITS_AFTER: Final = 30
_MYSQL_UNIT: Final = Decimal(1).scaleb(-_MYSQL_DIGITS_AFTER)


class Point(NamedTuple):
    """One row; `identity` is that of its series."""

    begin: int
    scope_id: int
    series_id: int
    rank: int
    seconds: int
    qty: Decimal
    price: Decimal
    identity: bytes

    @property
    def key(self) -> Key:
        """The ledger row that it belongs to."""
        return self.scope_id, self.begin


def check(value: Decimal, what: str) -> None:
    """Raise ValueError if an engine could not hold `value`."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{what} is not a finite number: {value}")  # noqa: TRY004
    if value.adjusted() >= _DIGITS_BEFORE and value:
        raise ValueError(f"{what} is too large to be stored: {value}")
    if exponent < -_DIGITS_AFTER or exponent > _DIGITS_AFTER:
        raise ValueError(f"{what} has too many digits to be stored: {value}")


def texts(numbers: Sequence[Decimal], what: str) -> list[str]:
    """Give numbers as text without an exponent.

    Raises ValueError if an engine could not hold one of them.
    """
    count = len(numbers)
    if count > 1 and len(set(map(id, numbers))) == 1:
        # Most series do not change much, and sources give equal text one number.
        return texts(numbers[:1], what) * count
    found = list(map(str, numbers))
    together = "".join(found)
    if (
        len(max(found, key=len)) > _DIGITS_BEFORE
        or "E" in together
        or "N" in together
        or "I" in together
    ):
        for number in numbers:
            check(number, what)
        return list(map(plain, numbers))
    return found


def fitted(dialect: str) -> Callable[[Decimal], Decimal] | None:
    """Give the function that rounds a number to what the engine keeps; None: it keeps them all.

    MySQL's widest decimal has 30 digits after the point. Rounding before anything is added up
    keeps sums equal to the sums of what is stored.
    """
    return _fit if dialect in ("mysql", "mariadb") else None


def _fit(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MYSQL_DIGITS_AFTER:
        return EXACT.quantize(value, _MYSQL_UNIT)
    return value


def replace(session: Session, points: Sequence[Point], status: str, chunk: int) -> None:
    """Store points, each in the place of the one with the same identity (5.1.3).

    Corrects ledger and roll-ups. New ledger rows get `status`.
    """
    wanted = {point.key for point in points}
    locked = ledger.lock_days(session, wanted)
    new: dict[Key, Entry] = {key: Entry(0, Decimal(0), status) for key in wanted - locked.keys()}
    # Made before the points are looked at: who else writes them waits, or has us start again.
    ledger.insert(session, new)
    siblings = _siblings(session, {point.identity for point in points})
    # Points of one identity are in different scopes only if their metadata contradict.
    elsewhere = {
        (scope_id, point.begin)
        for point in points
        for _series_id, scope_id in siblings[point.identity]
    } - wanted
    if elsewhere:
        locked |= ledger.lock_days(session, elsewhere)
    touched = (wanted | elsewhere) & (locked.keys() | new.keys())
    _delete(session, points, siblings, touched - new.keys())
    bulk.insert(
        session,
        POINTS,
        ((*point[:5], plain(point.qty), plain(point.price)) for point in points),
        chunk,
    )
    ledger.recount(session, touched)
    rolled: dict[int, set[int]] = {}
    for scope_id, begin in touched:
        if locked.get((scope_id, begin)):
            rolled.setdefault(rollup.day_of(begin), set()).add(scope_id)
    for day in sorted(rolled):
        rollup.recompute(session, rolled[day], [day])


def _siblings(session: Session, identities: Iterable[bytes]) -> dict[bytes, list[tuple[int, int]]]:
    """Give identity -> (id, scope id) of all series that share it."""
    wanted = sorted(identities)
    found: dict[bytes, list[tuple[int, int]]] = {identity: [] for identity in wanted}
    for start in range(0, len(wanted), _CHUNK):
        query = sa.select(_SERIES.c.identity, _SERIES.c.id, _SERIES.c.scope_id).where(
            _SERIES.c.identity.in_(wanted[start : start + _CHUNK]),
        )
        for identity, id_, scope_id in session.execute(query):
            found[bytes(identity)].append((id_, scope_id))
    return found


def _delete(
    session: Session,
    points: Sequence[Point],
    siblings: Mapping[bytes, Sequence[tuple[int, int]]],
    existing: set[Key],
) -> None:
    """Delete what `points` replace; only ledger rows of `existing` can have any of it."""
    doomed: list[dict[str, Any]] = [
        {"b": point.begin, "c": scope_id, "s": series_id, "r": point.rank}
        for point in points
        for series_id, scope_id in siblings[point.identity]
        if (scope_id, point.begin) in existing
    ]
    if doomed:
        session.execute(
            sa.delete(POINTS).where(
                POINTS.c.begin == sa.bindparam("b"),
                POINTS.c.scope_id == sa.bindparam("c"),
                POINTS.c.series_id == sa.bindparam("s"),
                POINTS.c.rank == sa.bindparam("r"),
            ),
            doomed,
        )
