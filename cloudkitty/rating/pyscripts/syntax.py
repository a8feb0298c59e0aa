# SPDX-License-Identifier: Apache-2.0
"""A word in the log when a source that was stored cannot be compiled (contract rating.md 5.3)."""

from __future__ import annotations

from oslo_log import log

from cloudkitty.rating.pyscripts.isolation import IsolationError, shared
from cloudkitty.sandbox.engine import Source

LOG = log.getLogger(__name__)


def warn(name: str, source: str | None) -> None:
    """Compile a source where scripts run, without running it, and log what is wrong with it.

    It is stored whatever comes out: the API takes any text.
    """
    if not source:
        return
    try:
        problem = shared().check(Source("", name, source.encode()))
    except IsolationError as exc:
        LOG.warning("Script '%s' was stored without being checked: %s", name, exc)
        return
    if problem is not None:
        LOG.warning("Script '%s' was stored, but scopes it applies to will fail: %s", name, problem)
