# SPDX-License-Identifier: Apache-2.0
"""API v1: pecan controllers with WSME types (contract api.md 6 to 12)."""

from __future__ import annotations

from oslo_config import cfg

from cloudkitty.api.wsgi import WSGIApplication
from cloudkitty.storage.base import get_storage


def make_app(conf: cfg.ConfigOpts) -> WSGIApplication:
    """Build the application that answers everything below ``/v1``.

    Raises stevedore.exception.NoMatches for a storage backend that is not installed.
    """
    # Rating modules import types and decorators from here while their controllers are loaded.
    from cloudkitty.api.v1 import app

    return app.V1(conf, get_storage(conf))
