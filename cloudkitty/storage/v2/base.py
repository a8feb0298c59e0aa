# SPDX-License-Identifier: Apache-2.0
"""The storage plugin interface (storage.md 2), namespace ``cloudkitty.storage.v2.backends``.

What every backend has in common (sections 5.2 to 5.9: default interval, filters, calendar aliases,
custom fields, paging, order, row shape) is worked out in :mod:`cloudkitty.storage.v2.query` for our
own drivers; drivers of others keep receiving the arguments as callers give them.
"""

from __future__ import annotations

import abc
import datetime as dt
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final, NamedTuple, NoReturn, Protocol, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import api as db_api
from oslo_db import exception as db_exc
from sqlalchemy.orm import Session

from cloudkitty import db, timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.storage.v2 import query
from cloudkitty.storage.v2.series import (
    FREE,
    IDLE,
    PRICED,
    Column,
    Portion,
    Progress,
    SeriesSums,
)
from cloudkitty.usage import ScopeUsage

# What others may use of what is imported here.
__all__ = ["FREE", "IDLE", "PRICED", "Column", "Portion", "Progress", "SeriesSums"]

DEFAULT_FIELDS: Final = "SUM(qty) AS qty, SUM(price) AS rate"

# The scope states belong to cloudkitty.state; only the names are asked for here.
_STATES: Final = sa.table("cloudkitty_storage_states", sa.column("id"), sa.column("identifier"))

#: How many points of a long answer are in memory at a time.
STREAMED_AT_ONCE: Final = 5000

#: Moves the scopes of a batch on, in the session given, and gives those it could move.
#: It is a compare-and-set: a scope that somebody else has moved meanwhile is left out.
Advance = Callable[[Session], Collection[str]]
#: Sets a scope back, in the session given, and gives the begin of the last period that still counts
#: as rated; None when there is nothing to do any more.
SetBack = Callable[[Session], dt.datetime | None]


class Placed(NamedTuple):
    """A point, the period that it lies in, and its metric type."""

    start: dt.datetime
    end: dt.datetime
    metric: str
    point: DataPoint


class Provenance(NamedTuple):
    """Where the prices of a scope's period come from.

    `rated`: the processor made them, by the rule set `rules_version`, if that is known. Otherwise
    they came with what was posted.
    """

    rated: bool
    rules_version: str | None


class Unsupported(Exception):  # noqa: N818 - says what is, not what went wrong
    """The storage cannot do what only some can; the text says which and what."""


class TooManyRows(Exception):  # noqa: N818 - says what is, not what went wrong
    """A question leads to more rows than it may."""


class Once(Protocol):
    """Something that must be done once: whether it has been, in the session given."""

    def done(self, session: Session) -> bool:
        """Whether somebody has done it."""

    def record(self, session: Session) -> None:
        """Write down that it is done; DBDuplicateEntry when somebody else is just doing it."""


_F = TypeVar("_F", bound=Callable[..., Any])


def once_more(function: _F) -> _F:
    """Run a whole transaction again when somebody else was faster."""
    wrapped: _F = db_api.wrap_db_retry(
        max_retries=5,
        retry_interval=0.1,
        retry_on_deadlock=True,
        exception_checker=lambda exc: isinstance(exc, db_exc.DBDuplicateEntry),
    )(function)
    return wrapped


