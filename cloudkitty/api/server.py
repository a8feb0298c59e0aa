# SPDX-License-Identifier: Apache-2.0
"""gunicorn as the server of the ``cloudkitty-api`` command: several processes, several threads.

The master reads the configuration and holds the socket; each worker builds the application for
itself. SIGTERM lets requests end and stops; SIGHUP reads the configuration files again and
replaces the workers one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gunicorn import glogging
from gunicorn.app import base
from oslo_config import cfg

from cloudkitty import db, service
from cloudkitty.api import app
from cloudkitty.api.wsgi import WSGIApplication
from cloudkitty.rating import installed

_THREADS: Final = 10
#: Filters, group keys and tokens make longer requests than gunicorn's defaults take.
_MAX_LINE: Final = 8190
_MAX_HEADER: Final = 32768

_SETTINGS: Final[dict[str, Any]] = {
    "proc_name": "cloudkitty-api",
    "worker_class": "gthread",
    "threads": _THREADS,
    "keepalive": 5,
    "graceful_timeout": 30,
    "limit_request_line": _MAX_LINE,
    "limit_request_field_size": _MAX_HEADER,
    "accesslog": "-",
    "access_log_format": '%(h)s "%(r)s" %(s)s %(b)s %(M)sms',
    # Headers of proxies are the business of the filter http_proxy_to_wsgi (api.md 2.6).
    "secure_scheme_headers": {},
    "forwarded_allow_ips": "",
    "control_socket_disable": True,
}


@dataclass(frozen=True, slots=True)
class Listen:
    """What the command line says; None is what the configuration says."""

    host: str = "0.0.0.0"  # noqa: S104 - an API is there to be reached
    port: int | None = None
    workers: int | None = None


class Log(glogging.Logger):
    """gunicorn's messages and requests go where all our messages go."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        for logger in (self.error_log, self.access_log):
            logger.propagate = True

    def _set_handler(self, *args: Any, **kwargs: Any) -> None:
        """Make no handlers: those of the process are enough."""


class Server(base.BaseApplication):
    """The server for one configuration."""

    def __init__(self, conf: cfg.ConfigOpts, listen: Listen) -> None:
        self._conf = conf
        self._listen = listen
        super().__init__()

    def address(self) -> tuple[str, int]:
        """Give where it listens."""
        port = self._listen.port
        return self._listen.host, self._conf.api.port if port is None else port

    def load_config(self) -> None:
        """Tell gunicorn its settings."""
        host, port = self.address()
        settings = {
            **_SETTINGS,
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": self._listen.workers or self._conf.api.workers,
            "logger_class": Log,
            "post_fork": _after_fork,
            "post_worker_init": _when_loaded,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:  # releases differ in what they have
                self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Build the application, in a worker."""
        return app.load_app(self._conf)

    def reload(self) -> None:
        """Read the configuration again; what cannot be read leaves it as it was."""
        self._conf.reload_config_files()
        super().reload()


def _after_fork(_server: Any, _worker: Any) -> None:
    # Connections of the master, if it has any, belong to the master.
    db.reset()


def _when_loaded(_worker: Any) -> None:
    # The first request that needs rating modules would have to wait for them.
    installed.installed()
    service.freeze()
