# SPDX-License-Identifier: Apache-2.0
"""Options of ``[pyscripts]``: what scripts may use."""

from oslo_config import cfg

GROUP = "pyscripts"

OPTS = [
    cfg.FloatOpt(
        "time_limit",
        min=0.01,
        default=60,
        help="Seconds that one script may take for one period of one scope. After that it is "
        "stopped, and the scope is tried again later.",
    ),
    cfg.IntOpt(
        "memory_limit",
        min=64,
        default=1024,
        help="Address space in MiB of the process that runs scripts.",
    ),
    cfg.IntOpt(
        "file_size_limit",
        min=0,
        default=64,
        help="Size in MiB that a file written by a script may reach.",
    ),
    cfg.IntOpt(
        "max_processes",
        min=0,
        default=0,
        help="How many processes a script may have at the same time beside its own. With 0 it can "
        "start none; threads are not limited. Those that still run when the script has ended are "
        "killed.",
    ),
    cfg.BoolOpt(
        "network",
        default=True,
        help="Whether scripts may use the network. Needs Linux on x86-64 or ARM64 to be denied.",
    ),
    cfg.ListOpt(
        "imports",
        default=["*"],
        help="Modules that scripts may import, * for any. This is a matter of order, not a wall: "
        "code that means to get around it can.",
    ),
    cfg.StrOpt(
        "user",
        help="User that scripts run as. Needs a service that is started as root; by default they "
        "run as the user of the service.",
    ),
    cfg.StrOpt(
        "interpreter",
        help="Path of the Python that runs scripts, at least 3.11: that of another virtual "
        "environment, for instance. By default it is the one that runs the service.",
    ),
]
