# SPDX-License-Identifier: Apache-2.0
"""What is tried out, where it is kept, and the configuration file of it."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import cloudkitty

PACKAGE: Final = Path(cloudkitty.__file__).parent
DEMO_METRICS: Final = PACKAGE / "demo" / "metrics.yml"
DEMO_SCOPE_KEY: Final = "project_id"
#: Files of ``etc/cloudkitty`` -> the scope key that each is written for.
SCOPE_KEYS: Final = {
    "metrics_kubernetes.yml": "namespace",
    "metrics_libvirt_exporter.yml": "project_id",
    "metrics_node_exporter.yml": "instance",
    "metrics_openstack_exporter.yml": "tenant_id",
    "prom_metrics.yml": "tenant_id",
}
API_PORT: Final = 8889
DEMO_PORT: Final = 9190
#: The demo is rated up to the last hour that has ended; a Prometheus of one's own may be late.
DEMO_WAIT_PERIODS: Final = 1
WAIT_PERIODS: Final = 2
PERIOD: Final = 3600


class UsageError(Exception):
    """Something that was asked for cannot be done; the text is for the user."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One thing to try out; each has a directory, so a database, of its own."""

    directory: Path
    prometheus: SplitResult | None  # None: the demo cloud
    scope_key: str
    metrics: Path

    @property
    def wait_periods(self) -> int:
        """How many periods after its begin a period is rated."""
        return DEMO_WAIT_PERIODS if self.prometheus is None else WAIT_PERIODS

    @property
    def logs(self) -> Path:
        """Where the output of the processes goes."""
        return self.directory / "log"

    def api_url(self, port: int) -> str:
        """Give the base URL of the source: without credentials, ending in ``/api/v1``."""
        if self.prometheus is None:
            return f"http://127.0.0.1:{port}/api/v1"
        host = self.prometheus.netloc.rpartition("@")[2]
        path = self.prometheus.path.rstrip("/")
        return f"{self.prometheus.scheme}://{host}{path.removesuffix('/api/v1')}/api/v1"

    def credentials(self) -> tuple[str, str] | None:
        """Give (user, password) when the URL of the source has them."""
        url = self.prometheus
        if url is None or url.username is None or url.password is None:
            return None
        return unquote(url.username), unquote(url.password)


def from_environment(environ: Mapping[str, str], home: Path) -> Settings:
    """Give what the variables PROMETHEUS_URL, SCOPE_KEY and METRICS ask for; state below `home`.

    Raises UsageError for a value that cannot be meant.
    """
    url = environ.get("PROMETHEUS_URL", "").strip()
    metrics = environ.get("METRICS", "").strip()
    key = environ.get("SCOPE_KEY", "").strip()
    if not url:
        if metrics or key:
            raise UsageError("METRICS and SCOPE_KEY go with PROMETHEUS_URL=http://...")
        return Settings(home / "demo", None, DEMO_SCOPE_KEY, DEMO_METRICS)
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(f"PROMETHEUS_URL={url}: not an http(s) URL")
    path = Path(metrics).expanduser().absolute() if metrics else shipped("prom_metrics.yml")
    if not path.is_file():
        raise UsageError(f"METRICS={metrics}: no such file")
    key = key or SCOPE_KEYS.get(path.name, DEMO_SCOPE_KEY)
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", key):
        raise UsageError(f"SCOPE_KEY={key}: not the name of a label")
    # Other source or other scopes: another history, so another database.
    identity = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}|{key}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    return Settings(home / f"{parts.hostname}-{digest}", parts, key, path)


def shipped(name: str) -> Path:
    """Give the path of a file of ``etc/cloudkitty``: of this checkout, or as it was installed."""
    for directory in (PACKAGE.parent / "etc", Path(sys.prefix) / "etc", Path("/etc")):
        path = directory / "cloudkitty" / name
        if path.is_file():
            return path
    raise UsageError(f"{name} is not installed: is the installation complete?")


def free_port(wanted: int) -> int:
    """Give `wanted` when it is free on loopback, else any that is."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise UsageError("no free port on 127.0.0.1")


def api_arguments(port: int) -> list[str]:
    """Give how ``cloudkitty-api`` is to listen: for this machine alone, as nobody is asked who."""
    return ["--host", "127.0.0.1", "--port", str(port), "--workers", "2"]


def write_configuration(
    settings: Settings, source_port: int, fetcher_metric: str, scope_attribute: str
) -> Path:
    """Write the configuration file of everything that is started, and give its path."""
    url = settings.api_url(source_port)
    connection: dict[str, object] = {"prometheus_url": url}
    credentials = settings.credentials()
    if credentials:
        connection["prometheus_user"], connection["prometheus_password"] = credentials
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {
            "auth_strategy": "noauth",
            "api_paste_config": shipped("api_paste.ini"),
        },
        "database": {"connection": f"sqlite:///{settings.directory}/cloudkitty.sqlite"},
        "collect": {
            "collector": "prometheus",
            "metrics_conf": settings.metrics,
            "scope_key": settings.scope_key,
            "period": PERIOD,
            "wait_periods": settings.wait_periods,
        },
        "collector_prometheus": connection,
        "fetcher": {"backend": "prometheus"},
        "fetcher_prometheus": {
            "metric": fetcher_metric,
            "scope_attribute": scope_attribute,
            **connection,
        },
        # Leases in the database are all that one machine needs.
        "orchestrator": {"coordination_url": "", "max_workers": 2, "max_workers_reprocessing": 1},
        "storage": {"version": 2, "backend": "sqlalchemy"},
    }
    lines = ["# Written by every start of the try-out; changes are lost."]
    for name, options in sections.items():
        lines.append(f"\n[{name}]")
        lines += [f"{option} = {_escaped(value)}" for option, value in options.items()]
    path = settings.directory / "cloudkitty.conf"
    # There may be a password in it.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        output.write("\n".join(lines) + "\n")
    return path


def _escaped(value: object) -> str:
    """Give `value` so that oslo.config reads it back as it is."""
    return str(value).replace("$", "$$")
