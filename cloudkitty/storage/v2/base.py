# SPDX-License-Identifier: Apache-2.0
"""The storage plugin interface (storage.md 2), namespace ``cloudkitty.storage.v2.backends``.

What every backend has in common (sections 5.2 to 5.9: default interval, filters, calendar aliases,
custom fields, paging, order, row shape) is worked out in :mod:`cloudkitty.storage.v2.query` for our
own drivers; drivers of others keep receiving the arguments as callers give them.
"""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.orm import Session

from cloudkitty import db
from cloudkitty.dataframe import DataFrame
from cloudkitty.usage import ScopeUsage

DEFAULT_FIELDS: Final = "SUM(qty) AS qty, SUM(price) AS rate"

# The scope states belong to cloudkitty.state; only the names are asked for here.
_STATES: Final = sa.table("cloudkitty_storage_states", sa.column("id"), sa.column("identifier"))

#: Moves the scopes of a batch on, in the session given, and gives those it could move.
#: It is a compare-and-set: a scope that somebody else has moved meanwhile is left out.
Advance = Callable[[Session], Collection[str]]


class BaseStorage(abc.ABC):
    """Keeps rated data frames and answers questions about them; safe for several threads."""

    TIME_COMMANDS_MAP: Final[Mapping[str, str]] = {
        "d": "day_of_the_year",
        "w": "week_of_the_year",
        "m": "month",
        "y": "year",
    }

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
        from cloudkitty.storage.v2.query import resolve_aliases

        return resolve_aliases(groupbys) if groupbys else groupbys