class BaseStorage(abc.ABC):
    """Keeps rated data frames and answers questions about them; safe for several threads."""

    TIME_COMMANDS_MAP: Final[Mapping[str, str]] = query.TIME_COMMANDS

    def __init__(self, **kwargs: Any) -> None:
        """Take the options of the caller; `period` is the length of a period in seconds."""
        self.conf: cfg.ConfigOpts = cfg.CONF
        self.period: int = kwargs.get("period") or self.conf.collect.period

    @abc.abstractmethod
    def init(self) -> None:
        """Create what is missing; idempotent; raises when the store cannot be prepared."""

    @abc.abstractmethod
    def push(self, dataframes: Sequence[DataFrame], scope_id: str | None = None) -> None:
        """Store frames; durable when it returns, nothing kept when it raises (5.1)."""

    @once_more
    def push_once(self, dataframes: Sequence[DataFrame], once: Once) -> None:
        """Store frames unless `once` says that it has been done; raises what it and push() raise.

        In one transaction where the storage is in the same SQL database. For any other it is
        written down that they are stored when they are: when the process dies in between, they are
        pushed again by the next who tries, which replaces them (5.1.3).
        """
        with db.session_for_write() as session:
            if not once.done(session):
                once.record(session)
                self.push(dataframes)

    @abc.abstractmethod
    def retrieve(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
        metric_types: str | Sequence[str] | None = None,
        offset: int = 0,
        limit: int = 1000,
        paginate: bool = True,  # noqa: FBT001, FBT002 - plugin interface
    ) -> dict[str, Any]:
        """Give ``{"total": points matching, "dataframes": [DataFrame]}`` (5.5)."""

    @contextmanager
    def stream(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
        metric_types: str | Sequence[str] | None = None,
        offset: int = 0,
        limit: int | None = 1000,
    ) -> Iterator[tuple[int, Iterator[Placed]]]:
        """Give what retrieve() does, point by point, while the block lasts; memory stays flat.

        A limit of None is none. This form reads page after page: what changes meanwhile may show.
        """
        stop = sys.maxsize if limit is None else offset + limit

        def page(start: int) -> dict[str, Any]:
            return self.retrieve(
                begin=begin,
                end=end,
                filters=filters,
                metric_types=metric_types,
                offset=start,
                limit=min(STREAMED_AT_ONCE, stop - start),
            )

        first = page(offset)
        total = first["total"]

        def points() -> Iterator[Placed]:
            found, start, before = first, offset, offset - 1
            while start > before:
                before = start
                for frame in found["dataframes"]:
                    for metric, point in frame.iterpoints():
                        yield Placed(frame.start, frame.end, metric, point)
                        start += 1
                if start >= min(total, stop):
                    return
                found = page(start)

        yield total, points()

    @abc.abstractmethod
    def total(
        self,
        groupby: Sequence[str] | None = None,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        metric_types: str | Sequence[str] | None = None,
        filters: Mapping[str, Any] | None = None,
        custom_fields: str | None = DEFAULT_FIELDS,
        offset: int = 0,
        limit: int = 1000,
        paginate: bool = True,  # noqa: FBT001, FBT002 - plugin interface
    ) -> dict[str, Any]:
        """Give ``{"total": rows, "results": [row]}`` (5.6)."""

    def total_at_most(self, most: int, **question: Any) -> dict[str, Any]:
        """Give what total() does for `question`, its arguments; TooManyRows for more than `most`.

        Rows of all pages count. This form looks when all is done.
        """
        found = self.total(**question)
        if found["total"] > most:
            raise TooManyRows
        return found

    @contextmanager
    def series_sums(
        self,
        begin: dt.datetime,
        end: dt.datetime,
        cuts: Sequence[dt.datetime] = (),
        *,
        scopes: Collection[str] | None = None,
        posted_apart: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[Iterator[SeriesSums]]:
        """Give the sums of each series in [begin, end) while the block lasts; memory stays flat.

        Series of a scope come in a row. `cuts`, ascending and inside, divide the interval into
        stretches, whose points are summed apart (begins of periods count); with `posted_apart`
        also those of periods that nobody rated. With `scopes` only their series, and those that
        name no single scope. Optional: for questions about all usage. Raises Unsupported.
        """
        self._refuse("sums by series")
        yield  # a generator, so that it is raised when the block begins

    @contextmanager
    def columns(
        self,
        begin: dt.datetime,
        end: dt.datetime,
        *,
        scopes: Collection[str] | None = None,
        ids: Collection[int] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[Iterator[list[Column]]]:
        """Give the points of series in [begin, end) while the block lasts; memory stays flat.

        They come in slices: all that some scopes have in some periods. `scopes` as in
        series_sums(); with `ids` only those series. Optional as well. Raises Unsupported.
        """
        self._refuse("points by series")
        yield

    def rounding(self) -> Callable[[Decimal], Decimal] | None:
        """Give what keeps so many digits after the point as storing a number does; None: all."""
        return None

    def digits(
        self, begin: dt.datetime, end: dt.datetime, ids: Collection[int]
    ) -> Mapping[int, int]:
        """Give by series how many digits after the point its quantities in [begin, end) have.

        Only of interest where numbers are rounded, and come back with more digits than they had.
        Optional: of a series that is left out nothing is known.
        """
        return {}

    def _refuse(self, what: str) -> NoReturn:
        name = self.conf.storage.backend
        raise Unsupported(f"{what} are not supported by storage backend '{name}'")

    @abc.abstractmethod
    def delete(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        """Delete points; each limit is optional (5.9)."""

    def commit(self, batch: Sequence[ScopeUsage], advance: Advance) -> Collection[str]:
        """Store the rated usage of a batch of scopes and move the scopes on.

        Gives the ids of the scopes that were moved. A backend that lives in the same SQL database
        does both in one transaction; this form, for any other, pushes first and moves then: when
        it dies in between, the same periods are pushed again, which replaces them (5.1.3).
        """
        for usage in batch:
            frames = usage.frames()
            if frames:
                self.push(frames, usage.scope_id)
        with db.session_for_write() as session:
            return advance(session)

    def replace(self, batch: Sequence[ScopeUsage], advance: Advance) -> Collection[str]:
        """Put the usage of a batch in the place of all that its scopes have in its periods.

        Gives the ids of the scopes that were moved. A backend that lives in the same SQL database
        does all in one transaction; this form, for any other, goes period by period, each deleted
        and pushed at once, and moves then: when it dies in between, all is done again.
        """
        for usage in batch:
            frames = {timeutils.to_epoch(frame.start): frame for frame in usage.frames()}
            for begin in usage.begins:
                self.delete(
                    timeutils.from_epoch(begin),
                    timeutils.from_epoch(begin + usage.period),
                    {self.conf.collect.scope_key: usage.scope_id},
                )
                if begin in frames:
                    self.push([frames[begin]], usage.scope_id)
        with db.session_for_write() as session:
            return advance(session)

    def rewind(self, filters: Mapping[str, Any], set_back: SetBack) -> bool:
        """Set a scope back and delete what matches `filters`, the scope, after its last period.

        Gives whether there was anything to do. A backend that lives in the same SQL database does
        both in one transaction. For any other, the deletion is done before the transaction ends:
        when it fails or the process dies, the scope is not set back, and all is done again.
        """
        with db.session_for_write() as session:
            last = set_back(session)
            if last is not None:
                self.delete(last + dt.timedelta(seconds=self.period), None, filters)
        return last is not None

    def count_recorded(
        self, scope_ids: Collection[str], begin: dt.datetime, end: dt.datetime
    ) -> Mapping[str, int]:
        """Give scope id -> number of periods of which the rule set is known, if there are any.

        Of periods that begin in [begin, end), the first of them at `begin`. This form asks
        ``provenance`` for each.
        """
        number = -((begin - end) // dt.timedelta(seconds=self.period))
        begins = [begin + n * dt.timedelta(seconds=self.period) for n in range(number)]
        found = {}
        for scope_id in scope_ids:
            known = self.provenance([(scope_id, at) for at in begins]).values()
            found[scope_id] = sum(one.rated and one.rules_version is not None for one in known)
        return found

    def provenance(
        self,
        periods: Collection[tuple[str, dt.datetime]],
    ) -> Mapping[tuple[str, dt.datetime], Provenance]:
        """Give where prices come from, for scope ids and begins of periods, as far as it is known.

        A backend that keeps no rule sets knows nothing: then prices are explained by present rules.
        What there is to keep is in ``ScopeUsage.rules_version`` in ``commit`` and ``replace``.
        """
        del periods
        return {}

    def get_tenants(
        self,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
    ) -> list[str]:
        """Give the identifiers of the scope-state table, one entry per row."""
        del begin, end
        with db.session_for_read() as session:
            return list(session.scalars(sa.select(_STATES.c.identifier).order_by(_STATES.c.id)))

    @staticmethod
    def get_retention() -> dt.timedelta:
        """Give ``[storage] retention_period``; informative."""
        return dt.timedelta(hours=cfg.CONF.storage.retention_period)

    def parse_groupby_syntax_to_groupby_elements(
        self,
        groupbys: Sequence[str] | None,
    ) -> Sequence[str] | None:
        """Give the groupby list with calendar aliases resolved (5.7).

        Raises werkzeug.exceptions.BadRequest for an unknown ``time-<x>``.
        """
        return query.resolve_aliases(groupbys) if groupbys else groupbys
