# SPDX-License-Identifier: Apache-2.0
"""Import paths that others use go on leading to what they led to (rating.md 2.2)."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty import messaging
from cloudkitty.db import api


@pytest.mark.parametrize(
    ("alias", "names"),
    [
        (
            "cloudkitty.common.db.alembic.migration",
            ["load_alembic_config", "upgrade", "version", "revision", "stamp"],
        ),
        ("cloudkitty.common.db.alembic.env", ["run_migrations_online"]),
        ("cloudkitty.common.db.models", ["get_base"]),
        ("cloudkitty.db", ["session_for_read", "session_for_write"]),
        ("cloudkitty.rating.common.db.models", ["VolatileAuditableModel"]),
        ("cloudkitty.rating.common.db.filters", ["get_filters"]),
        ("cloudkitty.rating.common.validations.fields", ["validate_resource"]),
        ("cloudkitty.rating.common.datamodels.models", ["VolatileAuditableModel"]),
    ],
)
def test_names(alias: str, names: list[str]) -> None:
    module = importlib.import_module(alias)
    assert all(callable(getattr(module, name)) for name in names)


@pytest.mark.usefixtures("sqlite_database")
def test_module_info() -> None:
    info: Any = api.get_instance().get_module_info()
    assert info.get_state("hashmap") is False
    assert info.get_priority("hashmap") == 1
    assert info.set_state("hashmap", enabled=True) is True
    assert info.set_priority("hashmap", 7) == 7
    assert (info.get_state("hashmap"), info.get_priority("hashmap")) == (True, 7)


def test_messaging_client(conf: cfg_fixture.Config) -> None:
    messaging._transport.cache_clear()
    conf.load_raw_values(transport_url="fake://")
    try:
        client = messaging.get_client()
        assert (client.target.topic, client.target.version) == ("cloudkitty", "1.0")
        assert client.transport.conf.control_exchange == "cloudkitty"
        client.prepare(namespace="rating", fanout=True).cast({}, "reload_module", name="hashmap")
    finally:
        messaging._transport.cache_clear()
