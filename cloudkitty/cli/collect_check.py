# SPDX-License-Identifier: Apache-2.0
"""What ``cloudkitty-status collect check`` does: ask the configured sources as the processor would.

The fetcher is asked for the scopes, the collector for every metric of one scope and one period.
Nothing is stored, and neither the database nor the message bus is needed. ``collect_report`` shows
what was found.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from typing import Final

from oslo_config import cfg

from cloudkitty import service, timeutils
from cloudkitty.collector import metrics
from cloudkitty.collector.base import (
    BaseCollector,
    BatchFailure,
    BatchQuery,
    CollectError,
    get_collector,
)
from cloudkitty.fetcher.base import get_fetcher
from cloudkitty.processor import skip
from cloudkitty.processor.due import DueRule
from cloudkitty.usage import Series

#: Scopes that are looked at, in questions for so many, to find one with data.
MOST_SCOPES: Final = 500
SCOPES_AT_ONCE: Final = 50
_THREADS: Final = 8
_LABELS: Final = 12


class Level(IntEnum):
    """How bad something is; the worst is the exit status."""

    FINE = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say; a note (level FINE) is nothing wrong."""

    level: Level
    text: str


@dataclass(slots=True)
class MetricCheck:
    """What one metric of metrics.yml gave."""

    key: str
    name: str
    unit: str
    request: str = ""
    points: int = 0
    skipped: int = 0
    quantity: Decimal = Decimal(0)
    labels: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The worst of its findings."""
        return max((one.level for one in self.findings), default=Level.FINE)


@dataclass(slots=True)
class Report:
    """Everything that was found; what could not be had is None."""

    collector: str
    fetcher: str
    scope_key: str
    period: int
    scopes: int | None = None
    fetcher_seconds: float = 0.0
    scope: str | None = None
    begin: dt.datetime | None = None
    end: dt.datetime | None = None
    metrics: list[MetricCheck] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The worst of all findings."""
        found = [one.level for one in self.findings] + [one.level for one in self.metrics]
        return max(found, default=Level.FINE)

    def add(self, level: Level, text: str) -> None:
        """Note something that is not about one metric."""
        finding = Finding(level, _line(text))
        if finding not in self.findings:
            self.findings.append(finding)


def check(
    conf: cfg.ConfigOpts, scope: str | None, begin: dt.datetime | None, now: dt.datetime
) -> Report:
    """Try fetcher and collector; whatever is wrong is in the report.

    `scope` None: the first one with data; `begin` None: the last period that is over at `now`.
    """
    report = Report(
        conf.collect.collector, conf.fetcher.backend, conf.collect.scope_key, conf.collect.period
    )
    report.begin = begin or _last_complete(conf, now)
    report.end = report.begin + dt.timedelta(seconds=report.period)
    if report.end > now:
        report.add(Level.WARNING, "the period is not over yet")
    with _warnings(report):
        scopes = _scopes(conf, report)
        collector = _collector(conf, report)
        expressions = _expressions(conf, report, collector) if collector else {}
        if collector and (scope or scopes):
            run = _Run(report, collector, expressions, scopes or [])
            run.choose(scope)
            run.ask_all()
    return report


