# SPDX-License-Identifier: Apache-2.0
"""What ``cloudkitty-dbsync`` calls."""

from pathlib import Path

from cloudkitty.common.db.alembic import migration

ALEMBIC_REPO = str(Path(__file__).parent / "alembic")


class Migration:
    """The history in the directory ``alembic``."""

    def upgrade(self, revision):
        migration.upgrade(self._config(), revision)

    def version(self):
        migration.version(self._config())

    def stamp(self, revision):
        migration.stamp(self._config(), revision)

    def revision(self, message, autogenerate):
        migration.revision(self._config(), message, autogenerate)

    def _config(self):
        return migration.load_alembic_config(ALEMBIC_REPO)


def get_migration():
    """Give the history; the class of the rating module is not instantiated for this."""
    return Migration()
