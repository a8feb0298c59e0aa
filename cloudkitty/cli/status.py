# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-status upgrade check``: whether the installation is ready for this release.

Contract config.md 4.4. Exit status: the worst result (0 success, 1 warning, 2 failure), 2 for
arguments that do not exist, 255 for an unexpected error.
"""

from __future__ import annotations

import sys
from typing import Final

from oslo_config import cfg
from oslo_db import options as db_options
from oslo_upgradecheck import common_checks, upgradecheck
from oslo_upgradecheck.upgradecheck import Code, Result

from cloudkitty import conf as ck_conf
from cloudkitty import service
from cloudkitty.cli import modules
from cloudkitty.db import errors
from cloudkitty.db.migration import MigrationError
from cloudkitty.db.subtree import SubTree
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

    _upgrade_checks = (
        ("Storage version", check_storage_version),
        (
            "Policy File JSON to YAML Migration",
            (common_checks.check_policy_json, {"conf": cfg.CONF}),
        ),
        ("Database tables", check_tables),
    )


def _trees() -> list[SubTree]:
    """Give what can say of itself whether it is up to date: plugins' migrations cannot."""
    found: list[object] = [*modules.migrations().values(), state.get_migration()]
    if cfg.CONF.storage.backend == "sqlalchemy":
        of_version = {1: sql_storage_v1, 2: sql_storage}
        found.append(of_version[cfg.CONF.storage.version].get_migration())
    return [tree for tree in found if isinstance(tree, SubTree)]


def main() -> int:
    """Run the command line of this process and give its exit status."""
    return service.run(_body)


def _body() -> int:
    ck_conf.register_opts(cfg.CONF)
    # A check answers now: it does not wait for a database to come up.
    db_options.set_defaults(cfg.CONF, connection=service.DEFAULT_CONNECTION)
    cfg.CONF.set_override("max_retries", 0, group="database")
    try:
        return int(upgradecheck.main(cfg.CONF, project=service.PROJECT, upgrade_command=Checks()))
    except cfg.Error as exc:
        raise service.Refused(" ".join(str(exc).split())) from exc


if __name__ == "__main__":
    sys.exit(main())
