# SPDX-License-Identifier: Apache-2.0
"""Alias of :mod:`cloudkitty.db.migration_env`, for the ``env.py`` of plugins (rating.md 2.2)."""

from cloudkitty.db.migration_env import run_migrations_online

__all__ = ["run_migrations_online"]
