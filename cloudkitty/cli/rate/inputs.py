# SPDX-License-Identifier: Apache-2.0
"""What the offline sub-commands have in common: files or standard input, options of scripts."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import sys
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from oslo_config import cfg

from cloudkitty import conf as ck_conf
from cloudkitty import service, timeutils
from cloudkitty.rating import document
from cloudkitty.rating.document import Document, DocumentError, Problem, cases

STDIN: Final = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments about what is rated."""
    parser.add_argument(
        "--input",
        required=True,
        metavar="FILE",
        help="frames, or cases with rules of their own, as JSON: one or a list, or an answer of "
        "GET /v2/dataframes; '-' is standard input",
    )
    parser.add_argument(
        "--tenant",
        metavar="ID",
        help="whose usage it is, for frames that do not say so; without it only rules for all "
        "tenants count",
    )
    parser.add_argument(
        "--from-zero",
        action="store_true",
        help="forget the prices in the input first: for frames that have been rated already",
    )
    parser.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="a configuration file with the limits of scripts, [pyscripts]; none is needed",
    )
    add_timezone(parser)


def add_timezone(parser: argparse.ArgumentParser) -> None:
    """Add the argument about the clock of rules' dates."""
    parser.add_argument(
        "--timezone",
        type=_timezone,
        metavar="NAME",
        help="time zone of the hosts that rate, by whose clocks dates of rules go (default: that "
        "of this host)",
    )


def set_timezone(args: argparse.Namespace) -> None:
    """Have dates of rules go by the clock that the arguments name."""
    if args.timezone is not None:
        timeutils.set_local_timezone(args.timezone)


def _timezone(name: str) -> dt.tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        raise argparse.ArgumentTypeError(f"there is no time zone {name!r}") from None


def log_to_stderr() -> None:
    """Have what is logged on standard error: standard output is the answer."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("cloudkitty-rate: %(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def read(path: str) -> tuple[str, str]:
    """Give the text of a file or of standard input, and what to call it in messages.

    Raises Refused when it cannot be read.
    """
    name = "<stdin>" if path == STDIN else path
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as exc:
        raise service.Refused(f"{name}: {exc.strerror or exc}") from exc
    try:
        return data.decode(), name
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise DocumentError(name, [Problem(line, "", f"not UTF-8: {exc.reason}")]) from exc


def rules(path: str, *, strict: bool = True) -> Document:
    """Read a rule document; raises Refused or DocumentError."""
    text, name = read(path)
    return document.loads(text, name, strict=strict)


def only_one_stdin(parser_error: str, paths: Sequence[str | None]) -> None:
    """Raise Refused when several things are to come from standard input."""
    if sum(path == STDIN for path in paths) > 1:
        raise service.Refused(parser_error)


def frames(args: argparse.Namespace) -> cases.Input:
    """Read what is to be rated; raises Refused or DocumentError."""
    text, name = read(args.input)
    return cases.loads(text, name)


def prepare(args: argparse.Namespace) -> None:
    """Register all options, which scripts need, and have what is logged on standard error.

    No configuration file is read but those that are named: prices shall not depend on the host.
    Raises Refused.
    """
    log_to_stderr()
    set_timezone(args)
    service.register_options(cfg.CONF)
    ck_conf.register_opts(cfg.CONF)
    try:
        cfg.CONF(
            [],
            project=service.PROJECT,
            default_config_files=args.config_file,
            default_config_dirs=[],
        )
        service.check_values(cfg.CONF)
    except cfg.Error as exc:
        raise service.Refused(" ".join(str(exc).split())) from exc
