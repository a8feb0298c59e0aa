# SPDX-License-Identifier: Apache-2.0
"""Options of ``[fetcher_source]``."""

from oslo_config import cfg

GROUP = "fetcher_source"

OPTS = [cfg.ListOpt("sources", default=[], help="The scope ids, one after the other.")]
