# SPDX-License-Identifier: Apache-2.0
"""Alias of :mod:`cloudkitty.db.migration` (contract rating.md 2.2)."""

from cloudkitty.db.migration import load_alembic_config, revision, stamp, upgrade, version

__all__ = ["load_alembic_config", "revision", "stamp", "upgrade", "version"]
