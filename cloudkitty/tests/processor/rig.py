# SPDX-License-Identifier: Apache-2.0
"""A worker with everything around it, in one process, on a real database."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Sequence

from cloudkitty import db, timeutils
from cloudkitty.collector.base import BaseCollector
from cloudkitty.processor import skip
from cloudkitty.processor.backoff import Backoff
from cloudkitty.processor.due import DueRule
from cloudkitty.processor.gather import Gatherer
from cloudkitty.processor.housekeeping import Housekeeping
from cloudkitty.processor.locks import Locks
from cloudkitty.processor.loop import Sizes, Tools
from cloudkitty.processor.notices import Notices
from cloudkitty.processor.pipeline import Pipeline
from cloudkitty.processor.planner import Planner
from cloudkitty.processor.resets import Resets
from cloudkitty.processor.scopes import Scopes
from cloudkitty.processor.sizes import Density
from cloudkitty.processor.stores import rated
from cloudkitty.processor.worker import Worker
from cloudkitty.rating.modules import Rating
from cloudkitty.state.lease import Leases
from cloudkitty.state.models import IdentifierState
from cloudkitty.state.scope import Origin, states_for
from cloudkitty.storage.v2.base import Advance
from cloudkitty.storage.v2.sqlalchemy import SQLAlchemyStorage
from cloudkitty.tests.processor.sources import Announced, MadeUp
from cloudkitty.usage import ScopeUsage

P = 3600
ORIGIN = Origin("project_id", "announced", "made-up")
#: Well inside a month; a period begins here.
NOW = timeutils.to_epoch(timeutils.parse_iso("2026-11-23T10:00:01"))
NEWEST = NOW - 1 - 2 * P


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Storage(SQLAlchemyStorage):
    """The real one, which a test can disturb right before a commit."""

    def __init__(self) -> None:
        super().__init__(period=P)
        self.before = lambda _batch: None

    def commit(self, batch: Sequence[ScopeUsage], advance: Advance) -> Collection[str]:
        self.before(batch)
        return super().commit(batch, advance)

    def replace(self, batch: Sequence[ScopeUsage], advance: Advance) -> Collection[str]:
        self.before(batch)
        return super().replace(batch, advance)


class Rig:
    """A worker with everything around it."""

    def __init__(
        self,
        scopes: list[str],
        name: str = "one",
        locks: str = "",
        source: BaseCollector | None = None,
        **sizes: int,
    ) -> None:
        """`source` is asked in place of `collector`, which makes everything up."""
        self.stop = threading.Event()
        self.clock = Clock()
        self.collector = MadeUp()
        self.fetcher = Announced(scopes)
        self.storage = Storage()
        self.density = Density(500_000)
        self.expressions: dict[str, skip.SkipExpression] = {}
        self.backoff = Backoff(P)
        notices = Notices()
        self.pipeline = Pipeline(
            Gatherer(source or self.collector, self.density, self.stop, threads=4, timeout=30),
            Rating(),
            self.expressions,
            self.stop,
        )
        leases = Leases(name, 600, self.clock)
        self.locks = Locks(leases, ORIGIN, locks, notices)
        self.reset_locks = Locks(Leases(f"{name}-r", 600, self.clock), ORIGIN, locks, notices)
        self.resets = Resets(
            ORIGIN, P, self.storage, self.reset_locks, notices, self.stop, self.clock
        )
        self.tools = Tools(
            self.locks,
            self.pipeline,
            self.backoff,
            self.density,
            notices,
            Sizes(sizes.get("batch_scopes", 200), sizes.get("batch_periods", 24), 600),
            self.stop,
            self.clock,
        )
        self.worker = Worker(
            0,
            self.tools,
            ORIGIN,
            Scopes(self.fetcher, notices, ORIGIN, P),
            Planner(DueRule(P, 2), self.backoff),
            rated(self.storage, ORIGIN),
            Housekeeping(self.storage, self.stop, enabled=True),
        )

    def rounds(self, most: int = 100) -> float:
        """Work until there is nothing to do; gives the seconds to sleep."""
        for _ in range(most):
            seconds = self.worker.round()
            if seconds:
                return seconds
        raise AssertionError("never idle")


def seed(names: list[str], periods: int, *, active: bool = True) -> None:
    with db.session_for_write() as session:
        session.add_all(
            IdentifierState(
                identifier=name,
                scope_key=ORIGIN.scope_key,
                fetcher=ORIGIN.fetcher,
                collector=ORIGIN.collector,
                last_processed_timestamp=timeutils.naive_utc(
                    timeutils.from_epoch(NEWEST - periods * P),
                ),
                active=active,
            )
            for name in names
        )


def lasts() -> dict[str, int]:
    """Scope -> how many periods it lags."""
    return {
        name: (NEWEST - timeutils.to_epoch(state.last_processed)) // P
        for name, state in states_for(ORIGIN).items()
    }


def stored() -> Counter[tuple[str, int]]:
    """(scope, begin) -> number of points; each point must be there once."""
    frames = SQLAlchemyStorage(period=P).retrieve(
        begin=timeutils.from_epoch(NOW - 40 * 86400),
        end=timeutils.from_epoch(NOW),
        paginate=False,
    )["dataframes"]
    points = Counter(
        (point.groupby["project_id"], timeutils.to_epoch(frame.start), metric, point.groupby["id"])
        for frame in frames
        for metric, point in frame.iterpoints()
    )
    assert set(points.values()) <= {1}
    return Counter((scope, begin) for scope, begin, _metric, _id in points)
