# SPDX-License-Identifier: Apache-2.0
"""Writing the table of rated points: each function is one transaction.

Points take the place of those that are the same one (8.1, 5.1.3): rows of the same scope, begin and
metric type whose labels of groupby are equal. There is hardly ever one; looking for them is one
query on an index for many scopes.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cloudkitty.storage.v1.sqlalchemy import desc, models
from cloudkitty.storage.v1.sqlalchemy import rows as rows_module
from cloudkitty.storage.v1.sqlalchemy.reading import TABLE, Selection
from cloudkitty.storage.v1.sqlalchemy.rows import Row
from cloudkitty.storage.v2.base import Advance, SetBack
from cloudkitty.storage.v2.sqlalchemy.session import retried, writing
from cloudkitty.usage import ScopeUsage

_C: Final = TABLE.c
_COLUMNS: Final = Row._fields[:-1]
#: Rows of one call of the database driver, which makes statements of a size it likes of them.
_CHUNK: Final = 10_000
#: Values of one IN list.
_VALUES: Final = 500

Key = tuple[str | None, dt.datetime, str]


@retried
def push(rows: Sequence[Row]) -> None:
    """Store points."""
    with writing() as session:
        _store(session, rows)


def commit(
    batch: Sequence[ScopeUsage],
    advance: Advance,
    *,
    whole_periods: bool = False,
) -> Collection[str]:
    """Store the usage of a batch and move its scopes on; gives the ids of those moved.

    With `whole_periods` it takes the place of all that these scopes have in these periods. Raises
    ValueError, with nothing stored, for what no column can hold.
    """
    prepared = [(usage, rows_module.of_usage(usage)) for usage in batch]
    return _commit(prepared, advance, whole_periods=whole_periods)


@retried
def rewind(set_back: SetBack, beyond: Callable[[dt.datetime], Selection]) -> bool:
    """Set a scope back and delete what it has after its last period.

    `beyond` gives, for that period's begin, what is to be deleted. Gives whether there was anything
    to do.
    """
    with writing() as session:
        # First: it locks the state of the scope, so that nobody rates it meanwhile.
        last = set_back(session)
        if last is not None:
            _delete(session, beyond(last))
    return last is not None


@retried
def delete(selection: Selection) -> None:
    """Delete what is selected; labels mean those of groupby where that is known (5.9)."""
    with writing() as session:
        _delete(session, selection)


@retried
def _commit(
    prepared: Sequence[tuple[ScopeUsage, Sequence[Row]]],
    advance: Advance,
    *,
    whole_periods: bool,
) -> Collection[str]:
    with writing() as session:
        # First: it locks the states of the scopes, so that nobody else stores anything for them.
        moved = advance(session)
        kept = [(usage, rows) for usage, rows in prepared if usage.scope_id in moved]
        if whole_periods:
            _clear(session, [usage for usage, _rows in kept])
        _store(session, [row for _usage, rows in kept for row in rows], look=not whole_periods)
    return moved


def _store(session: Session, rows: Sequence[Row], *, look: bool = True) -> None:
    if look and rows:
        _delete_ids(session, _replaced(session, rows))
    for start in range(0, len(rows), _CHUNK):
        some = [dict(zip(_COLUMNS, row, strict=False)) for row in rows[start : start + _CHUNK]]
        session.execute(sa.insert(TABLE), some)


def _replaced(session: Session, rows: Sequence[Row]) -> list[int]:
    """Give the ids of rows that `rows` replace."""
    wanted: dict[Key, set[desc.Identity]] = defaultdict(set)
    for row in rows:
        wanted[row.tenant_id, row.begin, row.res_type].add(row.identity)
    replacements: dict[Key, desc.Replacements] = {}
    found = []
    for present in _present(session, {(tenant, begin) for tenant, begin, _type in wanted}):
        if present.res_type == models.NO_DATA:
            # Now there is some, or it is said again.
            found.append(present.id)
            continue
        key = (present.tenant_id, present.begin, present.res_type)
        if key not in wanted:
            continue
        if key not in replacements:
            replacements[key] = desc.Replacements(wanted[key])
        if desc.read(present.desc) in replacements[key]:
            found.append(present.id)
    return found


def _present(
    session: Session,
    periods: Collection[tuple[str | None, dt.datetime]],
) -> Iterator[Any]:
    """Yield the rows of these scopes and begins."""
    begins: dict[str | None, list[dt.datetime]] = defaultdict(list)
    for tenant, begin in periods:
        begins[tenant].append(begin)
    windows: dict[tuple[dt.datetime, dt.datetime], list[str | None]] = defaultdict(list)
    for tenant, some in begins.items():
        windows[min(some), max(some)].append(tenant)
    columns = (_C.id, _C.tenant_id, _C.begin, _C.res_type, _C.desc)
    for (first, last), tenants in sorted(windows.items()):
        for condition in _of_tenants(tenants):
            query = sa.select(*columns).where(condition, _C.begin.between(first, last))
            for row in session.execute(query).all():
                # In tables of older releases MySQL finds others that differ in case only.
                if (row.tenant_id, row.begin) in periods:
                    yield row


def _of_tenants(tenants: Sequence[str | None]) -> Iterator[sa.ColumnElement[bool]]:
    names = sorted(tenant for tenant in tenants if tenant is not None)
    for start in range(0, len(names), _VALUES):
        yield _C.tenant_id.in_(names[start : start + _VALUES])
    if None in tenants:
        yield _C.tenant_id.is_(None)


def _clear(session: Session, usages: Sequence[ScopeUsage]) -> None:
    """Delete all that the scopes of `usages` have in their periods."""
    windows: Mapping[tuple[int, int], list[str]] = defaultdict(list)
    for usage in usages:
        if usage.begins:
            windows[usage.begins[0], usage.begins[-1] + usage.period].append(usage.scope_id)
    for (first, stop), names in sorted(windows.items()):
        for start in range(0, len(names), _VALUES):
            some = names[start : start + _VALUES]
            limits = (rows_module.moment(first), rows_module.moment(stop))
            _delete(session, Selection(*limits, tenants=some))


def _delete(session: Session, selection: Selection) -> None:
    where = list(selection.conditions())
    if not selection.labels:
        session.execute(sa.delete(TABLE).where(*where))
        return
    found = session.execute(sa.select(_C.id, _C.desc).where(*where, _C.res_type != models.NO_DATA))
    _delete_ids(
        session,
        [row.id for row in found if selection.matches(desc.read(row.desc), groupby_only=True)],
    )


def _delete_ids(session: Session, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), _VALUES):
        session.execute(sa.delete(TABLE).where(_C.id.in_(ids[start : start + _VALUES])))
