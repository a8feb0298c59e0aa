# SPDX-License-Identifier: Apache-2.0
"""The one place that knows about time: aware UTC inside, local time only at the edges.

"Local" is the time zone of the process (``TZ``, ``/etc/localtime``), read once and changed only by
:func:`set_local_timezone` (tests). The contract names every edge where local time shows: the API's
v2 dates, rule windows, the calendar keys of data points, and the month a new scope starts in.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Final

import tzlocal
from dateutil import parser as dateparser

UTC: Final = dt.UTC
SECONDS_PER_DAY: Final = 86400
#: No zone changes its offset twice in so many seconds.
_STEP: Final = 6 * 3600

_local: dt.tzinfo = tzlocal.get_localzone()

# At least year, month and day; "T" or a blank before the time (contract api.md 3.5, D8).
_ISO_SHAPE: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2}|\d{8})"
    r"([T ]\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?\s*(Z|z|[+-]\d{2}(:?\d{2})?)?)?",
)


def local_timezone() -> dt.tzinfo:
    """Give the time zone of this process."""
    return _local


def set_local_timezone(tz: dt.tzinfo) -> None:
    """Replace the process's time zone; for tests that play a host elsewhere."""
    global _local  # noqa: PLW0603 - the zone is a property of the process
    _local = tz
    calendar_keys.cache_clear()


def utcnow() -> dt.datetime:
    """Give the present instant, aware, UTC, whole seconds."""
    return dt.datetime.now(UTC).replace(microsecond=0)


def as_utc(when: dt.datetime) -> dt.datetime:
    """Give the same instant in UTC; a naive datetime is taken as UTC."""
    if when.tzinfo is None:
        return when.replace(tzinfo=UTC)
    return when.astimezone(UTC)


def as_local(when: dt.datetime) -> dt.datetime:
    """Give the same instant in the local zone; a naive datetime is taken as UTC."""
    return as_utc(when).astimezone(_local)


def naive_utc(when: dt.datetime) -> dt.datetime:
    """Give the same instant as naive UTC, the form of the state tables' columns."""
    return as_utc(when).replace(tzinfo=None)


def naive_local(when: dt.datetime) -> dt.datetime:
    """Give the same instant as naive local wall clock, the form of rule windows (rating.md 3)."""
    return as_local(when).replace(tzinfo=None)


def to_epoch(when: dt.datetime) -> int:
    """Give whole seconds since the epoch; fractions are dropped, naive is UTC."""
    return int(as_utc(when).replace(microsecond=0).timestamp())


def from_epoch(seconds: int) -> dt.datetime:
    """Give the instant as aware UTC."""
    return dt.datetime.fromtimestamp(seconds, UTC)


def parse_iso(text: str) -> dt.datetime:
    """Read an ISO 8601 date or date and time; without an offset it is UTC.

    Extended and basic forms, ``T`` or a blank before the time (contract api.md 3.5). Microseconds
    are kept. Raises ValueError when the text is no such date.
    """
    text = text.strip()
    if not _ISO_SHAPE.fullmatch(text):
        raise ValueError(f"not an ISO 8601 date: {text!r}")
    try:
        return as_utc(dateparser.isoparse(text.replace(" ", "T", 1).replace(" ", "")))
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"not an ISO 8601 date: {text!r}") from exc


def month_start(when: dt.datetime) -> dt.datetime:
    """Give the first instant of the local month that holds `when`, local zone."""
    return as_local(when).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month_start(when: dt.datetime) -> dt.datetime:
    """Give the first instant of the local month after the one that holds `when`, local zone."""
    first = as_local(when).replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    following = (first + dt.timedelta(days=32)).replace(day=1)
    return following.replace(tzinfo=_local)


def utc_offsets(first: int, stop: int) -> list[tuple[int, int]]:
    """Give the offsets of the local zone in [first, stop): (from which second on, seconds).

    Ascending; the first is that at `first`.
    """
    found = [(first, utc_offset(first))]
    for at in range(first + _STEP, stop + _STEP, _STEP):
        offset = utc_offset(at)
        if offset != found[-1][1]:
            found.append((_change(at - _STEP, at), offset))
    return found


def utc_offset(at: int) -> int:
    """Give the seconds that the local clock is before UTC at an instant."""
    local = dt.datetime.fromtimestamp(at, _local)
    return round((local.utcoffset() or dt.timedelta()).total_seconds())


def _change(before: int, after: int) -> int:
    """Give the first instant with the offset that `after` has."""
    target = utc_offset(after)
    while after - before > 1:
        middle = (before + after) // 2
        if utc_offset(middle) == target:
            after = middle
        else:
            before = middle
    return after


@lru_cache(maxsize=100_000)
def calendar_keys(begin: int) -> dict[str, str]:
    """Give the date keys that collectors add to every point (contract collect.md 2.0).

    `begin` is the period's start, epoch seconds; the keys follow its local wall clock. The dict
    is shared: callers must not change it.
    """
    local = dt.datetime.fromtimestamp(begin, _local)
    return {
        "week_of_the_year": local.strftime("%U"),
        "day_of_the_year": str(local.timetuple().tm_yday),
        "month": str(local.month),
        "year": local.strftime("%Y"),
    }


CALENDAR_NAMES: Final = ("week_of_the_year", "day_of_the_year", "month", "year")
