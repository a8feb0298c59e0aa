# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty-storage-init``: prepares the configured storage and the tables of scope states.

Contract config.md 4.3; may be run again. Exit status 0; 1 with one line on standard error for what
went wrong; 2 for arguments that do not exist.
"""

from __future__ import annotations

import sys

from oslo_config import cfg
from oslo_log import log
from stevedore.exception import NoMatches

from cloudkitty import service
from cloudkitty.cli import database
from cloudkitty.db import errors
from cloudkitty.db.migration import MigrationError
from cloudkitty.state import migrations as state
from cloudkitty.storage.base import get_storage

LOG = log.getLogger(__name__)


def main() -> int:
    """Run the command line of this process and give its exit status."""
    return service.run(_body)


def _body() -> None:
    conf = service.prepare()
    database.progress_to_stderr()
    with database.refusing():
        states = state.get_migration()
        states.check()
        _init_storage(conf)
        states.upgrade()


def _init_storage(conf: cfg.ConfigOpts) -> None:
    try:
        get_storage(conf).init()
    except NoMatches as exc:
        raise service.Refused(f"[storage] backend: {exc}") from exc
    except MigrationError:
        raise
    except Exception as exc:
        if errors.describe(exc, conf.database.connection):
            raise
        # Storages raise whatever their client libraries do; operators get one line.
        LOG.debug("the storage could not be prepared", exc_info=True)
        reason = " ".join(f"{type(exc).__name__}: {exc}".split())
        raise service.Refused(f"storage {conf.storage.backend!r}: {reason}") from exc


if __name__ == "__main__":
    sys.exit(main())
