# SPDX-License-Identifier: Apache-2.0
"""How far rating has come, from ``GET /v2/scope``."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass

from cloudkitty.demo.run.client import Api
from cloudkitty.demo.run.settings import PERIOD, Settings

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `scopes` have everything that is due; nobody is behind `oldest`."""

    done: int
    scopes: int
    oldest: dt.datetime | None

    @property
    def complete(self) -> bool:
        """Say whether all that is due has been rated."""
        return 0 < self.scopes <= self.done


def last_due(settings: Settings, now: float | None = None) -> dt.datetime:
    """Give the begin of the newest period that is due, for periods that start on the hour."""
    at = time.time() if now is None else now
    begin = (int(at) - 1) // PERIOD * PERIOD - settings.wait_periods * PERIOD
    return dt.datetime.fromtimestamp(begin, dt.UTC)


def look(api: Api, settings: Settings, scopes: int) -> Progress:
    """Ask how far it has come; at least `scopes` are expected."""
    due = last_due(settings)
    reached: list[dt.datetime] = []
    while True:
        page = api.get("/v2/scope", limit=_PAGE, offset=len(reached), active=1)
        states = page.get("results", [])
        reached += [dt.datetime.fromisoformat(one["last_processed_timestamp"]) for one in states]
        if len(states) < _PAGE:
            break
    if due < month_start():
        # The month is too young for anything to be due.
        return Progress(len(reached) or scopes, max(scopes, len(reached)), None)
    done = sum(1 for one in reached if one >= due)
    oldest = min(reached) if len(reached) >= scopes else None
    return Progress(done, max(scopes, len(reached)), oldest)


def month_start() -> dt.datetime:
    """Give the begin of this month on this machine: where rating begins."""
    return dt.datetime.now().astimezone().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
