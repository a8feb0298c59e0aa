# SPDX-License-Identifier: Apache-2.0
"""Options of ``[joins]``: labels that metrics take from other sources."""

from oslo_config import cfg

GROUP = "joins"

OPTS = [
    cfg.IntOpt(
        "cache_seconds",
        min=1,
        default=600,
        help="Seconds after which names from Keystone and attributes from Gnocchi are asked for "
        "again.",
    ),
    cfg.StrOpt(
        "keystone_section",
        default="fetcher_keystone",
        help="Section with the credentials for joins with Keystone, or with an auth_section that "
        "names it.",
    ),
    cfg.StrOpt(
        "keystone_interface",
        default="public",
        help="Interface of Keystone's endpoint that joins use: public, internal or admin.",
    ),
    cfg.StrOpt(
        "keystone_region", help="Region of Keystone's endpoint that joins use. By default any."
    ),
]
