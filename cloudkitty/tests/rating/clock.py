# SPDX-License-Identifier: Apache-2.0
"""A clock for whoever changes rules: what is done when is up to the test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cloudkitty import timeutils
from cloudkitty.db.changes import writing
from cloudkitty.rating import dates


class Clock:
    """Tells the time that it was set to."""

    def __init__(self, now: dt.datetime) -> None:
        self.now = now

    def local(self) -> dt.datetime:
        return timeutils.naive_local(self.now)

    def microseconds(self) -> int:
        return writing.microseconds(self.now)


@contextmanager
def ticking(now: dt.datetime) -> Iterator[Clock]:
    """Have dates of rules and of the audit log come from a clock."""
    clock = Clock(now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dates, "local_now", clock.local)
        patch.setattr(writing, "_now", clock.microseconds)
        yield clock
