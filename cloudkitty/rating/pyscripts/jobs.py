# SPDX-License-Identifier: Apache-2.0
"""From usage to jobs for scripts, and from their answers back to usage.

Labels and numbers travel once, by series. Usually the answer is prices; only where a script has
changed more does a whole frame come back.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from cloudkitty import timeutils
from cloudkitty.dataframe import DataFrame, DataPoint
from cloudkitty.sandbox.engine import Job, Period, Series
from cloudkitty.usage import ScopeUsage

#: What scripts have made of a job: for each period its prices, or the frame if more has changed.
Rated: TypeAlias = Sequence[list[Decimal] | DataFrame]


class NonsenseError(ValueError):
    """An answer is not what an answer has to be."""


def of_usage(usage: ScopeUsage, scripts: Callable[[int], tuple[str, ...]]) -> Job | None:
    """Give the job for a scope; None when no script is in force for what it used.

    `scripts` gives the keys of the scripts in force for the period that begins then.
    """
    begins = sorted(set().union(*(series.begins for series in usage.series)))
    keys = {begin: found for begin in begins if (found := scripts(begin))}
    if not keys:
        return None
    numbers = {begin: number for number, begin in enumerate(keys)}
    periods = [
        Period(
            _portable(timeutils.as_local(timeutils.from_epoch(begin))),
            _portable(timeutils.as_local(timeutils.from_epoch(begin + usage.period))),
            dict(timeutils.calendar_keys(begin)),
            found,
        )
        for begin, found in keys.items()
    ]
    every = len(keys) == len(begins)
    found_series = []
    # Most series have the same periods: one list for all of them.
    same: list[int] = []
    own: list[int] = []
    for series in usage.series:
        places = _places(series.begins, numbers, every=every)
        if series.begins != same:
            same = series.begins
            own = [numbers[same[place]] for place in places]
        if places:
            found_series.append(
                Series(
                    series.metric,
                    series.unit,
                    dict(series.groupby),
                    dict(series.metadata),
                    series.calendar,
                    own,
                    tuple(map(str, map(series.qtys.__getitem__, places))),
                    tuple(map(str, map(series.prices.__getitem__, places))),
                )
            )
    return Job(periods, found_series, movable=False)


def parsed(job: Job, answer: Mapping[str, Any]) -> Rated:
    """Read an answer; raises NonsenseError."""
    found = answer.get("periods")
    if not isinstance(found, list) or len(found) != len(job.periods):
        raise NonsenseError("an answer for other periods")
    counts = Counter(number for series in job.series for number in series.periods)
    out: list[list[Decimal] | DataFrame] = []
    for number, (period, each) in enumerate(zip(job.periods, found, strict=True)):
        if not isinstance(each, list):
            out.append(_frame(period, each))
        elif len(each) == counts[number]:
            out.append([_number(text) for text in each])
        else:
            raise NonsenseError("prices for other points")
    return out


def apply(usage: ScopeUsage, job: Job, rated: Rated) -> None:
    """Take over, in place, what scripts have made of `usage`."""
    begins = [timeutils.to_epoch(period.begin) for period in job.periods]
    prices = {b: iter(found) for b, found in zip(begins, rated, strict=True) if type(found) is list}
    for series in usage.series:
        if all(begin in prices for begin in series.begins):
            series.prices = [next(prices[begin]) for begin in series.begins]
        else:
            series.prices = [
                next(prices[begin]) if begin in prices else price
                for begin, price in zip(series.begins, series.prices, strict=True)
            ]
    frames = {b: f for b, f in zip(begins, rated, strict=True) if isinstance(f, DataFrame)}
    if frames:
        kept = [f for f in usage.frames() if timeutils.to_epoch(f.start) not in frames]
        usage.replace_from_frames(sorted([*kept, *frames.values()], key=lambda frame: frame.start))


def of_frame(frame: DataFrame, scripts: tuple[str, ...]) -> Job:
    """Give the job for one frame."""
    period = Period(_portable(frame.start), _portable(frame.end), {}, scripts)
    series = [
        Series(
            metric,
            point.unit,
            dict(point.groupby),
            dict(point.metadata),
            calendar=False,
            periods=[0],
            qtys=[str(point.qty)],
            prices=[str(point.price)],
        )
        for metric, point in frame.iterpoints()
    ]
    return Job([period], series, movable=True)


def rated_frame(frame: DataFrame, rated: Rated) -> DataFrame:
    """Give the frame that scripts have made of `frame`."""
    (found,) = rated
    if isinstance(found, DataFrame):
        return found
    out = DataFrame(frame.start, frame.end)
    for (metric, point), price in zip(frame.iterpoints(), found, strict=True):
        out.add_point(point.set_price(price), metric)
    return out


def _places(begins: Sequence[int], numbers: Mapping[int, int], *, every: bool) -> Sequence[int]:
    if every:
        return range(len(begins))
    return [place for place, begin in enumerate(begins) if begin in numbers]


def _portable(when: dt.datetime) -> dt.datetime:
    """Give the same moment with a zone that another process knows too."""
    zone = when.tzinfo
    if isinstance(zone, dt.timezone) or (isinstance(zone, zoneinfo.ZoneInfo) and zone.key):
        return when
    return when.astimezone(dt.timezone(when.utcoffset() or dt.timedelta()))


def _number(text: Any) -> Decimal:
    try:
        number = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        number = Decimal("NaN")
    if not isinstance(text, str) or not number.is_finite():
        raise NonsenseError(f"{str(text)[:60]!r} for a number")
    return number


def _frame(period: Period, found: Any) -> DataFrame:
    try:
        bounds = found["period"] or (period.begin, period.end)
        begin, end = (
            dt.datetime.fromisoformat(bound) if isinstance(bound, str) else bound
            for bound in bounds
        )
        usage = {
            str(metric): [
                DataPoint(str(unit), _number(qty), _number(price), groupby, metadata)
                for unit, qty, price, groupby, metadata in points
            ]
            for metric, points in found["usage"].items()
        }
        return DataFrame(begin, end, usage)
    except NonsenseError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise NonsenseError("a frame that is none") from exc
