# SPDX-License-Identifier: Apache-2.0
"""``custom_fields=*``: every point a row with all its columns (contract storage.md 5.8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudkitty.storage.v2.sqlalchemy.frames import StoredPoint, local


def rows(found: Sequence[StoredPoint]) -> list[dict[str, Any]]:
    """Give one row per point: begin and end of its frame, then all columns by name.

    All rows have the same keys, those that any of them has; the API's table takes its columns
    from the first. A label that is named like a column of the point stays hidden behind it.
    """
    names: set[str] = set()
    for stored in found:
        names |= stored.point.metadata.keys() | stored.point.groupby.keys()
    names -= {"begin", "end"}
    columns = sorted(names | {"price", "qty", "type", "unit"})
    out = []
    for stored in found:
        point = stored.point
        cells = {
            **point.desc,
            "price": point.price,
            "qty": point.qty,
            "type": stored.metric,
            "unit": point.unit,
        }
        row = {"begin": local(stored.begin), "end": local(stored.end)}
        out.append(row | {name: cells.get(name, "") for name in columns})
    return out
