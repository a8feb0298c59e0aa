# SPDX-License-Identifier: Apache-2.0
"""Options of ``[fetcher_prometheus]``."""

from oslo_config import cfg

from cloudkitty.conf.collector_prometheus import CONNECTION_OPTS

GROUP = "fetcher_prometheus"

OPTS = [
    cfg.StrOpt("metric", help="Metric whose series name the scopes."),
    cfg.StrOpt("scope_attribute", default="project_id", help="Label that holds the scope id."),
    cfg.DictOpt("filters", default={}, help="Conditions on labels: label:value,label:value."),
    cfg.StrOpt(
        "prometheus_url",
        help="Base URL of the Prometheus API, for example http://localhost:9090/api/v1.",
    ),
    *CONNECTION_OPTS,
]
