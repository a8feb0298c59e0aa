# SPDX-License-Identifier: Apache-2.0
"""Series in batches that fit memory, and their labels (:mod:`.perseries`, :mod:`.columns`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.storage.v2.sqlalchemy import identity, models
from cloudkitty.storage.v2.sqlalchemy.conditions import integers

SERIES: Final = models.Series.__table__
SCOPES: Final = models.Scope.__table__
#: Labels read in one statement.
_CHUNK: Final = 1000


class Batch(NamedTuple):
    """Scopes that are read together, or the series [first, last] of a scope with many."""

    scope_ids: tuple[int, ...]
    #: About how many series that is.
    series: int
    first: int | None = None
    last: int | None = None

    def condition(self, scope_id: Any, series_id: Any) -> list[Any]:
        """Give the conditions on the columns that narrow to the batch."""
        found = [scope_id.in_(integers(self.scope_ids))]
        if self.first is not None:
            found.append(series_id.between(self.first, self.last))
        return found


class Labels(NamedTuple):
    """What a series and its points have in common; the first parts of a SeriesSums."""

    scope: str | None
    metric: str
    unit: str
    groupby: Mapping[str, Any]
    metadata: Mapping[str, Any]
    calendar: bool


def batches(
    session: Session,
    at_once: int,
    scope_ids: Sequence[int] | None = None,
    *,
    whole: bool = False,
) -> Iterator[tuple[Batch, float]]:
    """Cut scopes (None: all) into batches of about `at_once` series, each with what is then done.

    That is the part of all series that are in it or in those before. `whole`: scopes are not cut,
    however many series they have.
    """
    counts = sa.select(SERIES.c.scope_id, sa.func.count())
    if scope_ids is not None:
        counts = counts.where(SERIES.c.scope_id.in_(integers(scope_ids)))
    known = session.execute(counts.group_by(SERIES.c.scope_id).order_by(SERIES.c.scope_id)).all()
    all_ = sum(count for _scope_id, count in known)
    together: list[int] = []
    total = done = 0
    for scope_id, count in known:
        if together and total + count > at_once:
            yield Batch(tuple(together), total), done / all_
            together, total = [], 0
        if count > at_once and not whole:
            for number, slice_ in enumerate(_slices(session, scope_id, at_once), start=1):
                yield slice_, min(done + number * at_once, done + count) / all_
        else:
            together.append(scope_id)
            total += count
        done += count
    if together:
        yield Batch(tuple(together), total), 1.0


def _slices(session: Session, scope_id: int, at_once: int) -> Iterator[Batch]:
    ids = sa.select(SERIES.c.id).where(SERIES.c.scope_id == scope_id).order_by(SERIES.c.id)
    first = session.scalar(ids.limit(1))
    while first is not None:
        last = session.scalar(ids.where(SERIES.c.id >= first).offset(at_once - 1).limit(1))
        following = None
        if last is not None:
            following = session.scalar(ids.where(SERIES.c.id > last).limit(1))
        yield Batch((scope_id,), at_once, first, 2**62 if last is None else last)
        first = following


def described(session: Session, ids: Sequence[int]) -> Iterator[tuple[int, int, Labels]]:
    """Give (number of the scope, number of the series, labels) of series, in any order."""
    for start in range(0, len(ids), _CHUNK):
        statement = (
            sa.select(
                SERIES.c.scope_id,
                SERIES.c.id,
                SCOPES.c.identifier,
                SERIES.c.metric,
                SERIES.c.unit,
                SERIES.c.groupby,
                SERIES.c.metadata,
                SERIES.c.calendar,
            )
            .select_from(SERIES.join(SCOPES, SCOPES.c.id == SERIES.c.scope_id))
            .where(SERIES.c.id.in_(integers(ids[start : start + _CHUNK])))
        )
        for scope_id, id_, name, metric, unit, groupby, metadata, calendar in session.execute(
            statement
        ):
            parsed = identity.loads(groupby), identity.loads(metadata)
            yield scope_id, id_, Labels(name or None, metric, unit, *parsed, bool(calendar))
