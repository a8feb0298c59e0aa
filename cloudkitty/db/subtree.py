# SPDX-License-Identifier: Apache-2.0
"""A sub-tree: tables with an alembic history of their own (contract sql-schema.md 1 and 5).

Sub-trees that upstream has too keep its version table at its head, so that an operator can go
back. What we add to their tables is a second history, in ``<name>_ext_alembic``; each of its
migrations looks before it changes something.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from pathlib import Path

import alembic.config
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from cloudkitty import db
from cloudkitty.db import migration, migration_lock, recognition

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SubTree:
    """The migration object of a sub-tree (contract rating.md 2.7).

    `directory` has the migrations in ``versions``, the additive ones in ``versions/ext``;
    `models` is the module whose ``Base`` has the tables; `upstream` says how to recognise a
    database of upstream's.
    """

    name: str
    directory: Path
    models: str
    upstream: recognition.Upstream | None = None

    def upgrade(self, revision: str | None = None) -> None:
        """Migrate to `revision`, by default to the head; ``base`` changes nothing.

        Raises MigrationError when the database is not one that this release can take over.
        """
        if revision == "base":
            return
        with migration_lock.exclusive_connection(db.get_engine()) as connection:
            config = self._history(connection)
            found = self._recognise(connection, config)
            LOG.info("%s: %s", self.name, found)
            migration.upgrade(config, revision)
            ext = self._ext(connection)
            if migration.head(ext):
                migration.upgrade(ext)

    def current(self) -> tuple[str, ...]:
        """Give the recorded revisions: one, none in an empty database, several if it is broken."""
        with db.get_engine().connect() as connection:
            return recognition.recorded(connection, self.version_table)

    def is_current(self) -> bool:
        """Whether the database has everything that this release needs of the sub-tree."""
        with db.get_engine().connect() as connection:
            return all(
                recognition.recorded(connection, table) == (newest,)
                for table, newest in self.heads().items()
            )

    def heads(self) -> dict[str, str]:
        """Give version table -> newest revision, for each history of the sub-tree."""
        found = {
            self.version_table: migration.head(self._history()),
            self.ext_version_table: migration.head(self._ext()),
        }
        return {table: newest for table, newest in found.items() if newest}

    def version(self) -> None:
        """Print the recorded revision, with ``(head)`` if it is the newest; nothing if none."""
        newest = migration.head(self._history())
        for revision in self.current():
            print(f"{revision} (head)" if revision == newest else revision)  # noqa: T201

    def stamp(self, revision: str | None = None) -> None:
        """Record `revision`, by default the head, in place of whatever is recorded."""
        with migration_lock.exclusive_connection(db.get_engine()) as connection:
            migration.stamp(self._history(connection), revision, purge=True)

    def revision(self, message: str | None = None, autogenerate: bool = False) -> None:  # noqa: FBT001, FBT002
        """Write a new migration file; to the additive history when the other is upstream's."""
        config = self._ext() if self.upstream else self._history()
        migration.revision(config, message, autogenerate)

    @property
    def version_table(self) -> str:
        """Where the revision is recorded."""
        return f"{self.name}_alembic"

    @property
    def ext_version_table(self) -> str:
        """Where the revision of the additive history is recorded."""
        return f"{self.name}_ext_alembic"

    @property
    def metadata(self) -> sa.MetaData:
        """The tables, as the code sees them after all migrations."""
        found: sa.MetaData = importlib.import_module(self.models).Base.metadata
        return found

    def _recognise(
        self, connection: Connection, config: alembic.config.Config
    ) -> recognition.Recognised:
        upstream = self.upstream or recognition.Upstream(tables=tuple(self.metadata.tables))
        return recognition.recognise(
            connection,
            name=self.name,
            version_table=self.version_table,
            head=migration.head(config) or "",
            known=migration.revisions(config),
            upstream=upstream,
        )

    def _history(self, connection: Connection | None = None) -> alembic.config.Config:
        return migration.shared_config(
            [self.directory / "versions"],
            version_table=self.version_table,
            metadata=self.metadata,
            connection=connection,
        )

    def _ext(self, connection: Connection | None = None) -> alembic.config.Config:
        return migration.shared_config(
            [self.directory / "versions" / "ext"],
            version_table=self.ext_version_table,
            metadata=self.metadata,
            connection=connection,
        )
