# SPDX-License-Identifier: Apache-2.0
"""The daemon: a master that forks and watches rating processes (contract processor.md 1)."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cotyledon
from cotyledon import oslo_config_glue
from cotyledon.types import ServiceId, WorkerId
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
from cloudkitty.processor.loop import Loop, Sizes, Tools
from cloudkitty.processor.notices import Notices
from cloudkitty.processor.pipeline import Pipeline
from cloudkitty.processor.planner import Planner
from cloudkitty.processor.reprocessor import Reprocessor
from cloudkitty.processor.resets import Attendant, Resets
from cloudkitty.processor.rpc import serve
from cloudkitty.processor.scopes import Scopes
from cloudkitty.processor.simulations import Simulations
from cloudkitty.processor.sizes import Density
from cloudkitty.processor.stores import rated
from cloudkitty.processor.worker import Worker
from cloudkitty.rating.modules import Rating
from cloudkitty.state.lease import Leases, new_owner
from cloudkitty.state.scope import Origin
from cloudkitty.storage.base import get_storage
from cloudkitty.storage.v2.base import BaseStorage

LOG = log.getLogger(__name__)

#: Seconds that a stopping worker waits for work other than a commit.
_PATIENCE: Final = 3.0
#: Seconds that checking a changed configuration may take.
_CHECK_SECONDS: Final = 30
#: Python's own are (700, 10, 10).
_GC_THRESHOLDS: Final = (200_000, 20, 100)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is built for a worker of either kind, in the process that it runs in."""

    tools: Tools
    storage: BaseStorage
    rule: DueRule


def _build(
    conf: cfg.ConfigOpts,
    metrics: MetricsFile,
    stop: threading.Event,
) -> _Parts:
    options = conf.orchestrator
    notices = Notices()
    density = Density(options.batch_points)
    collector = get_collector(conf, metrics)
    expressions = skip.expressions(collector.conf, options.skip_datapoints_expression)
    storage = get_storage(conf)
    locks = _locks(conf, notices)
    gatherer = Gatherer(
        collector,
        density,
        stop,
        threads=options.max_threads,
        timeout=options.collector_request_timeout,
    )
    pipeline = Pipeline(
        gatherer,
        Rating(),
        {frame_name(key, collector.conf[key]): found for key, found in expressions.items()},
        stop,
    )
    tools = Tools(
        locks,
        pipeline,
        Backoff(conf.collect.period),
        density,
        notices,
        Sizes(options.batch_scopes, options.batch_periods, options.lease_seconds),
        stop,
    )
    return _Parts(tools, storage, DueRule(conf.collect.period, conf.collect.wait_periods))


def build_worker(
    conf: cfg.ConfigOpts,
    metrics: MetricsFile,
    number: int,
    stop: threading.Event,
) -> Worker:
    """Build a rating worker with everything that it uses."""
    parts = _build(conf, metrics, stop)
    origin = Origin.configured(conf)
    return Worker(
        number,
        parts.tools,
        origin,
        Scopes(get_fetcher(conf), parts.tools.notices, origin, conf.collect.period),
        Planner(parts.rule, parts.tools.backoff),
        rated(parts.storage, origin),
        Housekeeping(parts.storage, stop, enabled=number == 0, audit_days=conf.audit.keep_days),
    )


def build_reprocessor(
    conf: cfg.ConfigOpts,
    metrics: MetricsFile,
    number: int,
    stop: threading.Event,
) -> Reprocessor:
    """Build a reprocessing worker with everything that it uses."""
    parts = _build(conf, metrics, stop)
    return Reprocessor(number, parts.tools, conf, parts.storage, parts.rule)


def build_attendant(
    conf: cfg.ConfigOpts,
    stop: threading.Event,
    done: Callable[[], None],
) -> Attendant:
    """Build what carries out resets; `done` is called when it did."""
    notices = Notices()
    origin, locks = Origin.configured(conf), _locks(conf, notices)
    resets = Resets(origin, conf.collect.period, get_storage(conf), locks, notices, stop)
    return Attendant(resets, notices, done)


