# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate diff``: what other rules would make of the same frames.

Rates the same frames with two documents and prints the points whose prices differ, and the sums.
Exit status: 0 all prices are the same, 1 some differ, 2 an error.
"""

from __future__ import annotations

import argparse
import decimal
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

from cloudkitty import service
from cloudkitty.api import decimals
from cloudkitty.cli.rate import inputs
from cloudkitty.cli.rate.rating import Rated, Rater
from cloudkitty.db.engines import EXACT
from cloudkitty.rating.document.cases import Case

HELP: Final = "compare the prices of two documents for the same frames"
ERROR: Final = 2

_ZERO: Final = Decimal(0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this sub-command has."""
    parser.add_argument("old", metavar="OLD", help="a rule document; '-' is standard input")
    parser.add_argument("new", metavar="NEW", help="the other one")
    inputs.add_arguments(parser)
    parser.add_argument("--format", choices=["text", "json"], default="text")


@dataclass(frozen=True, slots=True)
class Difference:
    """A point with two prices; None where it has none."""

    service: str
    index: int
    old: Decimal | None
    new: Decimal | None

    @property
    def amount(self) -> Decimal:
        """How much more it is."""
        return (self.new or _ZERO) - (self.old or _ZERO)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs for one case."""

    case: Case
    tenant: str | None
    old: Decimal
    new: Decimal
    points: tuple[Difference, ...]


def run(args: argparse.Namespace) -> int:
    """Compare and print; gives the exit status."""
    inputs.only_one_stdin(
        "only one of OLD, NEW and --input can be '-'", [args.old, args.new, args.input]
    )
    inputs.prepare(args)
    old, new = inputs.rules(args.old), inputs.rules(args.new)
    found = inputs.frames(args)
    raters = [Rater(rules, args.tenant, from_zero=args.from_zero) for rules in (old, new)]
    compared = [_compare(case, raters, (args.old, args.new)) for case in found.cases]
    with decimal.localcontext(EXACT):
        as_json = args.format == "json"
        sys.stdout.write(_as_json(compared) if as_json else _as_text(args, compared))
    sys.stdout.flush()
    return int(any(one.points for one in compared))


def _compare(case: Case, raters: list[Rater], names: tuple[str, str]) -> Comparison:
    rated = []
    for rater, name in zip(raters, names, strict=True):
        one = rater.rate(case)
        if one.error is not None:
            raise service.Refused(f"{name}: {one.error}")
        rated.append(one)
    old, new = rated
    points = tuple(_differences(old, new))
    return Comparison(case, raters[0].tenant(case), old.total, new.total, points)


def _differences(old: Rated, new: Rated) -> Iterator[Difference]:
    for metric in sorted(old.prices.keys() | new.prices.keys()):
        pairs = zip_longest(old.prices.get(metric, ()), new.prices.get(metric, ()))
        for index, (before, after) in enumerate(pairs):
            if before != after:
                yield Difference(metric, index, before, after)


def _as_text(args: argparse.Namespace, compared: list[Comparison]) -> str:
    lines = []
    for one in compared:
        if one.points:
            lines.append(_title(one))
        lines += [
            f"  {point.service}[{point.index}]: {_number(point.old)} -> {_number(point.new)} "
            f"({_signed(point.amount)})"
            for point in one.points
        ]
    if not lines:
        return ""
    old, new = (sum((getattr(one, side) for one in compared), _ZERO) for side in ("old", "new"))
    total = f"total: {_number(old)} -> {_number(new)} ({_signed(new - old)})"
    return "\n".join([f"--- {args.old}", f"+++ {args.new}", *lines, total]) + "\n"


def _title(one: Comparison) -> str:
    name = one.case.name or one.case.place or "frame"
    whose = "" if one.tenant is None else f"tenant {one.tenant}, "
    return f"{name} ({whose}{one.case.begin.isoformat()})"


def _as_json(compared: list[Comparison]) -> str:
    old, new = (sum((getattr(one, side) for one in compared), _ZERO) for side in ("old", "new"))
    document = {
        "cases": [
            {
                **({} if one.case.name is None else {"name": one.case.name}),
                "tenant_id": one.tenant,
                "period_begin": one.case.begin.isoformat(),
                "points": [
                    {
                        "service": point.service,
                        "point": point.index,
                        "old": None if point.old is None else _number(point.old),
                        "new": None if point.new is None else _number(point.new),
                        "difference": _number(point.amount),
                    }
                    for point in one.points
                ],
                **_sums(one.old, one.new),
            }
            for one in compared
        ],
        **_sums(old, new),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _sums(old: Decimal, new: Decimal) -> dict[str, Any]:
    return {"old": _number(old), "new": _number(new), "difference": _number(new - old)}


def _number(value: Decimal | None) -> str:
    if value is None:
        return "none"
    return decimals.quote(value) if value else "0"


def _signed(value: Decimal) -> str:
    text = _number(value)
    return text if text.startswith("-") else f"+{text}"
