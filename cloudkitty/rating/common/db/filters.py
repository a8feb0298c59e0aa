# SPDX-License-Identifier: Apache-2.0
"""Filters on the columns of :class:`cloudkitty.rating.common.db.models.VolatileAuditableModel`."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeVar

from sqlalchemy import or_

from cloudkitty.rating import dates

_Query = TypeVar("_Query", bound=Any)


def get_filters(
    query: _Query,
    model: type[Any],
    *,
    deleted: bool = False,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    created_by: str | None = None,
    updated_by: str | None = None,
    deleted_by: str | None = None,
    description: str | None = None,
    is_active: bool = False,
) -> _Query:
    """Give `query`, a select or ORM query of `model`, narrowed by what is given (api.md 7.5).

    Deleted rules are left out unless `deleted`. `start` keeps those that start then or later,
    `end` those that end before; `is_active` those valid now; `description` those that contain it,
    whatever the case; the others compare exactly.
    """
    conditions: list[Any] = []
    if not deleted or is_active:
        conditions.append(model.deleted.is_(None))
    if start is not None:
        conditions.append(model.start >= start)
    if end is not None:
        conditions.append(model.end < end)
    users = {"created_by": created_by, "updated_by": updated_by, "deleted_by": deleted_by}
    conditions += [getattr(model, name) == user for name, user in users.items() if user]
    if description:
        conditions.append(model.description.icontains(description, autoescape=True))
    if is_active:
        now = dates.local_now()
        conditions += [model.start <= now, or_(model.end.is_(None), model.end > now)]
    filtered: _Query = query.where(*conditions)
    return filtered
