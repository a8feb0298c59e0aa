# SPDX-License-Identifier: Apache-2.0
"""Everything an operator can get wrong, found before any process is forked.

Each check raises :class:`cloudkitty.service.Refused` with one line that names the thing at fault.
Run as a program it does the same and nothing else: the daemon tries a changed configuration so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import oslo_messaging
import sqlalchemy as sa
from oslo_config import cfg
from oslo_log import log
from sqlalchemy import exc as sa_exc
from stevedore import exception as stevedore_exc
from tooz import ToozError, coordination

from cloudkitty import db, messaging, service
from cloudkitty.collector import metrics
from cloudkitty.collector.base import get_collector
from cloudkitty.fetcher.base import get_fetcher
from cloudkitty.processor import locks, skip
from cloudkitty.rating.availability import absences
from cloudkitty.rating.modules import Rating
from cloudkitty.rating.step import ModuleError
from cloudkitty.service import Refused
from cloudkitty.state.models import IdentifierState, ScopeLease, ScopeReset
from cloudkitty.storage.base import get_storage

LOG = log.getLogger(__name__)

_CONNECT_SECONDS: Final = 10
_TIMEOUT_ARGUMENT: Final = {
    "psycopg2": "connect_timeout",
    "pymysql": "connect_timeout",
    "mysqldb": "connect_timeout",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the workers are built from."""

    metrics: metrics.MetricsFile


def check(conf: cfg.ConfigOpts) -> Checked:
    """Check metrics.yml, plugins, database, rating modules, lock service and message bus.

    Raises Refused. No connection is left open, so that the process may fork.
    """
    found = metrics_file(conf)
    database(conf)
    with _named("[storage] backend"):
        get_storage(conf)
    with _named("rating"):
        Rating().begin_batch()
        for absence in absences():
            LOG.warning("%s", absence.text)
    lock_service(conf.orchestrator.coordination_url)
    message_bus(conf)
    if conf.collect.wait_periods < 1:
        LOG.warning("[collect] wait_periods = 0: periods are rated before they have ended")
    db.reset()
    return Checked(found)


def metrics_file(conf: cfg.ConfigOpts) -> metrics.MetricsFile:
    """Read metrics.yml, and build fetcher and collector with it once."""
    path = conf.collect.metrics_conf
    with _named("[collect] metrics_conf"):
        found = metrics.load(path)
    with _named("[fetcher] backend"):
        get_fetcher(conf)
    with _named("[collect] collector"):
        collector = get_collector(conf, found)
    default = conf.orchestrator.skip_datapoints_expression
    try:
        skip.expressions(collector.conf, default)
    except skip.InvalidExpression as exc:
        raise Refused(f"{path}: {exc}") from exc
    return found


def database(conf: cfg.ConfigOpts) -> None:
    """Connect once, without the repetitions of a running process, and look for the tables."""
    try:
        url = sa.make_url(conf.database.connection)
        argument = _TIMEOUT_ARGUMENT.get(url.get_driver_name())
        engine = sa.create_engine(
            url,
            poolclass=sa.NullPool,
            connect_args={argument: _CONNECT_SECONDS} if argument else {},
        )
    except (sa_exc.ArgumentError, sa_exc.NoSuchModuleError, ImportError) as exc:
        raise Refused(f"[database] connection: {_line(exc)}") from exc
    shown = url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            for model in (IdentifierState, ScopeLease, ScopeReset):
                _look(connection, model.__table__, shown)
    except sa_exc.SQLAlchemyError as exc:
        reason = getattr(exc, "orig", None) or exc
        raise Refused(f"[database] connection: cannot use {shown}: {_line(reason)}") from exc
    finally:
        engine.dispose()


def lock_service(url: str) -> None:
    """Connect to the lock service once, if there is one; being down is not fatal."""
    if not url:
        return
    try:
        locks.connect(url).stop()
    except coordination.ToozConnectionError as exc:
        reason = _line(exc.__cause__ or exc)
        if url.partition(":")[0] == "file":
            raise Refused(f"[orchestrator] coordination_url: {reason}") from exc
        LOG.warning("lock service: %s; going on with leases in the database alone", reason)
    except (ToozError, stevedore_exc.NoMatches, ValueError, ImportError, TypeError) as exc:
        raise Refused(f"[orchestrator] coordination_url: {_line(exc)}") from exc


def message_bus(conf: cfg.ConfigOpts) -> None:
    """Look at the URL of the message bus, if there is one; being down is not fatal."""
    try:
        messaging.check(conf)
    except (oslo_messaging.MessagingException, ValueError) as exc:
        raise Refused(f"[DEFAULT] transport_url: {_line(exc)}") from exc


def _look(connection: Any, table: Any, shown: str) -> None:
    try:
        connection.execute(sa.select(*table.primary_key.columns).limit(1)).all()
    except (sa_exc.OperationalError, sa_exc.ProgrammingError) as exc:
        if sa.inspect(connection.engine).has_table(table.name):
            raise
        raise Refused(
            f"[database] connection: {shown} has no table {table.name}; run "
            "'cloudkitty-dbsync upgrade' and 'cloudkitty-storage-init' first",
        ) from exc


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Refuse with what a plugin or reader says is wrong, and the option that led to it."""
    try:
        yield
    except Refused:
        raise
    except metrics.InvalidConfiguration as exc:
        raise Refused(_line(exc)) from exc
    except ModuleError as exc:
        raise Refused(_line(exc)) from exc
    except stevedore_exc.NoMatches as exc:
        raise Refused(f"{what}: {_line(exc)}") from exc
    except Exception as exc:
        LOG.debug("%s refused", what, exc_info=True)
        raise Refused(f"{what}: {_line(exc) or type(exc).__name__}") from exc


def _line(exc: BaseException | Callable[..., object]) -> str:
    return " ".join(str(exc).split())


def main() -> int:
    """Check the configuration that the command line names; gives the exit status."""

    def body() -> None:
        check(service.prepare(prog="cloudkitty-processor"))

    return service.run(body)


if __name__ == "__main__":
    sys.exit(main())
