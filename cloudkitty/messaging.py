# SPDX-License-Identifier: Apache-2.0
"""The message bus, as out-of-tree modules ask for it (contract rating.md 2.2 and 2.6).

Nothing of ours needs a message to be correct: they only wake somebody up sooner.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import oslo_messaging
from oslo_config import cfg

TOPIC: Final = "cloudkitty"
VERSION: Final = "1.0"


def get_client(version_cap: str | None = None) -> Any:
    """Give an RPC client on topic ``cloudkitty``, version 1.0, of ``[DEFAULT] transport_url``."""
    target = oslo_messaging.Target(topic=TOPIC, version=VERSION)
    return oslo_messaging.get_rpc_client(_transport(), target, version_cap=version_cap)


@functools.cache
def _transport() -> Any:
    """Give the connection to the bus, one for all clients of the process."""
    oslo_messaging.set_transport_defaults(control_exchange=TOPIC)
    return oslo_messaging.get_rpc_transport(cfg.CONF)
