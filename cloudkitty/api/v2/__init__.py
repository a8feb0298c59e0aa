# SPDX-License-Identifier: Apache-2.0
"""API v2: JSON in, JSON out (contract api.md 13)."""

from __future__ import annotations

from oslo_config import cfg

from cloudkitty.api.v2.app import V2
from cloudkitty.api.v2.routes import ROUTES
from cloudkitty.api.wsgi import WSGIApplication
from cloudkitty.storage.base import get_storage


def make_app(conf: cfg.ConfigOpts) -> WSGIApplication:
    """Build the application that answers everything below ``/v2``.

    Raises stevedore.exception.NoMatches for a storage backend that is not installed.
    """
    return V2(ROUTES, conf, get_storage(conf))
