# SPDX-License-Identifier: Apache-2.0
"""What ``cloudkitty-status rating check`` does: look at what rules cover, and say how bad it is.

Stored usage and live rules are read from the database; nothing is written, nobody is asked.
``rating_report`` shows what was found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from oslo_config import cfg
from stevedore import exception as stevedore_exc

from cloudkitty import service
from cloudkitty.cli.collect_check import Level
from cloudkitty.db import errors
from cloudkitty.rating import coverage
from cloudkitty.rating.coverage import answer
from cloudkitty.storage.base import get_storage
from cloudkitty.storage.v2.base import Unsupported

#: What can be wrong: name on the command line -> how many warnings there are.
KINDS: Final[Mapping[str, Callable[[answer.WarningCounts], int]]] = {
    "unpriced": lambda counts: counts["unpriced"],
    "unused": lambda counts: counts["unused_rules"],
    "overlaps": lambda counts: counts["overlaps"],
}
_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, or why nothing could be: `error`."""

    found: answer.RatingCoverage | None = None
    error: str | None = None
    #: The kinds of warnings that count.
    counted: Collection[str] = field(default_factory=lambda: tuple(KINDS))

    @property
    def level(self) -> Level:
        """How bad it is: the exit status."""
        if self.found is None:
            return Level.ERROR
        return Level.WARNING if any(self.warnings.values()) else Level.FINE

    @property
    def warnings(self) -> dict[str, int]:
        """How many warnings of each kind count."""
        if self.found is None:
            return {}
        counts = self.found["warnings"]
        return {kind: KINDS[kind](counts) for kind in KINDS if kind in self.counted}


def add_parser(subparsers: Any, instant: Callable[[str], dt.datetime]) -> Any:
    """Add ``rating check`` to a command's arguments; gives its parser."""
    parser = subparsers.add_parser("rating")
    parser.add_argument("check", choices=["check"])
    parser.add_argument(
        "--begin",
        type=instant,
        help="begin of the interval, ISO 8601, UTC without an offset (default: seven days before "
        "the UTC day of the end)",
    )
    parser.add_argument("--end", type=instant, help="end of the interval (default: now)")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="TYPE",
        help="a metric type that is meant to have no price; may be repeated",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(KINDS),
        help="what is to count for the exit status; may be repeated (default: all)",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=_LIMIT,
        help=f"how many entries of each kind are shown at most (default: {_LIMIT})",
    )
    parser.add_argument("--format", choices=["table", "json"], default="table")
    return parser


def check(conf: cfg.ConfigOpts, now: dt.datetime) -> Report:
    """Look at what the command line of `conf` asks for; whatever goes wrong is in the report.

    Raises service.Refused for arguments that make no sense.
    """
    command = conf.command
    begin, end = coverage.interval(command.begin, command.end, now)
    if begin >= end:
        raise service.Refused("--end must be after --begin")
    if command.limit < 1:
        raise service.Refused("--limit must be at least 1")
    try:
        storage = get_storage(conf)
        found = coverage.look(storage, begin, end, ignored=command.ignore, limit=command.limit)
    except (Unsupported, coverage.TooManyChanges, coverage.UnreadableRules) as exc:
        return Report(error=str(exc))
    except stevedore_exc.NoMatches:
        return Report(error=f"[storage] backend: there is no '{conf.storage.backend}'")
    except Exception as exc:
        text = errors.describe(exc, conf.database.connection)
        if text is None:
            raise
        return Report(error=text)
    return Report(answer.of(found), counted=command.only or tuple(KINDS))
