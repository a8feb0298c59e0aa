# SPDX-License-Identifier: Apache-2.0
"""The declarative base of all tables, with the constraint names of the contract (sql-schema.md)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from oslo_db.sqlalchemy import models
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> sa.MetaData:
    """Give the metadata of one sub-tree: each has its own migrations, so its own tables."""
    return sa.MetaData(naming_convention=NAMING_CONVENTION)


def get_base() -> Any:
    """Give a new declarative base with the naming convention; for plugins with own tables."""

    class Base(DeclarativeBase, models.ModelBase):
        metadata = new_metadata()

    return Base
