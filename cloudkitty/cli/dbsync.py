# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-dbsync``: migrations of the core tables and of rating modules.

Contract config.md 4.2. Exit status 0; 1 with one line on standard error for what went wrong; 2 for
arguments that do not exist.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from oslo_config import cfg

from cloudkitty import service
from cloudkitty.cli import database, modules, upgrade


def main() -> int:
    """Run the command line of this process and give its exit status."""
    return service.run(_body)


def _body() -> None:
    command = cfg.SubCommandOpt("command", title="commands", handler=_add_commands)
    conf = service.prepare(cli_opts=[command])
    database.progress_to_stderr()
    with database.refusing():
        _COMMANDS[conf.command.name](conf.command)


def _upgrade(args: Any) -> None:
    revision = args.revision or "head"
    if args.module:
        found = {args.module: modules.migration(args.module)}
    elif revision in {"head", "base"}:
        found = modules.migrations()
    else:
        raise service.Refused(
            f"MultipleModulesRevisions: Can't apply revision {revision} to multiple modules."
        )
    if args.dry_run:
        upgrade.dry_run(found, cfg.CONF.database.connection, whole=not args.module)
    else:
        upgrade.upgrade(found, revision, whole=not args.module)


def _version(args: Any) -> None:
    modules.migration(args.module).version()


def _stamp(args: Any) -> None:
    modules.migration(args.module).stamp(args.revision or "head")


def _revision(args: Any) -> None:
    modules.migration(args.module).revision(args.message, args.autogenerate)


_COMMANDS = {
    "upgrade": _upgrade,
    "version": _version,
    "stamp": _stamp,
    "revision": _revision,
}


def _add_commands(subparsers: Any) -> None:
    newest = subparsers.add_parser("upgrade", help="bring the tables to the newest revision")
    _add_revision(newest)
    _add_module(newest, required=False)
    newest.add_argument(
        "--dry-run",
        action="store_true",
        help="say what is there and what would be done, and change nothing",
    )
    version = subparsers.add_parser("version", help="print the revision of a module's tables")
    _add_module(version)
    stamp = subparsers.add_parser("stamp", help="record a revision without migrating")
    _add_revision(stamp)
    _add_module(stamp)
    revision = subparsers.add_parser("revision", help="write a new migration (for developers)")
    _add_module(revision)
    revision.add_argument("-m", "--message", help="what the migration does")
    revision.add_argument(
        "--autogenerate",
        action="store_true",
        help="fill it with the differences between the database and the code",
    )


def _add_revision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--revision", nargs="?", help="the revision; the newest by default")


def _add_module(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--module",
        nargs=None if required else "?",
        required=required,
        help="'cloudkitty' for the core tables, the name of a rating module, 'storage_states', or "
        "the name of an SQL storage's tables: 'storage_sqlalchemy', 'storage_v2_sqlalchemy'",
    )


if __name__ == "__main__":
    sys.exit(main())
