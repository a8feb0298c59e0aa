# SPDX-License-Identifier: Apache-2.0
"""Runs scripts on the frames of a job; knows nothing of processes and pipes.

A job is what one scope used in some periods, by series; see :class:`Job`. An answer is a dict that
can be written as JSON: for each period either the prices alone, or, where a script changed more,
the frame.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import CodeType, TracebackType
from typing import Any, Final, NamedTuple

from cloudkitty.sandbox import frames
from cloudkitty.sandbox.frames import Frame, Labels, Point, RefusedError
from cloudkitty.sandbox.guard import Guard

_LONGEST_TEXT: Final = 500


class Source(NamedTuple):
    """A script; `key` stands for its version."""

    key: str
    name: str
    code: bytes


class Series(NamedTuple):
    """One resource: `periods`, `qtys` and `prices` run in parallel, numbers are texts."""

    metric: str
    unit: str
    groupby: dict[str, Any]
    metadata: dict[str, Any]
    #: Whether the date keys of the period are among the labels.
    calendar: bool
    periods: Sequence[int]
    qtys: Sequence[str]
    prices: Sequence[str]


class Period(NamedTuple):
    """A period, its date keys, and the keys of its scripts in order."""

    begin: dt.datetime
    end: dt.datetime
    calendar: dict[str, str]
    scripts: tuple[str, ...]


class Job(NamedTuple):
    """What is to be rated; `movable` says whether a script may change the period."""

    periods: Sequence[Period]
    series: Sequence[Series]
    movable: bool


def wire(job: Job) -> tuple[Any, ...]:
    """Give a job as it travels: plain tuples are quicker to write and to read than named ones."""
    return [*map(tuple, job.periods)], [*map(tuple, job.series)], job.movable


def unwire(job: tuple[Any, ...]) -> Job:
    """Give the job that has travelled."""
    periods, series, movable = job
    return Job([Period(*each) for each in periods], [Series(*each) for each in series], movable)


#: Called before each script with the numbers of period and script.
Progress = Callable[[int, int], None]


class _Failed(Exception):  # noqa: N818 - carries an answer
    def __init__(self, name: str, line: int | None, text: str) -> None:
        super().__init__(text)
        self.answer = {"script": name, "line": line, "text": text}


class _Slot(NamedTuple):
    """What a point looked like before the scripts."""

    unit: str
    qty: Decimal
    groupby: Labels
    metadata: Labels


class Engine:
    """Scripts by key, compiled when they are first needed and kept as long as they are in use."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._sources: dict[str, Source] = {}
        self._compiled: dict[str, CodeType] = {}

    def use(self, sources: Sequence[Source]) -> None:
        """Take these scripts instead of those before; compiled ones stay if they are among them."""
        self._sources = {source.key: source for source in sources}
        self._compiled = {k: code for k, code in self._compiled.items() if k in self._sources}

    def check(self, source: Source) -> dict[str, Any] | None:
        """Compile a script; gives what is wrong with it."""
        try:
            _compile(source)
        except _Failed as exc:
            return exc.answer
        return None

    def rate(self, job: Job, progress: Progress) -> dict[str, Any]:
        """Run the scripts of each period; gives ``periods``, or ``error`` and where it was."""
        slots: list[list[tuple[Series, int]]] = [[] for _ in job.periods]
        for series in job.series:
            for position, number in enumerate(series.periods):
                slots[number].append((series, position))
        labels = {id(s): (Labels(s.groupby), Labels(s.metadata)) for s in job.series}
        out: list[Any] = []
        try:
            for number, period in enumerate(job.periods):
                out.append(self._rate(job, number, period, slots[number], labels, progress))
        except _Failed as exc:
            return {"error": {**exc.answer, "period": len(out)}}
        return {"periods": out}

    def _rate(
        self,
        job: Job,
        number: int,
        period: Period,
        slots: Sequence[tuple[Series, int]],
        labels: Mapping[int, tuple[Labels, Labels]],
        progress: Progress,
    ) -> Any:
        usage: dict[str, list[Any]] = {}
        given: dict[str, list[_Slot]] = {}
        for series, position in slots:
            groupby, metadata = labels[id(series)]
            if series.calendar:
                groupby = groupby.with_(period.calendar)
            qty = Decimal(series.qtys[position])
            usage.setdefault(series.metric, []).append(
                {
                    "vol": {"unit": series.unit, "qty": qty},
                    "rating": {"price": Decimal(series.prices[position])},
                    "groupby": groupby.copy(),
                    "metadata": metadata.copy(),
                }
            )
            given.setdefault(series.metric, []).append(_Slot(series.unit, qty, groupby, metadata))
        data = {"period": {"begin": period.begin, "end": period.end}, "usage": usage}
        frame = None
        name = ""
        for index, key in enumerate(period.scripts):
            progress(number, index)
            name = self._sources[key].name
            frame = self._run(key, frame.as_dict() if frame else data, period)
            moved = (frame.begin, frame.end) != (period.begin, period.end)
            if moved and not job.movable:
                line = _last_line(self._sources[key])
                raise _Failed(name, line, "the period of stored usage cannot be changed")
        if frame is None:
            return [series.prices[position] for series, position in slots]
        same = (frame.begin, frame.end) == (period.begin, period.end)
        if same and _only_prices(given, frame.usage):
            # In the order of the series, as the slots are.
            found = {metric: iter(points) for metric, points in frame.usage.items()}
            return [str(next(found[series.metric]).price) for series, _ in slots]
        return _encoded(name, frame, moved=not same)

    def _run(self, key: str, data: dict[str, Any], period: Period) -> Frame:
        source = self._sources[key]
        code = self._compiled.get(key)
        if code is None:
            code = self._compiled[key] = _compile(source)
        try:
            with self._guard.script() as left:
                left["data"] = data
                exec(code, left)  # noqa: S102 - that is what this process is for
        except BaseException as exc:  # noqa: BLE001 - whatever a script may raise
            raise self._failed(source, exc) from None
        try:
            return frames.read(left, period.begin.tzinfo)
        except RefusedError as exc:
            raise self._failed(source, exc, _last_line(source)) from None
        except BaseException as exc:  # noqa: BLE001 - whatever a script may raise
            raise self._failed(source, exc) from None

    def _failed(self, source: Source, exc: BaseException, line: int | None = None) -> _Failed:
        text = _text(exc)
        if self._guard.printed.text:
            text += f"; printed: {_one_line(self._guard.printed.text[-_LONGEST_TEXT:])}"
        found = _line(exc.__traceback__, _file_name(source.name))
        return _Failed(source.name, found or line, text)


