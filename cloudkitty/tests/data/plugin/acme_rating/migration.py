# SPDX-License-Identifier: Apache-2.0
"""What the database tool calls."""

from pathlib import Path

from cloudkitty.common.db.alembic import migration

ALEMBIC_REPO = str(Path(__file__).parent / "alembic")


class Migration:
    def _config(self):
        return migration.load_alembic_config(ALEMBIC_REPO)

    def upgrade(self, revision):
        migration.upgrade(self._config(), revision)

    def version(self):
        migration.version(self._config())

    def stamp(self, revision):
        migration.stamp(self._config(), revision)

    def revision(self, message, autogenerate):
        migration.revision(self._config(), message, autogenerate)


def get_migration():
    return Migration()
