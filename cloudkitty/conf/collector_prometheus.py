# SPDX-License-Identifier: Apache-2.0
"""Options of ``[collector_prometheus]``."""

from oslo_config import cfg

GROUP = "collector_prometheus"

#: What the Prometheus collector and the Prometheus fetcher have in common.
CONNECTION_OPTS = [
    cfg.StrOpt(
        "prometheus_user",
        help="User for HTTP basic authentication; used only together with the password.",
    ),
    cfg.StrOpt("prometheus_password", secret=True, help="Password of prometheus_user."),
    cfg.StrOpt("cafile", help="CA bundle for the server's certificate."),
    cfg.BoolOpt(
        "insecure",
        default=False,
        help="Do not verify the server's certificate; without effect when cafile is set.",
    ),
    cfg.FloatOpt("timeout", default=60, min=0, help="Seconds to wait for an answer."),
]

OPTS = [
    cfg.StrOpt(
        "prometheus_url",
        default="",
        help="Base URL of the Prometheus API, for example http://localhost:9090/api/v1.",
    ),
    *CONNECTION_OPTS,
]
