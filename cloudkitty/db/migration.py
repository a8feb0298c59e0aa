# SPDX-License-Identifier: Apache-2.0
"""Alembic histories: what plugins and our own sub-trees share (contract rating.md 2.2 and 2.7).

A history is a directory with migrations and a version table. Plugins bring a directory with an
``env.py``, loaded by :func:`load_alembic_config`; the histories of :mod:`cloudkitty.db.subtree`
share the one beside the core's migrations.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import alembic.command
import alembic.config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection

SHARED_ENVIRONMENT: Final = Path(__file__).parent / "migrations"


class MigrationError(Exception):
    """A migration cannot or must not be run; the text says why and what to do."""


def load_alembic_config(path: str | os.PathLike[str]) -> alembic.config.Config:
    """Give the alembic configuration of the directory `path`, which has an ``env.py``.

    Raises MigrationError when there is none.
    """
    if not (Path(path) / "env.py").is_file():
        raise MigrationError(f"{path} has no env.py: not an alembic environment")
    return _config(Path(path))


def shared_config(
    versions: Iterable[Path],
    *,
    version_table: str,
    metadata: Any,
    connection: Any = None,
) -> alembic.config.Config:
    """Give the configuration of a history without an ``env.py`` of its own.

    `versions` are the directories of its migrations. With `connection` everything happens on
    that connection, in the transaction that it is in.
    """
    config = _config(SHARED_ENVIRONMENT)
    config.set_main_option("version_locations", _literal(os.pathsep.join(map(str, versions))))
    config.attributes.update(metadata=metadata, version_table=version_table, connection=connection)
    return config


def upgrade(config: alembic.config.Config, revision: str | None = None) -> None:
    """Migrate to `revision`, by default to the head; ``base`` changes nothing."""
    if revision != "base":
        _command(alembic.command.upgrade, config, revision or "head")


def version(config: alembic.config.Config) -> None:
    """Print the current revision, followed by ``(head)`` if it is the newest."""
    _command(alembic.command.current, config)


def stamp(
    config: alembic.config.Config, revision: str | None = None, *, purge: bool = False
) -> None:
    """Record `revision`, by default the head, without migrating.

    With `purge` whatever was recorded before is removed first, even if it is unknown.
    """
    _command(alembic.command.stamp, config, revision or "head", purge=purge)


def revision(
    config: alembic.config.Config,
    message: str | None = None,
    autogenerate: bool = False,  # noqa: FBT001, FBT002 - plugin interface
) -> None:
    """Write a new migration file into the history's directory."""
    _command(alembic.command.revision, config, message=message or "", autogenerate=autogenerate)


def current(config: alembic.config.Config) -> tuple[str, ...]:
    """Give the revisions that the database records; nothing is created."""
    found: list[str] = []

    def note(revisions: Any, _context: Any) -> list[Any]:
        found.extend([revisions] if isinstance(revisions, str) else revisions)
        return []

    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, script, fn=note, dont_mutate=True):
        script.run_env()
    return tuple(found)


def head(config: alembic.config.Config) -> str | None:
    """Give the newest revision of the history's files; None when there are no files."""
    found: str | None = ScriptDirectory.from_config(config).get_current_head()
    return found


def revisions(config: alembic.config.Config) -> frozenset[str]:
    """Give every revision that the history has a file for."""
    script = ScriptDirectory.from_config(config)
    return frozenset(item.revision for item in script.walk_revisions())


def pending(config: alembic.config.Config, recorded: str | None) -> list[Any]:
    """Give the modules of the migrations after the revision `recorded`, in order."""
    script = ScriptDirectory.from_config(config)
    newer = script.iterate_revisions("head", recorded or "base")
    return [item.module for item in reversed(list(newer))]


def check_target(config: alembic.config.Config, revision: str | None) -> None:
    """Raise MigrationError unless `revision` is one of the history."""
    try:
        ScriptDirectory.from_config(config).get_revisions(revision or "head")
    except CommandError as error:
        raise MigrationError(str(error)) from error


@contextmanager
def operations(connection: Connection) -> Iterator[None]:
    """Let alembic's ``op`` work on `connection` meanwhile, without a history."""
    with Operations.context(MigrationContext.configure(connection)):
        yield


def _command(command: Any, config: alembic.config.Config, *args: Any, **kwargs: Any) -> None:
    try:
        command(config, *args, **kwargs)
    except CommandError as error:
        raise MigrationError(str(error)) from error


def _config(location: Path) -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", _literal(str(location)))
    # The second is the name that alembic before 1.16 knows.
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_path_separator", "os")
    return config


def _literal(value: str) -> str:
    """Protect a value from the interpolation of configuration files."""
    return value.replace("%", "%%")
