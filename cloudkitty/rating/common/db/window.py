# SPDX-License-Identifier: Apache-2.0
"""Which rules a list shows, by their window and by who changed them (contract api.md 7.5).

Texts are compared outside of the database: exactly, and literally, whatever its collation.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_

from cloudkitty.rating import dates
from cloudkitty.rating.common.db import audit


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFilter:
    """What a list can be narrowed by; all that is given is ANDed. Deleted rules are left out."""

    deleted: bool = False
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    created_by: str | None = None
    updated_by: str | None = None
    deleted_by: str | None = None
    description: str | None = None
    is_active: bool = False


def conditions(model: type[Any], wanted: Any) -> list[Any]:
    """Give the conditions on the dates of `model`; `wanted` has the attributes of WindowFilter."""
    found: list[Any] = []
    if not wanted.deleted or wanted.is_active:
        found.append(model.deleted.is_(None))
    if wanted.start is not None:
        found.append(model.start >= wanted.start)
    if wanted.end is not None:
        found.append(model.end < wanted.end)
    if wanted.is_active:
        now = dates.local_now()
        found += [model.start <= now, or_(model.end.is_(None), model.end > now)]
    return found


def admits(wanted: Any, record: Any) -> bool:
    """Whether the texts of `record` are as wanted."""
    for name in ("created_by", "updated_by", "deleted_by"):
        user = getattr(wanted, name)
        if user and not audit.same(user, getattr(record, name)):
            return False
    part = (wanted.description or "").casefold()
    return part in (record.description or "").casefold()
