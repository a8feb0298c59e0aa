# SPDX-License-Identifier: Apache-2.0
"""Options of ``[collect]``."""

from oslo_config import cfg

GROUP = "collect"

OPTS = [
    cfg.StrOpt("collector", default="gnocchi", help="Collector: where usage is read from."),
    cfg.IntOpt("period", min=1, default=3600, help="Length of a rating period in seconds."),
    cfg.IntOpt(
        "wait_periods",
        default=2,
        min=0,
        help="A period that starts at T is rated once T + wait_periods * period lies in the "
        "past. Below 1 it is rated before it has ended.",
    ),
    cfg.StrOpt(
        "metrics_conf",
        default="/etc/cloudkitty/metrics.yml",
        help="File that says which metrics are collected and how.",
    ),
    cfg.StrOpt(
        "scope_key",
        default="project_id",
        help="Attribute or label that holds the scope id: what usage is split by.",
    ),
]
