# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-dbsync upgrade``: looks at all that is there before it changes anything.

Contract sql-schema.md 4 and 5, config.md 4.2. A database that is not understood in one part is
refused as a whole. ``--dry-run`` prints what would be done, on standard output.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy.engine import Connection

from cloudkitty import db
from cloudkitty.cli import modules
from cloudkitty.cli.modules import Migration
from cloudkitty.db import inventory, migration_lock
from cloudkitty.db.migration import MigrationError
from cloudkitty.db.plan import Plan, read_only_connection
from cloudkitty.db.recognition import Recognised
from cloudkitty.db.subtree import SubTree

# One of those that the command shows on standard error.
LOG = logging.getLogger("cloudkitty.db.upgrade")


def upgrade(found: Mapping[str, Migration], revision: str, *, whole: bool) -> None:
    """Migrate to `revision`; `whole`: everything, so what storages have there too.

    Raises MigrationError, with nothing changed, when something is not understood.
    """
    if revision == "base":
        return
    # Another host may be in the middle of it.
    with migration_lock.exclusive_connection(db.get_engine()) as connection:
        chosen = _with_storages(connection, found) if whole else dict(found)
        trees = _trees(chosen)
        _refuse_unknown(connection, trees)
        if whole:
            for remark in inventory.unknown(connection, _all_trees(chosen)):
                LOG.info("%s", remark)
    for migration in chosen.values():
        migration.upgrade(revision)
    with db.get_engine().connect() as connection:
        for remark in _remarks(connection, trees):
            LOG.warning("%s", remark)


def dry_run(found: Mapping[str, Migration], url: str, *, whole: bool) -> None:
    """Print what `upgrade` would do to the database at `url`; raises MigrationError as it does."""
    with read_only_connection(url) as connection:
        chosen = _with_storages(connection, found) if whole else dict(found)
        trees = _trees(chosen)
        _refuse_unknown(connection, trees)
        lines = [line for tree in trees for line in _told(tree.name, *tree.plan(connection))]
        lines += [
            f"{name}: migrations of a plug-in, which cannot say what they do"
            for name, one in chosen.items()
            if not isinstance(one, SubTree)
        ]
        if whole:
            lines += inventory.unknown(connection, _all_trees(chosen))
        present = [tree for tree in trees if not tree.recognise(connection).is_empty]
        lines += [f"look at: {remark}" for remark in _remarks(connection, present)]
    for line in [*lines, "Nothing was changed."]:
        print(line)  # noqa: T201


def _told(name: str, found: Recognised, plan: Plan) -> Iterator[str]:
    yield f"{name}: {found}"
    for table, rows in plan.rows.items():
        yield f"  {table}: {rows} row{'' if rows == 1 else 's'} kept"
    for step in plan.steps:
        yield f"    {step}"


def _with_storages(connection: Connection, found: Mapping[str, Migration]) -> dict[str, Migration]:
    return {**found, **modules.present_storage_trees(connection)}


def _trees(found: Mapping[str, Migration]) -> list[SubTree]:
    return [migration for migration in found.values() if isinstance(migration, SubTree)]


def _all_trees(found: Mapping[str, Migration]) -> list[SubTree]:
    return [*_trees(found), *modules.storage_trees().values()]


def _refuse_unknown(connection: Connection, trees: Iterable[SubTree]) -> None:
    reasons = []
    for tree in trees:
        try:
            tree.recognise(connection)
        except MigrationError as exc:
            reasons.append(str(exc))
    if reasons:
        raise MigrationError(" ".join(reasons))


def _remarks(connection: Connection, trees: Iterable[SubTree]) -> list[str]:
    return [remark for tree in trees for remark in tree.remarks(connection)]
