# SPDX-License-Identifier: Apache-2.0
"""Writing PromQL: nothing that comes from outside may change the meaning of a query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# What Go's regexp.QuoteMeta quotes; a letter after a backslash would mean something else in RE2.
_RE2_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
# The lexer takes U+FFFD itself for broken UTF-8, so it goes as an escape.
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\ufffd": "\\ufffd"})


def is_label_name(name: str) -> bool:
    """Say whether `name` can stand as a label in a query."""
    return _LABEL.fullmatch(name) is not None


def is_metric_name(name: str) -> bool:
    """Say whether `name` is that of a metric, and not an expression."""
    return _METRIC.fullmatch(name) is not None


def quote(value: str) -> str:
    """Give `value` as a PromQL string, quotes included."""
    return f'"{value.translate(_ESCAPES)}"'


def quote_regex(value: str) -> str:
    """Give a RE2 expression that matches exactly `value`."""
    return _RE2_SPECIAL.sub(r"\\\g<0>", value)


def equals(label: str, value: str) -> str:
    """Give a matcher for one value of a label; an empty value matches series without it."""
    return f"{label}={quote(value)}"


def one_of(label: str, values: Sequence[str]) -> str:
    """Give a matcher for any of several values of a label."""
    if len(values) == 1:
        return equals(label, values[0])
    return f"{label}=~{quote('|'.join(map(quote_regex, values)))}"


def select(metric: str, matcher: str) -> str:
    """Give the selector of the series of a metric that `matcher` matches.

    A name that cannot stand in front of the braces (``volume.size``) stands inside of them.
    """
    if is_metric_name(metric):
        return f"{metric}{{{matcher}}}"
    return f"{{{equals('__name__', metric)},{matcher}}}"


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """What one metric definition asks, but for scope and period (contract collect.md 2.2.2)."""

    metric: str
    labels: tuple[str, ...]
    aggregation: str
    query_function: str | None = None
    range_function: str | None = None
    prefix: str = ""
    suffix: str = ""
    resolution: int | None = None

    @classmethod
    def of(cls, metric: str, definition: Mapping[str, Any]) -> MetricQuery:
        """Build the query of a validated definition."""
        extra = definition["extra_args"]
        return cls(
            metric,
            (*definition["groupby"], *definition["metadata"]),
            extra["aggregation_method"],
            extra.get("query_function"),
            extra.get("range_function"),
            extra["query_prefix"],
            extra["query_suffix"],
            extra.get("resolution"),
        )

    def render(self, matcher: str, seconds: int) -> str:
        """Give the PromQL for the series that `matcher` selects, over the last `seconds`."""
        query = self._over_time(select(self.metric, matcher), seconds)
        if self.query_function:
            query = f"{self.query_function}({query})"
        query = f"{self.aggregation}({query}) by ({', '.join(self.labels)})"
        return " ".join(part for part in (self.prefix, query, self.suffix) if part)

    def _over_time(self, selector: str, seconds: int) -> str:
        """Give the PromQL that makes one value of each series of the last `seconds`."""
        if self.resolution:
            # One second less: the ends of a range are closed before Prometheus 3, so a whole period
            # would have a look too many whenever it begins at one.
            looks = f"{selector}[{max(seconds - 1, 1)}s:{self.resolution}s]"
            return f"(sum_over_time({looks}) * {self.resolution} / {seconds})"
        function = self.range_function or f"{self.aggregation}_over_time"
        return f"{function}({selector}[{seconds}s])"

    @property
    def custom(self) -> bool:
        """Whether text of the operator surrounds the query: then scopes cannot share one."""
        return bool(self.prefix or self.suffix)

    @property
    def pinned(self) -> bool:
        """Whether it may be tied to the ends of a range (``@ end()``): no range of periods then."""
        return "@" in self.prefix or "@" in self.suffix
