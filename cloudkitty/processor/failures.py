# SPDX-License-Identifier: Apache-2.0
"""What could not be rated is told once per round: a line for each metric, however many scopes.

A round may take many batches, a batch many requests, and what fails is tried again and again: the
log is to say what is wrong and with whom, in a few lines that do not depend on all that.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from oslo_log import log

LOG = log.getLogger(__name__)

#: Seconds in which the same is not told again, and for which a long round keeps failures back.
_SECONDS: Final = 60
#: Lines of one round.
_LINES: Final = 10
#: Scopes that a line names, and the characters of a reason and of a second one.
_SCOPES: Final = 5
_LENGTH: Final = 1000
_SECOND: Final = 200

_METRIC: Final = re.compile(r"metric '[^']*'")
_URL: Final = re.compile(r"\bhttps?://\S*")


@dataclass(slots=True)
class _Failure:
    """Scopes that failed because of the same thing."""

    retry: float
    scopes: dict[str, None] = field(default_factory=dict)
    #: Reason without what differs from scope to scope -> as the first of them had it.
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Told:
    when: float
    scopes: Collection[str]
    reasons: Collection[str]


class Failures:
    """The failures of one worker."""

    def __init__(self, number: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`number` is that of the worker."""
        self._number = number
        self._clock = clock
        self._open: dict[str, _Failure] = {}
        self._since = 0.0
        self._told: dict[str, _Told] = {}

    def add(self, failed: Mapping[str, str], later: Mapping[str, float]) -> None:
        """Take down scope -> reason and scope -> seconds until it is tried again."""
        if not failed:
            return
        if not self._open:
            self._since = self._clock()
        for scope, reason in failed.items():
            kind = _kind(reason, scope)
            metric = _METRIC.match(reason)
            subject = metric[0] if metric else kind
            failure = self._open.setdefault(subject, _Failure(later[scope]))
            failure.retry = min(failure.retry, later[scope])
            failure.scopes[scope] = None
            failure.reasons.setdefault(kind, reason)
        if self._clock() - self._since >= _SECONDS:
            self.tell()

    def tell(self) -> None:
        """Log what was taken down; at the end of a round."""
        if not self._open:
            return
        found, self._open = self._open, {}
        now = self._clock()
        self._told = {s: told for s, told in self._told.items() if now - told.when < _SECONDS}
        news = []
        for subject, failure in found.items():
            if self._new(subject, failure):
                self._told[subject] = _Told(now, failure.scopes, failure.reasons)
                news.append(failure)
        ordered = sorted(news, key=lambda failure: -len(failure.scopes))
        for failure in ordered[:_LINES]:
            LOG.warning("%s", self._line(failure))
        if rest := ordered[_LINES:]:
            scopes = dict.fromkeys(scope for failure in rest for scope in failure.scopes)
            LOG.warning(
                "[worker: %d] %d more scope(s) not rated (%s), for %d other reasons: see the "
                "debug log",
                self._number,
                len(scopes),
                some(scopes),
                len(rest),
            )
        if LOG.isEnabledFor(log.DEBUG):
            for failure in found.values():
                for reason in failure.reasons.values():
                    LOG.debug("scopes not rated: %s", reason)

    def over(self, scopes: Collection[str]) -> None:
        """Say that scopes that had failed are rated again."""
        if scopes:
            LOG.info(
                "[worker: %d] %d scope(s) that had failed are rated again (%s)",
                self._number,
                len(scopes),
                some(sorted(scopes)),
            )

    def _new(self, subject: str, failure: _Failure) -> bool:
        told = self._told.get(subject)
        return (
            told is None
            or not failure.scopes.keys() <= set(told.scopes)
            or not failure.reasons.keys() & set(told.reasons)
        )

    def _line(self, failure: _Failure) -> str:
        first, *others = failure.reasons.values()
        also = (
            f"; {len(others)} other reason(s), such as: {_cut(others[0], _SECOND)}"
            if others
            else ""
        )
        return (
            f"[worker: {self._number}] {len(failure.scopes)} scope(s) not rated "
            f"({some(failure.scopes)}), trying again in {failure.retry:.0f} s: "
            f"{_cut(first, _LENGTH)}{also}"
        )


def some(scopes: Collection[str]) -> str:
    """Name the first few of `scopes`, and say how many more there are."""
    names = [_cut(scope, 64) for scope in islice(scopes, _SCOPES)]
    more = len(scopes) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def _kind(reason: str, scope: str) -> str:
    """Give the reason without the scope and the URL, which differ for the same thing."""
    reason = _URL.sub("", reason)
    if not scope or scope not in reason:
        return reason
    return re.sub(rf"(?<!\w){re.escape(scope)}(?!\w)", "\0", reason)
