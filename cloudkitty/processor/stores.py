# SPDX-License-Identifier: Apache-2.0
"""The last step of a batch: points and progress, together.

Both forms lock the states of the scopes before anything is written, so that rating, rating again
and resetting one scope take turns whatever becomes of their leases.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.orm import Session

from cloudkitty.processor.pipeline import Store
from cloudkitty.processor.planner import Batch
from cloudkitty.state import schedule, scope
from cloudkitty.state.scope import Move, Origin
from cloudkitty.storage.v2.base import BaseStorage
from cloudkitty.timeutils import from_epoch, to_epoch
from cloudkitty.usage import ScopeUsage


def rated(storage: BaseStorage, origin: Origin) -> Store:
    """Store periods that are rated for the first time: the states of the scopes move."""

    def store(part: Sequence[ScopeUsage], batch: Batch) -> Collection[str]:
        moves = [Move(u.scope_id, batch.scopes[u.scope_id], u.begins[-1]) for u in part]

        def advance(session: Session) -> Collection[str]:
            return scope.advance(session, origin, moves)

        return storage.commit(part, advance)

    return store


def rated_again(
    storage: BaseStorage,
    origin: Origin,
    schedules: Mapping[str, schedule.Schedule],
) -> Store:
    """Replace periods: the schedules move, those given by scope id, and the states do not.

    A scope that was switched off meanwhile, or set back behind the periods, is left alone.
    """

    def store(part: Sequence[ScopeUsage], batch: Batch) -> Collection[str]:
        del batch

        def advance(session: Session) -> Collection[str]:
            active = scope.lock_active(session, origin, [usage.scope_id for usage in part])
            return {
                usage.scope_id
                for usage in sorted(part, key=lambda usage: usage.scope_id)
                if usage.scope_id in active
                and to_epoch(active[usage.scope_id].last_processed) >= usage.begins[-1]
                and schedule.progress(
                    session,
                    schedules[usage.scope_id],
                    from_epoch(usage.begins[-1]),
                )
            }

        return storage.replace(part, advance)

    return store
