# SPDX-License-Identifier: Apache-2.0
"""Where to cut an interval, so that all points of a series in a piece are treated alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from cloudkitty import timeutils
from cloudkitty.rating.coverage import matching
from cloudkitty.rating.hashmap.rules import Rules
from cloudkitty.simulation.groups import Groups


def cuts(rules: Rules, groups: Groups, first: int, stop: int) -> list[int]:
    """Give the seconds in [first, stop), but for `first`, from which on something is different.

    That is: other rules are in force, or points belong to another group.
    """
    # At a change of the clock it may become earlier, so that rules are in force once more.
    moments = {start for start, _offset in timeutils.utc_offsets(first, stop)}
    moments.update(matching.cuts(rules, first, stop))
    if groups.date_names:
        moments.update(_midnights(groups.date_names, first, stop))
    if groups.bucket:
        begin = first - first % groups.bucket + groups.bucket
        moments.update(range(begin, stop, groups.bucket))
    return sorted(moment for moment in moments if first < moment < stop)


def _midnights(names: Collection[str], first: int, stop: int) -> set[int]:
    """Give the local midnights at which one of these date keys changes."""
    found: set[int] = set()
    zone = timeutils.local_timezone()
    day = timeutils.as_local(timeutils.from_epoch(first)).date()
    before = timeutils.calendar_keys(first)
    while True:
        day += dt.timedelta(days=1)
        midnight = timeutils.to_epoch(dt.datetime.combine(day, dt.time(), zone))
        if midnight >= stop:
            return found
        keys = timeutils.calendar_keys(midnight)
        if any(keys[name] != before[name] for name in names):
            found.add(midnight)
        before = keys
