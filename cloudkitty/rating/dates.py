# SPDX-License-Identifier: Apache-2.0
"""Dates of rules: naive, by the wall clock of this host (contract api.md 3.5, rating.md 3)."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from cloudkitty import timeutils

_OFFSET: Final = re.compile(r"[Zz+-]")
_LONGEST: Final = 50
_DAY_END: Final = dt.time(23, 59, 59)


def local_now() -> dt.datetime:
    """Give the present as the wall clock of this host, the clock of rule dates."""
    return timeutils.naive_local(dt.datetime.now(dt.UTC))


def parse(value: str, *, end_of_day: bool = False) -> dt.datetime:
    """Read a date of a rule as host-local wall clock (contract api.md 3.5, D8).

    An offset is converted; without one it is wall clock already. A date alone is its first
    instant, or 23:59:59 with `end_of_day`. Raises ValueError unless it is ISO 8601.
    """
    if len(value) > _LONGEST:
        raise ValueError("not an ISO 8601 date: too long")
    moment = timeutils.parse_iso(value)
    parts = re.split("[Tt ]", value.strip(), maxsplit=1)
    if len(parts) == 1:
        wall_clock = moment.replace(tzinfo=None)
        return dt.datetime.combine(wall_clock, _DAY_END) if end_of_day else wall_clock
    if _OFFSET.search(parts[1]):
        return timeutils.naive_local(moment)
    return moment.replace(tzinfo=None)
