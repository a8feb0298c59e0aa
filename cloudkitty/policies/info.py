# SPDX-License-Identifier: Apache-2.0
"""Rules of the v1 info calls (contract api.md 5.2)."""

from cloudkitty.policies.base import EVERYBODY, operation

RULES = (
    # The two service rules exist because policy files name them; the calls check those of metrics.
    operation(
        "info:list_services_info",
        EVERYBODY,
        "Not checked: see info:list_metrics_info.",
        "GET /v1/info/services",
    ),
    operation(
        "info:get_service_info",
        EVERYBODY,
        "Not checked: see info:get_metric_info.",
        "GET /v1/info/services/{service_id}",
    ),
    operation(
        "info:list_metrics_info",
        EVERYBODY,
        "List the metrics that are collected.",
        "GET /v1/info/metrics",
        "GET /v1/info/services",
    ),
    operation(
        "info:get_metric_info",
        EVERYBODY,
        "Show a metric that is collected.",
        "GET /v1/info/metrics/{metric_id}",
        "GET /v1/info/services/{service_id}",
    ),
    operation(
        "info:get_config",
        EVERYBODY,
        "Show the configuration of metrics.",
        "GET /v1/info/config",
    ),
)
