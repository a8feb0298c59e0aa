# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a database, in one line for an operator."""

from __future__ import annotations

import re
from typing import Final

import sqlalchemy as sa
from oslo_db import exception as db_exc
from sqlalchemy import exc as sa_exc

#: What opening a database or working with it raises when the database is at fault.
DATABASE_ERRORS: Final = (db_exc.DBError, db_exc.CantStartEngineError, sa_exc.SQLAlchemyError)

_UNREACHABLE: Final = (
    db_exc.DBConnectionError,
    db_exc.DBNonExistentDatabase,
    db_exc.CantStartEngineError,
)
# MySQL and MariaDB, about a character that the column's character set has not: "incorrect string
# value" when it is to be stored, "illegal mix of collations" when it is compared with.
_BEYOND_CHARSET: Final = frozenset({1366, 1267})

_BACKGROUND: Final = re.compile(r"\(Background on this error at: \S+\)")
_EXCEPTION: Final = re.compile(r"^\([\w.]+\) ")
_STATEMENT: Final = re.compile(r"\[(SQL|parameters): .*", re.DOTALL)


def describe(error: BaseException, connection: str | None) -> str | None:
    """Say in one line what is wrong with the database at `connection`, a URL.

    Gives None when `error` is no fault of the database or of the URL. Passwords are not shown.
    """
    if isinstance(error, ModuleNotFoundError):
        return _missing_driver(error, connection)
    if connection and _parsed(connection) is None:
        # The text of the error may hold the whole URL, password included.
        return "[database] connection is not a database URL"
    if not isinstance(error, DATABASE_ERRORS):
        return None
    if not connection:
        return "[database] connection is not set"
    if isinstance(error, sa_exc.NoSuchModuleError):
        return f"[database] connection: unknown engine {_scheme(connection)!r}"
    return f"database {_parsed(connection)}: {_reason(error)}"


def unreachable(error: BaseException) -> bool:
    """Whether `error` says that the database cannot be reached at present, whatever was asked."""
    if isinstance(error, _UNREACHABLE):
        return True
    if isinstance(error, db_exc.DBNonExistentTable):
        return False
    if isinstance(error, db_exc.DBError):
        return isinstance(error.inner_exception, sa_exc.OperationalError)
    # DBAPI's class for what is wrong with the server, not with the statement: oslo.db does not
    # know the text of every release of a driver.
    return isinstance(error, sa_exc.OperationalError | sa_exc.TimeoutError)


def refuses_value(error: BaseException) -> bool:
    """Whether the database says that it cannot store a value, or compare anything with it.

    Tables of older releases on MySQL and MariaDB may lack characters that others take.
    """
    if isinstance(error, db_exc.DBDataError):
        return True
    # oslo.db leaves errors that it has no class for as they are, or wraps them.
    cause = error.inner_exception if isinstance(error, db_exc.DBError) else error
    original = getattr(cause, "orig", None)
    return bool(original is not None and original.args and original.args[0] in _BEYOND_CHARSET)


def _missing_driver(error: ModuleNotFoundError, connection: str | None) -> str | None:
    """Say which driver is missing; None when the module is not what the URL asks for."""
    url = _parsed(connection)
    if url is None:
        return None
    try:
        url.get_dialect().import_dbapi()
    except ModuleNotFoundError as missing:
        if missing.name == error.name:
            return (
                f"[database] connection: the driver of {url.drivername!r} is not installed "
                f"(no Python module {error.name!r})"
            )
    except (sa_exc.SQLAlchemyError, ImportError, NotImplementedError):
        return None
    return None


def _parsed(connection: str | None) -> sa.URL | None:
    """Give the URL, whose text hides the password; None when it is none."""
    try:
        return sa.make_url(connection or "")
    except (sa_exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        return None


def _reason(error: BaseException) -> str:
    text = _EXCEPTION.sub("", _STATEMENT.sub("", _BACKGROUND.sub("", str(error))))
    return " ".join(text.split()) or type(error).__name__


def _scheme(connection: str) -> str:
    return connection.partition(":")[0]
