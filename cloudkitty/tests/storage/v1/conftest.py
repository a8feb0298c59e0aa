# SPDX-License-Identifier: Apache-2.0
"""Storages of the first generation."""

from __future__ import annotations

import pytest

from cloudkitty import storage as storage_module
from cloudkitty.storage.v1.sqlalchemy import SQLAlchemyAdapter
from cloudkitty.tests.storage.v1 import old


def build() -> SQLAlchemyAdapter:
    storage = storage_module.get_storage(backend="sqlalchemy", version=1)
    assert isinstance(storage, SQLAlchemyAdapter)
    return storage


@pytest.fixture
def storage(database: str) -> SQLAlchemyAdapter:
    """The storage with tables as this release makes them, on each engine."""
    return build()


@pytest.fixture
def old_storage(empty_database: str) -> SQLAlchemyAdapter:
    """The storage with the table of an older release, on each engine."""
    old.create()
    return build()
