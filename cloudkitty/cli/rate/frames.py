# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate frames``: prices of frames by the rules of a document.

Rates frames with the rules of a document, or cases with their own, and prints JSON: for each its
prices by service, one per point in the order of the input, and the frame when scripts took part.
Neither a database nor a server is needed.
"""

from __future__ import annotations

import argparse
import json
import sys
from decimal import Decimal
from typing import Any, Final

from cloudkitty import service, timeutils
from cloudkitty.api import decimals
from cloudkitty.cli.rate import expected, inputs
from cloudkitty.cli.rate.rating import Rated, Rater
from cloudkitty.dataframe import DataFrame
from cloudkitty.rating.document import model
from cloudkitty.rating.document.cases import Case

HELP: Final = "rate frames with the rules of a document"
ERROR: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this sub-command has."""
    parser.add_argument(
        "--rules",
        metavar="FILE",
        help="the rule document, YAML or JSON; rules that cases have of their own then do not "
        "count; '-' is standard input",
    )
    inputs.add_arguments(parser)
    parser.add_argument(
        "--frame",
        action="store_true",
        help="print the rated frame in any case",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit status 1 unless every case that says what it expects gives that",
    )


def run(args: argparse.Namespace) -> int:
    """Rate and print; gives the exit status."""
    inputs.only_one_stdin("--rules and --input cannot both be '-'", [args.rules, args.input])
    inputs.prepare(args)
    rules = None if args.rules is None else inputs.rules(args.rules)
    found = inputs.frames(args)
    rater = Rater(rules, args.tenant, from_zero=args.from_zero)
    out, fine = [], True
    for case in found.cases:
        try:
            rated = rater.rate(case)
        except ValueError as exc:
            where = f"{args.input}: {case.place}" if case.place else args.input
            raise service.Refused(f"{where}: {exc}: give --rules") from exc
        shown = _shown(case, rater.tenant(case), rated, frame=args.frame)
        as_expected = shown.get("as_expected")
        fine = fine and (
            bool(as_expected) if args.check and as_expected is not None else rated.error is None
        )
        out.append(shown)
    json.dump(out if found.many else out[0], sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
    sys.stdout.flush()
    return 0 if fine else 1


def _shown(case: Case, tenant: str | None, rated: Rated, *, frame: bool) -> dict[str, Any]:
    out: dict[str, Any] = {} if case.name is None else {"name": case.name}
    out["tenant_id"] = tenant
    out["period_begin"] = case.begin.isoformat()
    out["modules"] = list(rated.order)
    if rated.error is not None:
        out["error"] = rated.error
    else:
        out["prices"] = {
            metric: [None if price is None else _number(price) for price in prices]
            for metric, prices in rated.prices.items()
        }
        out["total"] = _number(rated.total)
    if rated.frame is not None and (frame or model.PYSCRIPTS in rated.order):
        out["frame"] = _frame(rated.frame)
    if case.expected is not None:
        out["as_expected"] = expected.met(rated, case.expected)
    return out


def _frame(frame: DataFrame) -> dict[str, Any]:
    return {
        "period": {
            "begin": timeutils.as_utc(frame.start).isoformat(),
            "end": timeutils.as_utc(frame.end).isoformat(),
        },
        "usage": {
            metric: [
                {
                    "unit": point.unit,
                    "qty": _number(point.qty),
                    "price": _number(point.price),
                    "groupby": point.groupby,
                    "metadata": point.metadata,
                }
                for point in points
            ]
            for metric, points in frame.itertypes()
        },
    }


def _number(value: Decimal) -> str:
    """Give a decimal in plain notation, every digit, no zeros at its end."""
    return decimals.quote(value) if value else "0"
