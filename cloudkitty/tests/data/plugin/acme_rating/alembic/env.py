# SPDX-License-Identifier: Apache-2.0
"""Runs migrations; the version table has a name of its own."""

from acme_rating import models

from cloudkitty.common.db.alembic import env

env.run_migrations_online(models.Base.metadata, "acme_alembic")