def build_simulations(conf: cfg.ConfigOpts, stop: threading.Event) -> Attendant:
    """Build what carries out simulations."""
    notices = Notices()
    work = Simulations(conf, get_storage(conf), notices, stop)
    return Attendant(work, notices, lambda: None, "simulations")


def _locks(conf: cfg.ConfigOpts, notices: Notices) -> Locks:
    options = conf.orchestrator
    leases = Leases(new_owner(), options.lease_seconds)
    return Locks(leases, Origin.configured(conf), options.coordination_url, notices)


class _Service(cotyledon.Service):
    """A process with one worker."""

    #: What the start line says it is.
    role: str
    #: Whether it carries out resets and simulations even if there are others.
    resets: bool
    #: Builds the worker.
    build: Callable[[cfg.ConfigOpts, MetricsFile, int, threading.Event], Loop]

    def __init__(
        self, worker_id: WorkerId, conf: cfg.ConfigOpts, checked: list[MetricsFile]
    ) -> None:
        """`checked` holds the metrics.yml in use: the last one that was found good."""
        super().__init__(worker_id)
        db.reset()
        LOG.info("Processor worker ID [%d] is initiated as CloudKitty %s.", worker_id, self.role)
        self._stop = threading.Event()
        self._worker = type(self).build(conf, checked[0], worker_id, self._stop)
        self._attendants: list[Attendant] = []
        if self.resets or not conf.orchestrator.max_workers:
            self._attendants = [
                build_attendant(conf, self._stop, self._worker.call),
                build_simulations(conf, self._stop),
            ]
        self._server = serve(conf, self._call)

    def run(self) -> None:
        """Work until terminated."""
        # A batch makes some hundred thousand objects without a cycle among them, in a few bursts:
        # looking for cycles that often took an eighth of the time.
        gc.set_threshold(*_GC_THRESHOLDS)
        for attendant in self._attendants:
            attendant.start()
        self._worker.run()

    def terminate(self) -> None:
        """Take nothing new; wait for a commit under way, and a little for anything else.

        What is cut off is rolled back and done again by whoever takes the scope next.
        """
        self._stop.set()
        self._worker.call()
        if self._server is not None:
            self._server.stop()
        patience = time.monotonic() + _PATIENCE
        while not self._worker.finished(0.05):
            if time.monotonic() > patience and not self._worker.committing:
                LOG.info("worker %d: work under way is given up", self._worker.number)
                self._abandon()
                break
        for attendant in self._attendants:
            attendant.stop(max(0.5, patience - time.monotonic()))

    def _call(self) -> None:
        """Have everybody in this process look for work."""
        for attendant in self._attendants:
            attendant.call()
        self._worker.call()

    def _abandon(self) -> None:
        try:
            self._worker.abandon()
        except Exception as exc:  # noqa: BLE001 - leases expire, the process must end
            LOG.debug("leases not given back: %s", exc)


class RatingService(_Service):
    """One rating process."""

    name = "CloudKittyProcessor"
    role = "rating processor"
    resets = True
    build = staticmethod(build_worker)


class ReprocessingService(_Service):
    """One reprocessing process."""

    name = "CloudKittyReprocessor"
    role = "rating reprocessor"
    resets = False
    build = staticmethod(build_reprocessor)


#: Class, option with the number of workers, and what they do.
_KINDS: Final = (
    (RatingService, "max_workers", "processing"),
    (ReprocessingService, "max_workers_reprocessing", "reprocessing"),
)


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
        #: Number of the service -> name of the option that says how many workers it has.
        self._services: dict[ServiceId, str] = {}
        for service, option, what in _KINDS:
            workers = conf.orchestrator[option]
            if workers:
                number = self._manager.add(service, workers, args=(conf, self._checked))
                self._services[number] = option
            else:
                LOG.info("No worker configured for CloudKitty %s.", what)

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
        for number, option in self._services.items():
            workers = self._conf.orchestrator[option]
            if workers:
                self._manager.reconfigure(number, workers)


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
