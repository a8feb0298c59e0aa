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
    cfg.IntOpt(
        "lookback",
        min=0,
        help="Seconds for which a scope whose series have ended is still named, so that its last "
        "periods are rated, and so that a gap in the metric stops nobody. Default: wait_periods + "
        "2 periods. Set it higher to catch up after a longer outage of the processor; 0: only "
        "scopes that there are now. Without effect when metric is an expression.",
    ),
    *CONNECTION_OPTS,
]
