# SPDX-License-Identifier: Apache-2.0
"""Alembic environment of every history of ours: see cloudkitty.db.subtree."""

from alembic import context

from cloudkitty.db.migration_env import run_migrations_online

run_migrations_online(
    context.config.attributes["metadata"],
    context.config.attributes["version_table"],
)
