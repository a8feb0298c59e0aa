# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate apply``: make the rules in use those of a document.

Prints what has to be added, changed, ended and removed, and does it: in a database everything or
nothing; through an API call by call, in an order in which a failure leaves prices that somebody has
wanted, and saying what was done. What has begun is ended, not removed; what is over is left alone.
What would change the price of periods in the past needs --force.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from typing import Final

from cloudkitty import service
from cloudkitty.cli.rate import inputs, source
from cloudkitty.rating import dates
from cloudkitty.rating.document import Document
from cloudkitty.rating.document.change.live import Live
from cloudkitty.rating.document.change.plan import Plan, plan
from cloudkitty.rating.document.change.windows import Clock

HELP: Final = "make the rules in use those of a document"
ERROR: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("file", metavar="FILE", help="the rule document; '-' is standard input")
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="print what would be done, and do nothing"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="also what reaches into the past: rules that begin there, and rules that have begun "
        "and are to be as if they had never been",
    )
    parser.add_argument(
        "--at",
        type=_date,
        metavar="DATE",
        help="when what has no date takes effect: new rules without start begin, rules that the "
        "document has no more end (default: as soon as it is done)",
    )
    source.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print and do it; gives the exit status."""
    with source.opened(args) as rules:
        # Rules of old databases may be in each other's way; only new ones must not.
        document = inputs.rules(args.file, strict=False)
        live = rules.load()
        clock, found = _planned(document, live, rules, args.at)
        for step in found.steps:
            sys.stdout.write(f"{step.text()}\n")
        for text in found.kept:
            sys.stdout.write(f"keep   {text}\n")
        sys.stdout.write(f"{found.summary()}\n")
        sys.stdout.flush()
        if found.past and not args.force:
            _tell_past(document, found)
            return 0 if args.dry_run else ERROR
        if found.steps and not args.dry_run:
            rules.apply(document, found, clock)
            sys.stdout.write("done\n")
    return 0


def _planned(
    document: Document, live: Live, rules: source.Rules, at: dt.datetime | None
) -> tuple[Clock, Plan]:
    """Give the plan, and from when on what has no date counts: not before it is done."""
    now = rules.now()
    if at is not None and at <= now:
        raise service.Refused(f"--at must be in the future, it is {now.isoformat()}")
    steps = 0
    while True:
        lead = dt.timedelta(seconds=1 + rules.lead + rules.per_step * steps)
        effect = at or (now + lead).replace(microsecond=0)
        clock = Clock(now, effect)
        found = plan(document, live, clock)
        if len(found.steps) <= steps or at is not None:
            return clock, found
        steps = 2 * len(found.steps)


def _tell_past(document: Document, found: Plan) -> None:
    for step in found.past:
        rule = step.located
        line = "" if rule is None or rule.line is None else f":{rule.line}"
        sys.stderr.write(f"{document.source}{line}: {step.text()}: {step.past}\n")
    sys.stderr.write(f"{len(found.past)} of these reach into the past, so that they need --force\n")


def _date(text: str) -> dt.datetime:
    try:
        return dates.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
