# SPDX-License-Identifier: Apache-2.0
"""What migrations would do to a database, found out without doing it.

Migrations run on a connection that cannot write; each statement by which they would change
something is written down in place of being executed. They look before they change something, at a
database that nothing has changed: what one step would make the next one does not see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.schema import CreateTable

from cloudkitty import db

_OPTION: Final = "cloudkitty_plan"
#: As much of a statement as is shown.
_SHOWN: Final = 160


@dataclass
class Plan:
    """What would be done to the tables of a sub-tree.

    `rows` has how many rows each table has, `steps` what would happen, in order: sentences and
    statements.
    """

    rows: dict[str, int] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a sentence, once."""
        if text not in self.steps:
            self.steps.append(text)

    def count(self, connection: Connection, tables: Iterable[str]) -> None:
        """Count the rows of tables."""
        for name in tables:
            query = sa.select(sa.func.count()).select_from(sa.table(name))
            self.rows[name] = connection.scalar(query) or 0

    @contextmanager
    def recording(self, connection: Connection) -> Iterator[None]:
        """Write down what alembic's operations would do meanwhile."""
        context = MigrationContext.configure(connection, opts={_OPTION: self})

        def execute(construct: Any, *_args: Any, **_kwargs: Any) -> None:
            self.steps.append(_shown(construct, connection))

        # Every operation ends there.
        context.impl._exec = execute  # type: ignore[method-assign] # noqa: SLF001
        with Operations.context(context):
            yield


def active() -> Plan | None:
    """Give the plan that the operations of the present migration go to; None when they are real."""
    found: Plan | None = op.get_context().opts.get(_OPTION)
    return found


@contextmanager
def read_only_connection(url: str) -> Iterator[Connection]:
    """Yield a connection to the database at `url`, that of ``[database]``, which takes no change.

    A file of SQLite that does not exist is not made: then it is an empty database.
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        with _read_only_file(sa.make_url(url)).connect() as connection:
            yield connection
        return
    with db.get_engine().connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            yield connection
            connection.rollback()
            return
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.rollback()
        try:
            yield connection
        finally:
            # The pool must not hand out what cannot write.
            connection.invalidate()


def _read_only_file(url: sa.URL) -> Engine:
    # The engine that everybody uses would make the file, or change its mode.
    path = url.database
    if not path or path == ":memory:" or not Path(path).exists():
        return sa.create_engine("sqlite://")
    name = f"file:{quote(str(Path(path).absolute()))}"
    read_only = sa.URL.create("sqlite", database=name, query={"mode": "ro", "uri": "true"})
    return sa.create_engine(read_only, poolclass=sa.NullPool)


def _shown(construct: Any, connection: Connection) -> str:
    if isinstance(construct, CreateTable):
        return f"CREATE TABLE {construct.element.name}"
    text = construct if isinstance(construct, str) else _compiled(construct, connection.dialect)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def _compiled(construct: Any, dialect: sa.Dialect) -> str:
    if isinstance(construct, sa.schema.DDLElement):
        return str(construct.compile(dialect=dialect))
    try:
        return str(construct.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    except sa.exc.CompileError:  # a value that has no literal
        return str(construct.compile(dialect=dialect))
