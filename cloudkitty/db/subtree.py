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
from alembic import op
from sqlalchemy.engine import Connection

from cloudkitty import db
from cloudkitty.db import leftovers, migration, migration_lock, recognition
from cloudkitty.db.plan import Plan

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
            self._run(connection, revision)

    def check(self) -> None:
        """Raise MigrationError unless `upgrade` can take over what is there; changes nothing."""
        with migration_lock.exclusive_connection(db.get_engine()) as connection:
            self.recognise(connection)

    def plan(self, connection: Connection) -> tuple[recognition.Recognised, Plan]:
        """Say what is there, and what `upgrade` would do to it; changes nothing.

        Raises MigrationError as `upgrade` does.
        """
        found = self.recognise(connection)
        plan = Plan()
        if found.is_empty:
            plan.steps += [f"CREATE TABLE {table}" for table in self.metadata.tables]
            return found, plan
        present = set(sa.inspect(connection).get_table_names())
        plan.count(connection, [table for table in self.metadata.tables if table in present])
        newest = found.head if found.revision in self._upstream.from_older else found.revision
        modules = [
            *migration.pending(self._history(), newest),
            *migration.pending(self._ext(), self._ext_revision(connection)),
        ]
        with plan.recording(connection):
            self._take_over(found)
            for module in modules:
                module.upgrade()
        return found, plan

    def recognise(self, connection: Connection) -> recognition.Recognised:
        """Say what the database holds of the sub-tree, without changing anything.

        Raises MigrationError when it is not what this release can take over.
        """
        config = self._history()
        return recognition.recognise(
            connection,
            name=self.name,
            version_table=self.version_table,
            head=migration.head(config) or "",
            known=migration.revisions(config) | set(self._upstream.from_older),
            upstream=self._upstream,
            additions=self._pending_additions(connection),
        )

    def remarks(self, connection: Connection) -> list[str]:
        """Say what an operator should know about the rows, in a database that was recognised."""
        return [f"{self.name}: {remark}" for remark in self._upstream.remarks(connection)]

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

    def _run(self, connection: Connection, revision: str | None) -> None:
        """Migrate on a connection that no other migration runs beside."""
        config = self._history(connection)
        migration.check_target(config, revision)
        found = self.recognise(connection)
        LOG.info("%s: %s", self.name, found)
        with migration.operations(connection):
            self._take_over(found)
        migration.upgrade(config, revision)
        ext = self._ext(connection)
        if migration.head(ext):
            migration.upgrade(ext)

    @property
    def _upstream(self) -> recognition.Upstream:
        return self.upstream or recognition.Upstream(tables=tuple(self.metadata.tables))

    def _take_over(self, found: recognition.Recognised) -> None:
        """Bring tables of an older release, recorded as such, to the head."""
        leftovers.drop(self._upstream.tables)
        step = self._upstream.from_older.get(found.revision or "")
        if step is None:
            return
        step()
        version = sa.column("version_num", sa.String)
        recorded = sa.table(self.version_table, version)
        op.execute(sa.update(recorded).values({version: found.head}))

    def _pending_additions(self, connection: Connection) -> str | None:
        """Say which additions the database lacks; raises MigrationError if it has unknown ones."""
        config = self._ext()
        recorded = self._ext_revision(connection)
        newest = migration.head(config)
        if recorded == newest:
            return None
        if recorded is not None and recorded not in migration.revisions(config):
            raise migration.MigrationError(
                f"{self.name}: {self.ext_version_table} is at the unknown revision {recorded}: a "
                "newer release has been here. Nothing was changed."
            )
        return f"additions of ours from {recorded or 'none'} to {newest}"

    def _ext_revision(self, connection: Connection) -> str | None:
        return next(iter(recognition.recorded(connection, self.ext_version_table)), None)

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
