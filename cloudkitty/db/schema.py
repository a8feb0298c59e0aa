# SPDX-License-Identifier: Apache-2.0
"""All tables at once, without history: for tests, and for comparing migrations with models."""

from __future__ import annotations

import importlib
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

#: Sub-tree -> module with its declarative ``Base`` (contract sql-schema.md 1, and ours).
SUB_TREES: Final = {
    "cloudkitty": "cloudkitty.db.models",
    "hashmap": "cloudkitty.rating.hashmap.models",
    "pyscripts": "cloudkitty.rating.pyscripts.models",
    "storage_sqlalchemy": "cloudkitty.storage.v1.sqlalchemy.models",
    "storage_states": "cloudkitty.state.models",
    "storage_v2_sqlalchemy": "cloudkitty.storage.v2.sqlalchemy.models",
}


def metadata(sub_tree: str) -> sa.MetaData:
    """Give the tables of one sub-tree."""
    base = importlib.import_module(SUB_TREES[sub_tree]).Base
    found: sa.MetaData = base.metadata
    return found


def create_all(engine: Engine) -> None:
    """Create every table of every sub-tree."""
    for sub_tree in SUB_TREES:
        metadata(sub_tree).create_all(engine)
