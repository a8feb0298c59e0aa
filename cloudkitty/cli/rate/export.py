# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate export``: the rules in use as one document.

Writes all rules, scripts and states of modules in use as YAML, always in the same order. Applied to
an empty installation the document gives the same rules.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from cloudkitty import service
from cloudkitty.cli.rate import source
from cloudkitty.rating import document
from cloudkitty.rating.document import DocumentError, writer

HELP: Final = "write the rules in use as a document"
ERROR: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--output", metavar="FILE", help="where to write it (default: standard output)"
    )
    source.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the document; gives the exit status."""
    with source.opened(args) as rules:
        text = writer.dump(rules.load().document())
    name = args.output or "<stdout>"
    if args.output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        try:
            Path(args.output).write_text(text, encoding="utf-8")
        except OSError as exc:
            raise service.Refused(f"{args.output}: {exc.strerror or exc}") from exc
    try:
        document.loads(text, name)
    except DocumentError as exc:
        # Databases of older releases may hold what nobody can make any more.
        sys.stderr.write("warning: rules that could not be made today:\n")
        sys.stderr.write(f"{exc}\n")
    return 0
