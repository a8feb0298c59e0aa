# SPDX-License-Identifier: Apache-2.0
"""What the commands that migrate databases have in common: progress lines, and errors."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from oslo_config import cfg

from cloudkitty.db import errors
from cloudkitty.db.migration import MigrationError
from cloudkitty.service import Refused

_LOGGERS: Final = ("alembic", "cloudkitty.db", "oslo_db")
# They log what they also raise, one of them with a traceback.
_REPEATING: Final = ("oslo_db.sqlalchemy.exc_filters", "stevedore")


def progress_to_stderr() -> None:
    """Show what migrations do on standard error, where scripts do not read.

    Standard output has what was asked for and nothing else (contract config.md 4.2).
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)-5.5s [%(name)s] %(message)s"))
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        # The root logger writes to standard output unless there is a log file.
        logger.propagate = bool(cfg.CONF.log_file or cfg.CONF.log_dir)
    for name in _REPEATING:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what is wrong with the database into Refused, one line naming the thing at fault."""
    try:
        yield
    except MigrationError as exc:
        raise Refused(str(exc)) from exc
    except Exception as exc:
        text = errors.describe(exc, cfg.CONF.database.connection)
        if text is None:
            raise
        raise Refused(text) from exc
