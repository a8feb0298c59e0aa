# SPDX-License-Identifier: Apache-2.0
from acme_rating import models

from cloudkitty.common.db.alembic import env

env.run_migrations_online(models.Base.metadata, "acme_alembic")
