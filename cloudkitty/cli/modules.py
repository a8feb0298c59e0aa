# SPDX-License-Identifier: Apache-2.0
"""Whose tables ``cloudkitty-dbsync`` migrates: the core's, and those of rating modules.

A rating module, ours or somebody else's, takes part by a class attribute ``db_api`` with a function
``get_migration()`` (contract rating.md 2.7). Its class is not instantiated.

The tables of scope states and storages are made by ``cloudkitty-storage-init``; where they are,
they are migrated with the others.
"""

from __future__ import annotations

import importlib.metadata
from typing import Final, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from cloudkitty.db import migrations as core
from cloudkitty.db.migration import MigrationError
from cloudkitty.db.subtree import SubTree
from cloudkitty.rating.base import NAMESPACE
from cloudkitty.state import migrations as state
from cloudkitty.storage.v1.sqlalchemy import migrations as sql_storage_v1
from cloudkitty.storage.v2.sqlalchemy import migrations as sql_storage

CORE: Final = "cloudkitty"
_MADE_BY_STORAGE_INIT: Final = (state, sql_storage_v1, sql_storage)


class Migration(Protocol):
    """What ``get_migration()`` gives (contract rating.md 2.7)."""

    def upgrade(self, revision: str, /) -> None:
        """Migrate to the revision; ``head`` is the newest, ``base`` changes nothing."""

    def version(self) -> None:
        """Print the recorded revision."""

    def stamp(self, revision: str, /) -> None:
        """Record the revision without migrating."""

    def revision(self, message: str | None, autogenerate: bool, /) -> None:  # noqa: FBT001
        """Write a new migration."""


def migrations() -> dict[str, Migration]:
    """Give name -> migration object: the core first, then rating modules by name.

    Raises MigrationError naming a module that cannot be loaded.
    """
    found: dict[str, Migration] = {CORE: core.get_migration()}
    for entry_point in sorted(importlib.metadata.entry_points(group=NAMESPACE)):
        migration = _of_module(entry_point)
        if migration is not None:
            found[entry_point.name] = migration
    return found


def storage_trees() -> dict[str, SubTree]:
    """Give name -> migration object of scope states and SQL storages."""
    trees = [module.get_migration() for module in _MADE_BY_STORAGE_INIT]
    return {tree.name: tree for tree in trees}


def present_storage_trees(connection: Connection) -> dict[str, SubTree]:
    """Give those of `storage_trees` that the database has something of."""
    tables = set(sa.inspect(connection).get_table_names())
    return {
        name: tree
        for name, tree in storage_trees().items()
        if not tables.isdisjoint({tree.version_table, *tree.metadata.tables})
    }


def migration(name: str) -> Migration:
    """Give the migration object of one module; raises MigrationError for an unknown one."""
    if name == CORE:
        return core.get_migration()
    if name in (trees := storage_trees()):
        return trees[name]
    for entry_point in importlib.metadata.entry_points(group=NAMESPACE, name=name):
        found = _of_module(entry_point)
        if found is not None:
            return found
    raise MigrationError(f"ModuleNotFound: Module {name} not found")


def _of_module(entry_point: importlib.metadata.EntryPoint) -> Migration | None:
    try:
        db_api = getattr(entry_point.load(), "db_api", None)
        return None if db_api is None else db_api.get_migration()
    except Exception as exc:
        # A plugin may raise anything while it is imported.
        raise MigrationError(
            f"rating module {entry_point.name!r} cannot be loaded: {type(exc).__name__}: {exc}"
        ) from exc
