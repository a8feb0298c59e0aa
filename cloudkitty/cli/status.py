# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-status``: is the installation ready, can usage be had, does it get a price.

``upgrade check`` looks at the installation, ``collect check`` (``collect_check``) at the sources,
``rating check`` (``rating_check``) at rules and what they rate.
Contract config.md 4.4. Exit status: the worst result (0 success, 1 warning, 2 failure), 2 for
arguments or a configuration that cannot be used, 255 for an unexpected error.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import traceback
from typing import Any, Final

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_upgradecheck import common_checks, upgradecheck
from oslo_upgradecheck.upgradecheck import Code, Result

from cloudkitty import conf as ck_conf
from cloudkitty import service, timeutils
from cloudkitty.cli import collect_check, collect_report, modules, rating_check, rating_report
from cloudkitty.db import errors
from cloudkitty.db.migration import MigrationError
from cloudkitty.db.subtree import SubTree
from cloudkitty.rating.availability import absences
from cloudkitty.state import migrations as state
from cloudkitty.storage.v1.sqlalchemy import migrations as sql_storage_v1
from cloudkitty.storage.v2.sqlalchemy import migrations as sql_storage

_V1: Final = (
    "Storage version is inferior to 2. Support for v1 storage will be dropped in a future release."
)


class Checks(upgradecheck.UpgradeCommands):
    """The checks, in the order in which they are shown."""

    def check_storage_version(self) -> Result:
        """Warn of a storage of the first generation."""
        if cfg.CONF.storage.version < 2:
            return Result(Code.WARNING, _V1)
        return Result(Code.SUCCESS)

    def check_tables(self) -> Result:
        """Fail unless all tables of ours that this configuration uses are there and up to date."""
        try:
            behind = [tree.name for tree in _trees() if not tree.is_current()]
        except MigrationError as exc:
            return Result(Code.FAILURE, str(exc))
        except Exception as exc:
            text = errors.describe(exc, cfg.CONF.database.connection)
            if text is None:
                raise
            return Result(Code.FAILURE, text)
        if behind:
            return Result(
                Code.FAILURE,
                f"Not at the newest revision: {', '.join(behind)}. Run 'cloudkitty-dbsync upgrade' "
                "and 'cloudkitty-storage-init'.",
            )
        return Result(Code.SUCCESS)

    def check_modules(self) -> Result:
        """Fail when a rating module that is on is not there, warn of others that are broken."""
        try:
            found = absences()
        except Exception as exc:
            if errors.describe(exc, cfg.CONF.database.connection) is None:
                raise
            # What is wrong with the database is told by the check before.
            return Result(Code.SUCCESS)
        if not found:
            return Result(Code.SUCCESS)
        code = Code.FAILURE if any(absence.on for absence in found) else Code.WARNING
        return Result(code, ". ".join(absence.text for absence in found))

    _upgrade_checks = (
        ("Storage version", check_storage_version),
        (
            "Policy File JSON to YAML Migration",
            (common_checks.check_policy_json, {"conf": cfg.CONF}),
        ),
        ("Database tables", check_tables),
        ("Rating modules", check_modules),
    )


def _trees() -> list[SubTree]:
    """Give what can say of itself whether it is up to date: plugins' migrations cannot."""
    found: list[object] = [*modules.migrations().values(), state.get_migration()]
    if cfg.CONF.storage.backend == "sqlalchemy":
        of_version = {1: sql_storage_v1, 2: sql_storage}
        found.append(of_version[cfg.CONF.storage.version].get_migration())
    return [tree for tree in found if isinstance(tree, SubTree)]


def _parsers(subparsers: Any, checks: Checks) -> None:
    """Add the sub-commands; ``upgrade check`` takes what oslo.upgradecheck's own has."""
    upgrade = subparsers.add_parser("upgrade")
    upgrade.add_argument("check")
    upgrade.set_defaults(action_fn=checks.check)
    upgrade.add_argument("--json", action="store_true", help="JSON in place of the table")
    collect = subparsers.add_parser("collect")
    collect.add_argument("check", choices=["check"])
    collect.set_defaults(action_fn=_collect_check)
    collect.add_argument("--scope", help="the scope to ask for (default: the first with data)")
    collect.add_argument(
        "--begin",
        type=_instant,
        help="begin of the period, ISO 8601, UTC without an offset (default: the last one over)",
    )
    collect.add_argument("--format", choices=["table", "json"], default="table")
    rating_check.add_parser(subparsers, _instant).set_defaults(action_fn=_rating_check)


def _instant(text: str) -> dt.datetime:
    try:
        return timeutils.parse_iso(text).replace(microsecond=0)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _collect_check() -> int:
    conf = cfg.CONF
    command = conf.command
    service.check_values(conf)
    report = collect_check.check(conf, command.scope, command.begin, timeutils.utcnow())
    show = collect_report.as_json if command.format == "json" else collect_report.as_table
    sys.stdout.write(f"{show(report, collect_report.Secrets(conf))}\n")
    return int(report.level)


def _rating_check() -> int:
    conf = cfg.CONF
    service.check_values(conf)
    report = rating_check.check(conf, timeutils.utcnow())
    show = rating_report.as_json if conf.command.format == "json" else rating_report.as_table
    sys.stdout.write(f"{show(report)}\n")
    return int(report.level)


def main() -> int:
    """Run the command line of this process and give its exit status."""
    # 1 would be read as a warning.
    return service.run(_body, refused=2)


def _body() -> int:
    conf = cfg.CONF
    ck_conf.register_opts(conf)
    # A check answers now: it does not wait for a database to come up.
    db_options.set_defaults(conf, connection=service.DEFAULT_CONNECTION)
    conf.set_override("max_retries", 0, group="database")
    checks = Checks()
    conf.register_cli_opt(
        cfg.SubCommandOpt("command", handler=lambda subparsers: _parsers(subparsers, checks))
    )
    try:
        conf(args=sys.argv[1:], project=service.PROJECT)
        # It looks there for whether JSON was asked for.
        upgradecheck.CONF = conf
        return int(conf.command.action_fn())
    except cfg.Error as exc:
        raise service.Refused(" ".join(str(exc).split())) from exc
    except service.Refused:
        raise
    except Exception:  # noqa: BLE001 - the status says that it is a mistake of ours
        sys.stdout.write(f"Error:\n{traceback.format_exc()}\n")
        return 255


if __name__ == "__main__":
    sys.exit(main())
