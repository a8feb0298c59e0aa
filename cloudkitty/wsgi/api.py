# SPDX-License-Identifier: Apache-2.0
"""``cloudkitty.wsgi.api:application``, for uWSGI, mod_wsgi and the like (contract config.md 4.1).

Importing this reads the configuration, starts logging and builds the pipeline. Only
``--config-file`` and ``--config-dir`` are taken from the arguments of the hosting server.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from cloudkitty import service
from cloudkitty.api import app
from cloudkitty.api.wsgi import WSGIApplication

_PROG: Final = "cloudkitty-api"
_OURS: Final = ("--config-file", "--config-dir")


def config_arguments(argv: Sequence[str]) -> Iterator[str]:
    """Give those of a server's arguments that say where the configuration is."""
    rest = iter(argv)
    for arg in rest:
        if arg.startswith(tuple(f"{name}=" for name in _OURS)):
            yield arg
        elif arg in _OURS:
            value = next(rest, None)
            if value is not None:
                yield f"{arg}={value}"


def build() -> WSGIApplication:
    """Read the configuration and build the application.

    Raises cloudkitty.service.Refused and what cloudkitty.api.app.load_app raises.
    """
    return app.load_app(service.prepare(list(config_arguments(sys.argv[1:])), prog=_PROG))


application = build()
service.freeze()
