# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-rate``: try rules before they bite, and take them from and to a cloud as a document.

``frames`` and ``diff`` need neither a database nor a server; ``export`` and ``apply`` talk to one
of the two. Exit status: 0 done; 1 it could not be done, or what was rated is not as it should be;
2 arguments that do not exist. ``diff`` has those of diff(1): 1 for differences, 2 for errors.
"""

from __future__ import annotations

import argparse
import os
import sys
from types import ModuleType
from typing import Final

from cloudkitty import service
from cloudkitty.cli.rate import apply, diff, explain, export, frames
from cloudkitty.rating.document import DocumentError

#: A module for each sub-command, with ``add_arguments(parser)``, ``run(args)`` and the exit status
#: of an error, ``ERROR``.
COMMANDS: Final[dict[str, ModuleType]] = {
    "frames": frames,
    "diff": diff,
    "explain": explain,
    "export": export,
    "apply": apply,
}


def main() -> int:
    """Run the command line of this process and give its exit status."""
    args = parser().parse_args()
    command = COMMANDS[args.command]

    def body() -> int:
        try:
            status: int = command.run(args)
        except DocumentError as exc:
            sys.stderr.write(f"{exc}\n")
            return int(command.ERROR)
        except BrokenPipeError:
            # Whoever reads has seen enough. Nothing may be written when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return int(command.ERROR)
        return status

    return service.run(body, refused=command.ERROR)


def parser() -> argparse.ArgumentParser:
    """Give what reads the command line."""
    found = argparse.ArgumentParser(
        prog="cloudkitty-rate",
        description="Rate with the rules of a document; take rules from a cloud and to it.",
    )
    found.add_argument("--version", action="version", version=service.version())
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary, _, details = (command.__doc__ or "").partition("\n\n")
        one = commands.add_parser(name, help=command.HELP, description=details or summary)
        command.add_arguments(one)
    return found


if __name__ == "__main__":
    sys.exit(main())
