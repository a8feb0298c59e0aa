# SPDX-License-Identifier: Apache-2.0
"""What is in a database beside the tables and columns that we know: it is told, not touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from cloudkitty.db.subtree import SubTree

# Of the hybrid storage of older releases, which wrote amounts to Gnocchi.
_HYBRID: Final = frozenset({"hybrid_storage_states", "storage_hybrid_alembic"})


def unknown(connection: Connection, trees: Iterable[SubTree]) -> Iterator[str]:
    """Yield a sentence for tables that belong to none of `trees`, and for columns beside ours."""
    inspector = sa.inspect(connection)
    left = set(inspector.get_table_names())
    for tree in trees:
        left -= {tree.version_table, tree.ext_version_table}
        for name, table in tree.metadata.tables.items():
            if name not in left:
                continue
            left.remove(name)
            columns = {column["name"] for column in inspector.get_columns(name)}
            extra = sorted(columns - set(table.columns.keys()))
            if extra:
                yield f"columns of {name} that are not ours stay as they are: {', '.join(extra)}"
    if hybrid := sorted(left & _HYBRID):
        yield f"tables of the hybrid storage, which is no more, stay as they are: {_listed(hybrid)}"
    if others := sorted(left - _HYBRID):
        yield f"tables of plug-ins or other software stay as they are: {_listed(others)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names)
