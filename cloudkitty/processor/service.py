# SPDX-License-Identifier: Apache-2.0
"""The daemon: a master that forks and watches rating processes (contract processor.md 1)."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import threading
import time
from typing import Final

import cotyledon
from cotyledon import oslo_config_glue
from cotyledon.types import WorkerId
from oslo_config import cfg
from oslo_log import log

from cloudkitty import db, timeutils
from cloudkitty.collector.base import get_collector
from cloudkitty.collector.metrics import MetricsFile, frame_name, load
from cloudkitty.fetcher.base import get_fetcher
from cloudkitty.processor import skip
from cloudkitty.processor.backoff import Backoff
from cloudkitty.processor.check import check
from cloudkitty.processor.due import DueRule
from cloudkitty.processor.gather import Gatherer
from cloudkitty.processor.housekeeping import Housekeeping
from cloudkitty.processor.locks import Locks
from cloudkitty.processor.notices import Notices
from cloudkitty.processor.pipeline import Pipeline
from cloudkitty.processor.planner import Planner
from cloudkitty.processor.scopes import Scopes
from cloudkitty.processor.sizes import Density
from cloudkitty.processor.worker import Sizes, Worker
from cloudkitty.rating.modules import Rating
from cloudkitty.state.lease import Leases, new_owner
from cloudkitty.state.scope import Origin
from cloudkitty.storage.base import get_storage

LOG = log.getLogger(__name__)

#: Seconds that a stopping worker waits for work other than a commit.
_PATIENCE: Final = 3.0
#: Seconds that checking a changed configuration may take.
_CHECK_SECONDS: Final = 30
#: Python's own are (700, 10, 10).
_GC_THRESHOLDS: Final = (200_000, 20, 100)


def build_worker(
    conf: cfg.ConfigOpts,
    metrics: MetricsFile,
    number: int,
    stop: threading.Event,
) -> Worker:
    """Build a worker with everything that it uses, in the process that it runs in."""
    origin = Origin.configured(conf)
    options = conf.orchestrator
    notices = Notices()
    density = Density(options.batch_points)
    backoff = Backoff(conf.collect.period)
    collector = get_collector(conf, metrics)
    expressions = skip.expressions(collector.conf, options.skip_datapoints_expression)
    gatherer = Gatherer(
        collector,
        density,
        stop,
        threads=options.max_threads,
        timeout=options.collector_request_timeout,
    )
    storage = get_storage(conf)
    pipeline = Pipeline(
        gatherer,
        Rating(),
        {frame_name(key, collector.conf[key]): found for key, found in expressions.items()},
        storage,
        origin,
        stop,
    )
    return Worker(
        number,
        origin,
        Scopes(get_fetcher(conf), notices),
        Planner(DueRule(conf.collect.period, conf.collect.wait_periods), backoff),
        backoff,
        density,
        Locks(
            Leases(new_owner(), options.lease_seconds),
            origin,
            options.coordination_url,
            notices,
        ),
        pipeline,
        notices,
        Housekeeping(storage, stop, enabled=number == 0),
        Sizes(options.batch_scopes, options.batch_periods, options.lease_seconds),
        stop,
    )


class RatingService(cotyledon.Service):
    """One rating process."""

    name = "CloudKittyProcessor"

    def __init__(
        self, worker_id: WorkerId, conf: cfg.ConfigOpts, checked: list[MetricsFile]
    ) -> None:
        """`checked` holds the metrics.yml in use: the last one that was found good."""
        super().__init__(worker_id)
        db.reset()
        LOG.info("Processor worker ID [%d] is initiated as CloudKitty rating processor.", worker_id)
        self._stop = threading.Event()
        self._worker = build_worker(conf, checked[0], worker_id, self._stop)

    def run(self) -> None:
        """Rate until terminated."""
        # A batch makes some hundred thousand objects without a cycle among them, in a few bursts:
        # looking for cycles that often took an eighth of the time.
        gc.set_threshold(*_GC_THRESHOLDS)
        self._worker.run()

    def terminate(self) -> None:
        """Take nothing new; wait for a commit under way, and a little for anything else.

        What is cut off is rolled back and done again by whoever takes the scope next.
        """
        self._stop.set()
        patience = time.monotonic() + _PATIENCE
        while not self._worker.finished(0.05):
            if time.monotonic() > patience and not self._worker.committing:
                LOG.info("worker %d: work under way is given up", self._worker.number)
                self._abandon()
                break

    def _abandon(self) -> None:
        try:
            self._worker.abandon()
        except Exception as exc:  # noqa: BLE001 - leases expire, the process must end
            LOG.debug("leases not given back: %s", exc)


class Master:
    """Starts the workers, and starts them anew when the configuration is to be read again."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Check the configuration; raises service.Refused."""
        oslo_config_glue.register_opts(conf)
        self._conf = conf
        self._checked = [check(conf).metrics]
        self._manager = cotyledon.ServiceManager(
            graceful_shutdown_timeout=conf.graceful_shutdown_timeout,
        )
        self._manager.register_hooks(on_reload=self._reload)
        self._service_id = None
        workers = conf.orchestrator.max_workers
        if workers:
            self._service_id = self._manager.add(
                RatingService,
                workers,
                args=(conf, self._checked),
            )
        else:
            LOG.info("No worker configured for CloudKitty processing.")

    def run(self) -> None:
        """Run until terminated; does not return."""
        if self._conf.log_options:
            self._conf.log_opt_values(LOG, log.DEBUG)
        LOG.info("local time zone: %s", timeutils.local_timezone())
        # Workers share the memory of what is loaded by now, unless the collector touches it.
        gc.collect()
        gc.freeze()
        self._manager.run()

    def _reload(self) -> None:
        """Read configuration files and metrics.yml again; keep the former if they are bad.

        The manager then has every worker end, in its own time, and starts it anew.
        """
        reason = _try_configuration()
        if reason:
            LOG.error("configuration not reloaded, going on with the former one: %s", reason)
            return
        self._conf.reload_config_files()
        self._checked[0] = load(self._conf.collect.metrics_conf)
        LOG.info("configuration reloaded")
        workers = self._conf.orchestrator.max_workers
        if self._service_id is not None and workers:
            self._manager.reconfigure(self._service_id, workers)


def _try_configuration() -> str:
    """Check the configuration as it is now; gives what is wrong, or an empty text.

    Plugins read the global configuration, which cannot be put back: another process tries.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        # No pipes: a worker forked at the same moment would keep them open. For the same reason
        # close_fds is off (our files are closed by exec anyway): the child is then spawned
        # without the pipe that Python otherwise waits on.
        try:
            tried = subprocess.run(  # noqa: S603 - ourselves
                [sys.executable, "-m", "cloudkitty.processor.check", *sys.argv[1:]],
                stdout=subprocess.DEVNULL,
                stderr=said,
                close_fds=False,
                timeout=_CHECK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"checking it took longer than {_CHECK_SECONDS} s"
        if not tried.returncode:
            return ""
        said.seek(0)
        return said.read().strip().rpartition("\n")[2]
