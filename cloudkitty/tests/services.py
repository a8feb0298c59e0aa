# SPDX-License-Identifier: Apache-2.0
"""Which real servers the tests can talk to.

``tools/services.sh`` starts them on loopback and exports the variables below. On a user's machine
a test whose server is missing is skipped with the reason; in CI
(``CLOUDKITTY_REQUIRE_SERVICES=1``) it fails.
"""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.mock import MockConnection

from cloudkitty.db import schema

ENGINES = ("sqlite", "postgresql", "mysql")
_URLS = {
    "postgresql": "CLOUDKITTY_TEST_POSTGRESQL_URL",
    "mysql": "CLOUDKITTY_TEST_MYSQL_URL",
}


def missing(reason: str) -> None:
    """Skip the test, or fail it where services are required."""
    if os.environ.get("CLOUDKITTY_REQUIRE_SERVICES") == "1":
        pytest.fail(f"required service missing: {reason}")
    pytest.skip(reason)


def env(variable: str) -> str:
    """Give an environment variable that names a service, or skip or fail."""
    value = os.environ.get(variable)
    if not value:
        missing(f"{variable} is not set (tools/services.sh starts and names the servers)")
    return value or ""


@contextmanager
def fresh_database(engine: str, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of an empty database of its own on `engine`; it is dropped afterwards."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path}/{uuid.uuid4().hex}.sqlite"
        return
    server = sa.make_url(env(_URLS[engine]))
    name = f"ck_{uuid.uuid4().hex[:20]}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    create = f"CREATE DATABASE {name}"
    if engine == "mysql":
        create += " CHARACTER SET utf8mb4"
    with admin.connect() as connection:
        connection.exec_driver_sql(create)
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            force = " WITH (FORCE)" if engine == "postgresql" else ""
            connection.exec_driver_sql(f"DROP DATABASE {name}{force}")
        admin.dispose()


def create_tables(engine: sa.Engine) -> None:
    """Create all tables in an empty database.

    As ``schema.create_all``, but what that compiles is compiled once, not for every test.
    """
    with engine.begin() as connection:
        statements = _statements(engine.dialect.name, connection)
        cursor = connection.connection.cursor()
        if engine.dialect.name == "postgresql":
            statements = (";\n".join(statements),)
        for statement in statements:
            cursor.execute(statement)
        cursor.close()


@functools.cache
def _compiled(name: str) -> list[str]:
    return []


def _statements(name: str, connection: sa.Connection) -> tuple[str, ...]:
    """Give the statements that create all tables on the server that `connection` talks to."""
    known = _compiled(name)
    if not known:
        dialect = connection.dialect

        def note(ddl: sa.DDLElement, *_arguments: object, **_options: object) -> None:
            known.append(str(ddl.compile(dialect=dialect)))

        for sub_tree in schema.SUB_TREES:
            schema.metadata(sub_tree).create_all(
                MockConnection(dialect, note),  # type: ignore[arg-type]
                checkfirst=False,
            )
    return tuple(known)
