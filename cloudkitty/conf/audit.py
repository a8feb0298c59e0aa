# SPDX-License-Identifier: Apache-2.0
"""Options of ``[audit]``: the log of changes of rules, scripts and modules."""

from oslo_config import cfg

GROUP = "audit"

OPTS = [
    cfg.IntOpt(
        "keep_days",
        min=0,
        default=0,
        help="Days after which entries of the audit log are deleted, 0 for never. Periods that are "
        "rated again by the rules valid then need the log: what was deleted or changed before that "
        "is not known any more.",
    ),
]
