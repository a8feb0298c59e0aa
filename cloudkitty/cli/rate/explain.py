# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate explain``: which rules make a price, and why a price is zero.

With --input: frames, by the rules of a document, without a database or a server. Without: points
that are stored, by the rules that made their prices, from an API or a database. Prints a table, or
with --format json what ``GET /v2/dataframes?explain=true`` answers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from oslo_config import cfg

from cloudkitty import service, timeutils
from cloudkitty.api.v2 import jsontext
from cloudkitty.cli.rate import drafts, inputs, source, table
from cloudkitty.rating.explain.periods import Explainer
from cloudkitty.storage.base import get_storage

HELP: Final = "say which rules make a price"
ERROR: Final = 1

_LIMIT: Final = 100
#: Arguments that are about what is stored only, and about frames only.
_STORED: Final = ("begin", "end", "filter", "limit", "offset", "os_cloud", "endpoint")
_OFFLINE: Final = ("rules", "tenant", "from_zero")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    offline = parser.add_argument_group("frames by the rules of a document")
    offline.add_argument(
        "--input",
        metavar="FILE",
        help="frames, or cases with rules of their own, as `frames` takes them",
    )
    offline.add_argument("--rules", metavar="FILE", help="the rule document")
    offline.add_argument(
        "--tenant", metavar="ID", help="whose usage it is, for frames that do not say so"
    )
    offline.add_argument(
        "--from-zero",
        action="store_true",
        help="forget the prices in the input first, and say whether they come out again",
    )
    stored = parser.add_argument_group("points that are stored")
    stored.add_argument("--begin", metavar="DATE", help="default: the first of this month")
    stored.add_argument("--end", metavar="DATE", help="default: the first of next month")
    stored.add_argument(
        "--filter",
        action="append",
        metavar="KEY:VALUE",
        help="what a label must be; type is the metric type; several must all be met",
    )
    stored.add_argument("--limit", type=int, help=f"most points, default {_LIMIT}")
    stored.add_argument("--offset", type=int, help="points to leave out at the beginning")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    source.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Explain and print; gives the exit status."""
    _check(args)
    if args.input is not None:
        inputs.only_one_stdin("--rules and --input cannot both be '-'", [args.rules, args.input])
        inputs.prepare(args)
        rules = None if args.rules is None else inputs.rules(args.rules)
        answer = drafts.answer(args, rules, inputs.frames(args))
    else:
        answer = _stored(args)
    if args.format == "json":
        sys.stdout.write(f"{jsontext.encode(answer).decode()}\n")
    else:
        sys.stdout.writelines(table.lines(answer))
    sys.stdout.flush()
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise Refused for arguments that do not go together."""
    wrong = _STORED if args.input is not None else _OFFLINE
    given = [name for name in wrong if getattr(args, name) not in {None, False}]
    if given:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        other = "cannot be used with" if args.input is not None else "need"
        if len(given) == 1 and args.input is None:
            other = "needs"
        raise service.Refused(f"{names} {other} --input")


def _stored(args: argparse.Namespace) -> Mapping[str, Any]:
    with source.connected(args) as api:
        if api is None:
            return _of_database(args)
        query = {
            name: value
            for name in ("begin", "end", "limit", "offset")
            if (value := getattr(args, name)) is not None
        }
        filters = [("filters", text) for text in args.filter or ()]
        found: Mapping[str, Any] = api.dataframes(
            urlencode([*query.items(), *filters, ("explain", "true")])
        )
        return found


def _of_database(args: argparse.Namespace) -> Mapping[str, Any]:
    conf = cfg.CONF
    if conf.storage.version < 2:
        raise service.Refused("[storage] version 1 keeps no points that could be explained")
    filters = dict(_filter(text) for text in args.filter or ())
    metric = filters.pop("type", None)
    storage = get_storage(conf)
    with storage.stream(
        begin=_date("begin", args.begin),
        end=_date("end", args.end),
        filters=filters or None,
        metric_types=None if metric is None else [metric],
        offset=args.offset or 0,
        limit=args.limit or _LIMIT,
    ) as (total, points):
        page = list(points)
    explained = Explainer(storage, conf.collect.scope_key, everything=True).explain(page)
    return drafts.paged(total, zip(page, explained, strict=True))


def _filter(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise service.Refused(f"--filter {text}: expected KEY:VALUE")
    return key, value


def _date(name: str, text: str | None) -> Any:
    try:
        return None if text is None else timeutils.parse_iso(text)
    except ValueError as exc:
        raise service.Refused(f"--{name} {text}: {exc}") from exc
