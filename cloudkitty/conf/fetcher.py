# SPDX-License-Identifier: Apache-2.0
"""Options of ``[fetcher]``."""

from oslo_config import cfg

GROUP = "fetcher"

OPTS = [
    cfg.StrOpt("backend", default="keystone", help="Fetcher: who says which scopes exist."),
]
