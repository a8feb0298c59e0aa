# SPDX-License-Identifier: Apache-2.0
"""Rows of the deprecated v1 collector calls (contract api.md 12, sql-schema.md 3.1).

Nothing but those calls reads them. A collector's state is a row of ``modules_state`` beside those
of rating modules, under a name of its own. Every function may raise :class:`UnstorableError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from oslo_db import api as db_api
from oslo_db import exception as db_exc

from cloudkitty import db
from cloudkitty.db import errors, module_info
from cloudkitty.db.models import ServiceToCollectorMapping

_PREFIX: Final = "collector_"
#: Longest service, and longest collector of a mapping, that the tables take.
MAX_LENGTH: Final = 255
#: Longest name of a collector that has a state.
MAX_STATE_LENGTH: Final = MAX_LENGTH - len(_PREFIX)

_COLUMN: Final = ServiceToCollectorMapping.__table__.c

# Two callers may make the same row at the same time.
_retried = db_api.wrap_db_retry(
    max_retries=5,
    retry_on_deadlock=True,
    jitter=True,
    exception_checker=lambda exc: isinstance(exc, db_exc.DBDuplicateEntry),
)


class UnstorableError(Exception):
    """A name has characters that the tables of this database do not take; a caller's mistake."""

    code = 400


@contextmanager
def _values() -> Iterator[None]:
    try:
        yield
    except errors.DATABASE_ERRORS as exc:
        if errors.refuses_value(exc):
            raise UnstorableError("The database cannot store one of the values.") from exc
        raise


@dataclass(frozen=True, slots=True)
class ServiceMapping:
    """Which collector a service is mapped to."""

    service: str
    collector: str


def list_mappings(collector: str | None = None) -> list[ServiceMapping]:
    """Give all mappings, or those of one collector, by service."""
    query = sa.select(_COLUMN.service, _COLUMN.collector).order_by(_COLUMN.service)
    if collector is not None:
        query = query.where(_COLUMN.collector == collector)
    with _values(), db.session_for_read() as session:
        return [ServiceMapping(*row) for row in session.execute(query)]


def get_mapping(service: str) -> ServiceMapping | None:
    """Give the mapping of a service."""
    query = sa.select(_COLUMN.service, _COLUMN.collector).where(_COLUMN.service == service)
    with _values(), db.session_for_read() as session:
        row = session.execute(query).first()
        return None if row is None else ServiceMapping(*row)


@_retried
def set_mapping(service: str, collector: str) -> ServiceMapping:
    """Map a service to a collector, in place of the one it is mapped to; gives the mapping."""
    change = (
        sa.update(ServiceToCollectorMapping)
        .where(_COLUMN.service == service)
        .values(collector=collector)
    )
    with _values(), db.session_for_write() as session:
        changed = session.execute(change)
        if not changed.rowcount:  # type: ignore[attr-defined]
            session.execute(
                sa.insert(ServiceToCollectorMapping).values(service=service, collector=collector)
            )
    return ServiceMapping(service, collector)


def delete_mapping(service: str) -> bool:
    """Delete the mapping of a service; False when there was none."""
    with _values(), db.session_for_write() as session:
        deleted = session.execute(
            sa.delete(ServiceToCollectorMapping).where(_COLUMN.service == service)
        )
        return bool(deleted.rowcount)  # type: ignore[attr-defined]


def get_state(name: str) -> bool:
    """Whether a collector is on; False for one that nobody ever switched."""
    with _values():
        return module_info.get_state(_PREFIX + name)


@_retried
def set_state(name: str, *, enabled: bool) -> bool:
    """Switch a collector on or off; gives what is stored."""
    with _values():
        return module_info.set_state(_PREFIX + name, enabled)
