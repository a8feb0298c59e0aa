# SPDX-License-Identifier: Apache-2.0
"""Options of ``[orchestrator]``: the processor."""

from oslo_concurrency import processutils
from oslo_config import cfg

GROUP = "orchestrator"

OPTS = [
    cfg.StrOpt(
        "coordination_url",
        secret=True,
        default="file:///var/lib/cloudkitty/locks",
        help="Lock service (tooz URL) that keeps workers from doing the same work twice. Empty: "
        "leases in the SQL database do that alone. Nothing is ever stored twice either way.",
    ),
    cfg.IntOpt(
        "max_workers",
        min=0,
        default=processutils.get_worker_count(),
        sample_default=4,
        help="Number of rating processes.",
    ),
    cfg.IntOpt(
        "max_workers_reprocessing",
        min=0,
        default=processutils.get_worker_count(),
        sample_default=4,
        help="Number of reprocessing processes.",
    ),
    cfg.IntOpt(
        "max_threads",
        min=1,
        default=16,
        deprecated_name="max_greenthreads",
        advanced=True,
        help="Number of requests that one worker makes to the source of usage at the same time.",
    ),
    cfg.StrOpt(
        "skip_datapoints_expression",
        default="False",
        advanced=True,
        help="Points for which this expression is true are not stored, for example "
        "datapoint.get('vol', {}).get('qty', 0) == 0. A metric may have its own.",
    ),
    cfg.IntOpt(
        "collector_request_timeout",
        min=30,
        default=300,
        advanced=True,
        help="Seconds that collecting all metrics of one batch may take.",
    ),
    cfg.IntOpt(
        "batch_scopes",
        min=1,
        default=200,
        advanced=True,
        help="Number of scopes that one request to the source may ask for.",
    ),
    cfg.IntOpt(
        "batch_periods",
        min=1,
        default=24,
        advanced=True,
        help="Number of periods that one request to the source may ask for when scopes lag.",
    ),
    cfg.IntOpt(
        "batch_points",
        min=1000,
        default=500_000,
        advanced=True,
        help="Number of points that a worker may hold at once; larger batches are split. It "
        "bounds the memory of a worker.",
    ),
    cfg.IntOpt(
        "lease_seconds",
        min=10,
        default=600,
        advanced=True,
        help="How long a worker that died keeps others from its scopes.",
    ),
]
