# SPDX-License-Identifier: Apache-2.0
"""Options of ``[storage]``."""

from oslo_config import cfg

GROUP = "storage"

OPTS = [
    cfg.IntOpt("version", min=1, max=2, default=2, help="Generation of the storage interface."),
    cfg.StrOpt(
        "backend",
        default="sqlalchemy",
        help="Storage: where rated data frames are kept. The default is the SQL database of "
        "[database].",
    ),
    cfg.IntOpt(
        "retention_period",
        default=2400,
        help="Hours that drivers may tell as how long data is kept; nothing is deleted by it.",
    ),
]
