# SPDX-License-Identifier: Apache-2.0
"""How ``cloudkitty-status collect check`` shows what it found: a table, or JSON for monitoring.

Whatever is shown goes through :class:`Secrets` first: errors come from libraries, requests from
plug-ins, and either may quote what it was configured with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Context
from typing import Any, Final

from oslo_config import cfg

from cloudkitty.cli.collect_check import Finding, Level, MetricCheck, Report

TITLE: Final = "Collect Check Results"
_WORDS: Final = {Level.FINE: "ok", Level.WARNING: "warning", Level.ERROR: "error"}
# The user part of a URL, as far as a URL can be told from other text.
_USERINFO: Final = re.compile(r"(?<=://)[^\s/@'\"]+@")
#: Shorter ones would be found in every other word.
_SHORTEST: Final = 4


class Secrets:
    """Replaces the values of secret options, and users and passwords in URLs."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Collect the secrets that `conf` knows now, those of plug-ins included."""
        found = {value for value in _secret_values(conf) if len(value) >= _SHORTEST}
        # Longest first: one may be a part of another.
        self._values = sorted(found, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Give `text` without secrets."""
        for value in self._values:
            text = text.replace(value, "***")
        return _USERINFO.sub("***@", text)


def _secret_values(conf: cfg.ConfigOpts) -> Iterator[str]:
    groups = [(conf, conf._opts)]  # noqa: SLF001 - oslo.config has no public way to list options
    groups += [(conf[name], group._opts) for name, group in conf._groups.items()]  # noqa: SLF001
    for values, options in groups:
        for dest, known in options.items():
            if not known["opt"].secret:
                continue
            try:
                value = values[dest]
            except (cfg.Error, ValueError):
                continue
            if isinstance(value, str):
                yield value


def as_json(report: Report, secrets: Secrets) -> str:
    """Give the report as one JSON document."""
    document = {
        "name": TITLE,
        "result": int(report.level),
        "fetcher": {
            "name": report.fetcher,
            "scopes": report.scopes,
            "seconds": round(report.fetcher_seconds, 3),
        },
        "collector": report.collector,
        "scope_key": report.scope_key,
        "scope": report.scope,
        "begin": report.begin and report.begin.isoformat(),
        "end": report.end and report.end.isoformat(),
        "findings": [_finding(one) for one in report.findings],
        "metrics": [_metric(one) for one in report.metrics],
    }
    return json.dumps(_hidden(document, secrets), ensure_ascii=False)


def _metric(one: MetricCheck) -> dict[str, Any]:
    return {
        "metric": one.name,
        "key": one.key,
        "result": int(one.level),
        "request": one.request,
        "points": one.points,
        "skipped": one.skipped,
        # A string: the digits are those that would be stored.
        "quantity": f"{one.quantity:f}",
        "unit": one.unit,
        "labels": one.labels,
        "seconds": round(one.seconds, 3),
        "findings": [_finding(finding) for finding in one.findings],
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {"result": int(one.level), "text": one.text}


def _hidden(value: Any, secrets: Secrets) -> Any:
    if isinstance(value, str):
        return secrets.hide(value)
    if isinstance(value, dict):
        return {key: _hidden(one, secrets) for key, one in value.items()}
    if isinstance(value, list):
        return [_hidden(one, secrets) for one in value]
    return value


def as_table(report: Report, secrets: Secrets) -> str:
    """Give the report as text: a row for each metric, with request, labels and findings below."""
    lines = [*_head(report), ""]
    if report.metrics:
        rows = [["Metric", "Points", "Quantity", "Time", "Result"]]
        rows += [
            [
                one.name,
                str(one.points),
                f"{_short(one)} {one.unit}" if one.points else "-",
                f"{one.seconds:.2f} s",
                _WORDS[one.level],
            ]
            for one in report.metrics
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines += [_row(rows[0], widths), "-" * (sum(widths) + 2 * (len(widths) - 1))]
        for row, one in zip(rows[1:], report.metrics, strict=True):
            lines += [_row(row, widths), *_below(one)]
        lines.append("")
    lines += [f"{_word(one)}: {one.text}" for one in report.findings]
    lines.append(f"Result: {_WORDS[report.level]}")
    return secrets.hide("\n".join(lines))


def _head(report: Report) -> Iterator[str]:
    yield TITLE
    known = "failed"
    if report.scopes is not None:
        known = f"{report.scopes} scopes, {report.fetcher_seconds:.2f} s"
    yield f"Fetcher    {report.fetcher}: {known}"
    yield f"Collector  {report.collector}"
    yield f"Scope      {report.scope_key} {report.scope or '-'}"
    if report.begin and report.end:
        yield f"Period     {report.begin.isoformat()} to {report.end.isoformat()}"


def _below(one: MetricCheck) -> Iterator[str]:
    if one.request:
        yield f"    request  {one.request}"
    if one.labels:
        yield f"    labels   {', '.join(f'{name}={value}' for name, value in one.labels.items())}"
    for finding in one.findings:
        yield f"    {_word(finding):<8} {finding.text}"


def _word(finding: Finding) -> str:
    return "note" if finding.level is Level.FINE else _WORDS[finding.level]


def _short(one: MetricCheck) -> str:
    """Give the quantity in at most 12 digits; all of them are in the JSON."""
    rounded = Context(prec=12).create_decimal(one.quantity)
    return f"{rounded.normalize():f}" if rounded else "0"


def _row(cells: list[str], widths: list[int]) -> str:
    first, *numbers, last = (
        cell.ljust(width) if column in {0, len(cells) - 1} else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *numbers, last]).rstrip()
