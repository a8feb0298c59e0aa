# SPDX-License-Identifier: Apache-2.0
"""Options of ``[fetcher_gnocchi]``."""

from oslo_config import cfg

from cloudkitty.conf.collector_gnocchi import CONNECTION_OPTS

GROUP = "fetcher_gnocchi"

OPTS = [
    cfg.StrOpt(
        "scope_attribute",
        default="project_id",
        help="Attribute of resources that holds the scope id.",
    ),
    cfg.ListOpt(
        "resource_types",
        default=["generic"],
        help="Types of resources to look at. generic, or none at all, is every type.",
    ),
    *CONNECTION_OPTS,
]
