# SPDX-License-Identifier: Apache-2.0
"""Options of ``[storage_sqlalchemy]``: the default storage."""

from oslo_config import cfg

GROUP = "storage_sqlalchemy"

OPTS = [
    cfg.IntOpt(
        "write_chunk",
        min=100,
        default=20_000,
        advanced=True,
        help="Number of points sent to the database in one go.",
    ),
]