def _last_complete(conf: cfg.ConfigOpts, now: dt.datetime) -> dt.datetime:
    """Give the begin of the newest period that is over, on the grid of a scope that is new."""
    period: int = conf.collect.period
    seconds = timeutils.to_epoch(now)
    first = DueRule(period, conf.collect.wait_periods).first(seconds)
    return timeutils.from_epoch(first + ((seconds - first) // period - 1) * period)


def _scopes(conf: cfg.ConfigOpts, report: Report) -> list[str] | None:
    started = time.monotonic()
    try:
        fetcher = get_fetcher(conf)
        scopes = [one for one in dict.fromkeys(fetcher.get_tenants()) if one]
    except Exception as exc:  # noqa: BLE001 - a plug-in may raise anything: it is what we look for
        report.add(Level.ERROR, f"[fetcher] backend = {report.fetcher}: {_said(exc)}")
        return None
    report.fetcher_seconds = time.monotonic() - started
    report.scopes = len(scopes)
    if not scopes:
        report.add(
            Level.ERROR, f"fetcher {report.fetcher} knows no scope, so nothing would be rated"
        )
    return scopes


def _collector(conf: cfg.ConfigOpts, report: Report) -> BaseCollector | None:
    try:
        return get_collector(conf, metrics.load(conf.collect.metrics_conf))
    except metrics.InvalidConfiguration as exc:
        for error in exc.errors:
            report.add(Level.ERROR, error)
    except Exception as exc:  # noqa: BLE001 - as above
        report.add(Level.ERROR, f"[collect] collector = {report.collector}: {_said(exc)}")
    return None


def _expressions(
    conf: cfg.ConfigOpts, report: Report, collector: BaseCollector
) -> dict[str, skip.SkipExpression]:
    default = conf.orchestrator.skip_datapoints_expression
    try:
        return skip.expressions(collector.conf, default)
    except skip.InvalidExpression as exc:
        report.add(Level.ERROR, f"{conf.collect.metrics_conf}: {exc}")
        return {}


class _Run:
    """One collector being asked; fills the report."""

    def __init__(
        self,
        report: Report,
        collector: BaseCollector,
        expressions: Mapping[str, skip.SkipExpression],
        scopes: list[str],
    ) -> None:
        assert report.begin is not None
        self._report = report
        self._collector = collector
        self._expressions = expressions
        self._scopes = scopes
        self._begin = timeutils.to_epoch(report.begin)

    def choose(self, scope: str | None) -> None:
        """Settle on the scope that is looked at."""
        report = self._report
        if scope is None:
            report.scope = self._first_with_data()
            return
        report.scope = scope
        if report.scopes is not None and scope not in self._scopes:
            report.add(
                Level.WARNING,
                f"scope {scope} is not among the {report.scopes} that fetcher {report.fetcher} "
                "knows: it would not be rated",
            )

    def ask_all(self) -> None:
        """Ask for every metric, several at a time: a source that hangs does so once."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="check") as pool:
            self._report.metrics += pool.map(self._ask, self._collector.conf)

    def _first_with_data(self) -> str:
        scopes = self._scopes[:MOST_SCOPES]
        for first in range(0, len(scopes), SCOPES_AT_ONCE):
            some = scopes[first : first + SCOPES_AT_ONCE]
            for key in self._collector.conf:
                found = self._batch(key, some)
                if found:
                    return found[0]
        self._report.add(
            Level.WARNING, f"none of the first {len(scopes)} scopes has any data in this period"
        )
        return scopes[0]

    def _batch(self, key: str, scopes: list[str]) -> list[str]:
        """Give the scopes that have points of a metric; what fails is met again by :meth:`_ask`."""
        query = BatchQuery(scopes, [self._begin], self._report.period)
        try:
            found = self._collector.fetch_batch(key, query)
        except BatchFailure as exc:
            found = exc.series
        except Exception:  # noqa: BLE001 - as above
            return []
        return [scope for scope in scopes if any(one.begins for one in found.get(scope, ()))]

    def _ask(self, key: str) -> MetricCheck:
        definition = self._collector.conf[key]
        result = MetricCheck(key, metrics.frame_name(key, definition), definition["unit"])
        scope = self._report.scope or ""
        times = [
            timeutils.as_local(timeutils.from_epoch(at))
            for at in (self._begin, self._begin + self._report.period)
        ]
        started = time.monotonic()
        try:
            result.request = self._collector.explain_request(key, times[0], times[1], scope)
            query = BatchQuery([scope], [self._begin], self._report.period)
            series = self._collector.fetch_batch(key, query).get(scope, [])
        except BatchFailure as exc:
            _note(result, Level.ERROR, exc.failed.get(scope, str(exc)))
            return result
        except Exception as exc:  # noqa: BLE001 - as above
            _note(result, Level.ERROR, _said(exc))
            return result
        finally:
            result.seconds = time.monotonic() - started
        self._count(result, series)
        if not result.points and not result.skipped:
            self._absent(result, times)
        return result

    def _count(self, result: MetricCheck, series: list[Series]) -> None:
        """Sum up, look at the labels, and leave out what the processor would."""
        self._look_at_labels(result, series)
        expression = self._expressions.get(result.key)
        for one in series:
            if expression is not None:
                result.skipped += skip.drop(one, expression)
            result.points += len(one.begins)
            result.quantity += sum(one.qtys, Decimal(0))
        kept = next((one for one in series if one.begins), None)
        if kept is not None:
            labels = {**kept.groupby, **kept.metadata}
            labels.pop(self._report.scope_key, None)
            shown = list(labels.items())[:_LABELS]
            result.labels = {name: "" if value is None else str(value) for name, value in shown}
        if result.skipped:
            text = f"left out by skip_datapoints_expression: {result.skipped}"
            worst = Level.FINE if result.points else Level.WARNING
            _note(result, worst, text + ("" if result.points else ", all there are"))

    def _look_at_labels(self, result: MetricCheck, series: list[Series]) -> None:
        seen = [{**one.groupby, **one.metadata} for one in series if one.begins]
        names = dict.fromkeys(name for labels in seen for name in labels)
        for name in names:
            if all(labels.get(name) in {None, ""} for labels in seen):
                _note(
                    result,
                    Level.WARNING,
                    f"label {name} is empty on all points: the source does not have it",
                )

    def _absent(self, result: MetricCheck, times: list[dt.datetime]) -> None:
        """Say why there are no points: nothing is wrong when other scopes have some."""
        scope = self._report.scope or ""
        others = [one for one in self._scopes if one != scope][:SCOPES_AT_ONCE]
        having = self._batch(result.key, others) if others else []
        if having:
            _note(result, Level.FINE, f"no points in this scope; {having[0]} has some")
            return
        try:
            why = self._collector.explain_absence(result.key, times[0], times[1], scope)
        except Exception as exc:  # noqa: BLE001 - as above
            why = _said(exc)
        _note(result, Level.WARNING, f"no points: {why}" if why else "no points")


def _note(result: MetricCheck, level: Level, text: str) -> None:
    # The metric is named beside.
    result.findings.append(Finding(level, _line(text).removeprefix(f"metric '{result.key}': ")))


def _said(exc: BaseException) -> str:
    """Give what an exception says, with its type where that is part of what it says."""
    text = _line(str(exc))
    known = isinstance(exc, cfg.Error | service.Refused | CollectError)
    return text if known and text else f"{type(exc).__name__}: {text}"


def _line(text: str) -> str:
    return " ".join(text.split())


class _Collecting(logging.Handler):
    """Takes what the product warns of while it works."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.WARNING)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report.add(Level.WARNING, record.getMessage())


@contextmanager
def _warnings(report: Report) -> Iterator[None]:
    """Have warnings of our own code in the report in place of standard error."""
    logger = logging.getLogger("cloudkitty")
    handler = _Collecting(report)
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)
