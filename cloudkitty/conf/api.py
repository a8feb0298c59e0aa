# SPDX-License-Identifier: Apache-2.0
"""Options of ``[api]``."""

from oslo_config import cfg

GROUP = "api"

OPTS = [
    cfg.PortOpt("port", default=8889, help="Port that the cloudkitty-api command listens on."),
    cfg.IntOpt(
        "workers",
        min=1,
        default=2,
        help="Number of processes that the cloudkitty-api command serves with.",
    ),
    cfg.BoolOpt(
        "pecan_debug",
        default=False,
        help="Pecan's debug page for errors of API v1. Shows source code: never on a network.",
    ),
]
