# SPDX-License-Identifier: Apache-2.0
"""Options of ``[collector_gnocchi]``."""

from oslo_config import cfg

from cloudkitty.conf.fetcher_keystone import SESSION_OPTS

GROUP = "collector_gnocchi"

#: What the Gnocchi collector and the Gnocchi fetcher have in common.
CONNECTION_OPTS = [
    cfg.StrOpt(
        "gnocchi_auth_type",
        default="keystone",
        choices=["keystone", "basic"],
        help="How to log in at Gnocchi: keystone, with the credentials of this section or of the "
        "one that auth_section names, or basic, as gnocchi_user without a password.",
    ),
    cfg.StrOpt("gnocchi_user", default="", help="User for gnocchi_auth_type = basic."),
    cfg.StrOpt(
        "gnocchi_endpoint",
        default="",
        help="Base URL of Gnocchi for gnocchi_auth_type = basic, for example "
        "http://localhost:8041. With keystone it comes from the catalogue.",
    ),
    cfg.StrOpt(
        "interface",
        default="internalURL",
        help="Which endpoint of the catalogue to use: internalURL, publicURL or adminURL.",
    ),
    cfg.StrOpt(
        "region_name", default="RegionOne", help="Region whose endpoint of the catalogue to use."
    ),
    cfg.IntOpt(
        "http_pool_maxsize",
        default=10,
        min=1,
        help="Connections to keep open, and requests to have under way at the same time.",
    ),
    *SESSION_OPTS,
]

OPTS = [*CONNECTION_OPTS]
