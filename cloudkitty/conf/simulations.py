# SPDX-License-Identifier: Apache-2.0
"""Options of ``[simulations]``: trying rules on stored usage."""

from oslo_config import cfg

GROUP = "simulations"

OPTS = [
    cfg.IntOpt(
        "max_interval_days",
        min=0,
        default=366,
        help="Most days from begin to end of a simulation; 0: no limit.",
    ),
    cfg.IntOpt(
        "max_rows",
        min=1,
        default=100_000,
        help="Most groups that the result of a simulation may have.",
    ),
    cfg.IntOpt(
        "max_stored",
        min=1,
        default=100,
        help="Most simulations that are kept. The oldest that are finished go when there are more; "
        "when none is, no more are taken.",
    ),
    cfg.IntOpt(
        "keep_days",
        min=1,
        default=30,
        help="Days that the result of a simulation is kept.",
    ),
]
