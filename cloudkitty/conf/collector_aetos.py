# SPDX-License-Identifier: Apache-2.0
"""Options of ``[collector_aetos]``."""

from oslo_config import cfg

from cloudkitty.conf.fetcher_keystone import SESSION_OPTS

GROUP = "collector_aetos"

OPTS = [
    cfg.StrOpt(
        "interface",
        choices=["internal", "public", "admin"],
        default="public",
        help="Endpoint of metric-storage in Keystone's catalogue that is asked.",
    ),
    cfg.StrOpt("region_name", help="Region of that endpoint. By default any."),
    *SESSION_OPTS,
]