def _file_name(name: str) -> str:
    return f"<PyScripts: {name}>"


def _compile(source: Source) -> CodeType:
    name = _file_name(source.name).replace("\0", "")
    try:
        return compile(source.code, name, "exec", dont_inherit=True)
    except SyntaxError as exc:
        raise _Failed(source.name, exc.lineno or 1, f"{type(exc).__name__}: {exc.msg}") from None
    except (ValueError, MemoryError, RecursionError, OverflowError) as exc:
        raise _Failed(source.name, 1, _text(exc)) from None


def _line(traceback: TracebackType | None, file_name: str) -> int | None:
    """Give the innermost line of the script itself."""
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == file_name:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _last_line(source: Source) -> int:
    return max(1, len(source.code.splitlines()))


def _text(exc: BaseException) -> str:
    try:
        text = str(exc)
    except BaseException:  # noqa: BLE001 - it is the script's own
        text = "(its text could not be had)"
    if isinstance(exc, RefusedError):
        return _one_line(text)
    return _one_line(f"{type(exc).__name__}: {text}" if text else type(exc).__name__)


def _one_line(text: str) -> str:
    text = " ".join(text[: 2 * _LONGEST_TEXT].split())
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."


def _only_prices(given: Mapping[str, list[_Slot]], found: Mapping[str, list[Point]]) -> bool:
    """Whether a frame differs from what was given in its prices at most."""
    if given.keys() != found.keys():
        return False
    for metric, points in found.items():
        slots = given[metric]
        if len(slots) != len(points):
            return False
        for slot, point in zip(slots, points, strict=True):
            if (
                slot.unit != point.unit
                or (slot.qty is not point.qty and str(slot.qty) != str(point.qty))
                or not slot.groupby.unchanged(point.groupby)
                or not slot.metadata.unchanged(point.metadata)
            ):
                return False
    return True


def _encoded(name: str, frame: Frame, *, moved: bool) -> dict[str, Any]:
    try:
        usage = {
            metric: [
                [p.unit, str(p.qty), str(p.price), _plain(p.groupby), _plain(p.metadata)]
                for p in points
            ]
            for metric, points in frame.usage.items()
        }
        # Cycles, and numbers that no JSON can hold, are found here.
        json.dumps(usage)
    except (RefusedError, ValueError, RecursionError) as exc:
        raise _Failed(name, None, _text(exc)) from None
    period = [frame.begin.isoformat(), frame.end.isoformat()] if moved else None
    return {"period": period, "usage": usage}


def _plain(value: Any) -> Any:
    """Give a label's value as JSON can hold it; raises RefusedError for what cannot be stored."""
    if value is None or type(value) in {str, int, float, bool}:
        return value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise RefusedError(f"a label has the key {key!r}, which is no text")
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal | dt.datetime | dt.date):
        return str(value)
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise RefusedError(f"a label has a value of type {type(value).__name__}: it cannot be stored")
