# SPDX-License-Identifier: Apache-2.0
"""What is written down about changes of rules (:mod:`cloudkitty.db.changes`).

Rules are described by the names of what they hang on, so that an entry says the same when that is
gone. From these descriptions rating makes the rules of the past (:mod:`..history`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import Session, aliased

from cloudkitty.db import changes
from cloudkitty.db.changes import Change
from cloudkitty.rating.hashmap import models
from cloudkitty.rating.hashmap.rules import trimmed

SERVICE: Final = "hashmap service"
FIELD: Final = "hashmap field"
GROUP: Final = "hashmap group"
MAPPING: Final = "hashmap mapping"
THRESHOLD: Final = "hashmap threshold"

#: A table of rules, or of what they hang on.
Model = type[models.Base]
#: Table -> kind of entries, name of the column with the id that the API shows.
_KINDS: Final[Mapping[Model, tuple[str, str]]] = {
    models.Service: (SERVICE, "service_id"),
    models.Field: (FIELD, "field_id"),
    models.Group: (GROUP, "group_id"),
    models.Mapping: (MAPPING, "mapping_id"),
    models.Threshold: (THRESHOLD, "threshold_id"),
}
#: Rows asked for in one statement.
_CHUNK: Final = 500

#: Id that the API shows, and description: values as the columns have them.
Described = tuple[str, dict[str, Any]]


def kind(model: Model) -> str:
    """Give the kind of the entries about a table."""
    return _KINDS[model][0]


def made(session: Session, model: Model, number: int) -> None:
    """Write down that the row `number` was made."""
    seen = describe(session, model, _ids(model) == number)
    changes.record(session, [_change(model, number, None, row) for number, row in seen.items()])


@contextmanager
def watch(session: Session, model: Model, condition: ColumnElement[bool]) -> Iterator[None]:
    """Write down what becomes inside of the rows that are so before.

    A mapping that is deleted softly is not there any more, as far as the log goes.
    """
    before = describe(session, model, condition)
    yield
    session.flush()
    now: dict[int, Described] = {}
    for chunk in _chunks(list(before)):
        now |= describe(session, model, _ids(model).in_(chunk))
    changes.record(
        session,
        [_change(model, number, seen, now.get(number)) for number, seen in before.items()],
    )


def remove(session: Session, model: Model, condition: ColumnElement[bool]) -> None:
    """Delete rows, and write down what they were."""
    session.flush()
    seen = describe(session, model, condition)
    for chunk in _chunks(list(seen)):
        gone = sa.delete(model).where(_ids(model).in_(chunk))
        session.execute(gone.execution_options(synchronize_session="fetch"))
    changes.record(session, [_change(model, number, was, None) for number, was in seen.items()])


def _change(model: Model, number: int, before: Described | None, after: Described | None) -> Change:
    kind, _ = _KINDS[model]
    id_ = (before or after or ("",))[0]
    was, is_ = (None if seen is None else seen[1] for seen in (before, after))
    if was and is_ and is_.get("deleted") and not was.get("deleted"):
        is_ = None
    return Change(kind, id_, was, is_, number)


def describe(
    session: Session, model: Model, condition: ColumnElement[bool]
) -> dict[int, Described]:
    """Give number of the row -> what it is, in order of creation."""
    query = _query(model).where(condition).order_by(_ids(model))
    found = {}
    for row in session.execute(query).mappings():
        described = {name: value for name, value in row.items() if not name.startswith("_")}
        for name in ("cost", "level"):
            if described.get(name) is not None:
                described[name] = trimmed(described[name])
        found[row["_number"]] = (row["_id"], described)
    return found


def _query(model: Model) -> Select[Any]:
    """Give the query for rows of a table, under the names that entries have."""
    table = model.__table__.c
    _, id_ = _KINDS[model]
    columns: list[Any] = [table.id.label("_number"), table[id_].label("_id")]
    if model in {models.Service, models.Group}:
        return sa.select(*columns, table.name.label("name"))
    service = models.Service
    if model is models.Field:
        return sa.select(*columns, service.name.label("service"), table.name.label("name")).join(
            service, service.id == models.Field.service_id, isouter=True
        )
    return _rules(model, columns)


def _rules(model: Any, columns: Collection[Any]) -> Select[Any]:
    own, above = aliased(models.Service), aliased(models.Service)
    names = (
        ("value", "type", "cost", "tenant_id", "name", "description", "created_at", "start", "end")
        if model is models.Mapping
        else ("level", "type", "cost", "tenant_id")
    )
    attributes = [
        getattr(model, "map_type" if name == "type" else name).label(name) for name in names
    ]
    if model is models.Mapping:
        attributes.append(model.deleted.label("deleted"))
    return (
        sa.select(
            *columns,
            sa.func.coalesce(own.name, above.name).label("service"),
            models.Field.name.label("field"),
            models.Group.name.label("group"),
            *attributes,
        )
        .select_from(model)
        .outerjoin(own, own.id == model.service_id)
        .outerjoin(models.Field, models.Field.id == model.field_id)
        .outerjoin(above, above.id == models.Field.service_id)
        .outerjoin(models.Group, models.Group.id == model.group_id)
    )


def _ids(model: Model) -> ColumnElement[int]:
    found: ColumnElement[int] = model.__table__.c.id
    return found


def _chunks(numbers: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), _CHUNK):
        yield numbers[start : start + _CHUNK]
