# SPDX-License-Identifier: Apache-2.0
"""A real Gnocchi for tests: resources with a past, their revisions and measures.

::

    with gnocchi.server() as source:
        instance = source.resource(
            "instance", project, started=epoch, attributes={"flavor_name": "small"},
            metrics={"cpu": gnocchi.constant(1, epoch, epoch + 3600)},
            revisions=[(epoch + 1200, {"flavor_name": "large"})],
        )
        source.write()
        conf.config(gnocchi_endpoint=source.url, group="collector_gnocchi")

``tools/services.sh`` starts it; without it the test is skipped, or fails where services are
required. Tests share the server: they use projects of their own (:meth:`Server.project`), the
resource types of OpenStack belong to all, and what a test has written is removed at its end.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import sqlalchemy as sa

from cloudkitty.tests import services

VARIABLE = "CLOUDKITTY_TEST_GNOCCHI_URL"
KEYSTONE_VARIABLE = "CLOUDKITTY_TEST_GNOCCHI_KEYSTONE_URL"
#: A measure: epoch seconds and value.
Measures = Iterable[tuple[float, float]]
#: All aggregates that definitions in metrics.yml commonly ask for; ``rate:`` works on counters.
METHODS = ("mean", "max", "min", "sum", "count", "last", "rate:mean", "rate:max")
#: What resources of OpenStack have beside id, project and user: all that metrics.yml names.
TYPES = {
    "instance": ("display_name", "flavor_id", "flavor_name", "host", "vcpus"),
    "image": ("name", "container_format", "disk_format"),
    "volume": ("display_name", "volume_type"),
    "instance_network_interface": ("instance_id", "name"),
    "network": ("name", "state"),
    "ceph_account": (),
}
_POLICY = "cloudkitty-tests"
_GRANULARITIES = (("5m", "62d"), ("1h", "400d"))


@dataclass
class Resource:
    """One resource, as it was when it started, and what changed later."""

    type: str
    project: str | None
    started: float
    ended: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Measures] = field(default_factory=dict)
    #: When which attributes changed, oldest first.
    revisions: Sequence[tuple[float, Mapping[str, str]]] = ()
    user: str | None = None
    policy: str = _POLICY
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def constant(
    value: float, begin: float, end: float, step: float = 300
) -> list[tuple[float, float]]:
    """Give measures of the same value every `step` seconds, from `begin` until before `end`."""
    count = int((end - begin) // step)
    return [(begin + number * step, value) for number in range(count)]


def _iso(epoch: float) -> str:
    return dt.datetime.fromtimestamp(epoch, dt.UTC).isoformat()


class Server:
    """The server, as its administrator sees it."""

    def __init__(self, url: str, keystone_url: str, database: sa.URL) -> None:
        #: Base URL with basic authentication, of the user `admin`.
        self.url = url
        #: Base URL where Keystone authenticates; has a path.
        self.keystone_url = keystone_url
        self.suffix = uuid.uuid4().hex[:12]
        self._http = requests.Session()
        self._http.auth = ("admin", "")
        self._engine = sa.create_engine(database, poolclass=sa.NullPool)
        self._pending: list[Resource] = []
        self._written: list[str] = []
        self._own_types: list[str] = []
        self._prepared = False

    def project(self, name: str = "project") -> str:
        """Give the id of a project that nobody else uses; Keystone does not know it."""
        return f"{name}-{uuid.uuid4().hex}"

    def archive_policy(self, granularities: Sequence[tuple[str, str]] = _GRANULARITIES) -> str:
        """Have an archive policy with these (granularity, timespan); gives its name.

        No measure may be older than one that was written before: write a metric's at once.
        """
        name = _POLICY
        if granularities is not _GRANULARITIES:
            name = "-".join([_POLICY, *(part for pair in granularities for part in pair)])
        body = {
            "name": name,
            "back_window": 0,
            "aggregation_methods": METHODS,
            "definition": [{"granularity": g, "timespan": t} for g, t in granularities],
        }
        self.call("POST", "/archive_policy", body, known={409})
        return name

    def resource_type(self, name: str, attributes: Iterable[str], *, own: bool = True) -> None:
        """Have a resource type with these optional attributes; `own` ones are removed later.

        Name them with :attr:`suffix`, so that no other test has the same.
        """
        text = {"type": "string", "required": False, "min_length": 0, "max_length": 255}
        body = {"name": name, "attributes": dict.fromkeys(attributes, text)}
        self.call("POST", "/resource_type", body, known={409})
        if own:
            self._own_types.append(name)

    def resource(
        self,
        type: str,  # noqa: A002 (the name that Gnocchi has for it)
        project: str | None,
        *,
        started: float,
        **rest: Any,
    ) -> Resource:
        """Prepare a resource, see :class:`Resource`; it is there after :meth:`write`."""
        prepared = Resource(type, project, started, **rest)
        self._pending.append(prepared)
        return prepared

    def write(self) -> None:
        """Write what was prepared, date it back, and wait until all measures are aggregated."""
        resources, self._pending = self._pending, []
        if not self._prepared:
            self.archive_policy()
            for name, attributes in TYPES.items():
                self.resource_type(name, attributes, own=False)
            self._prepared = True
        for resource in resources:
            self._create(resource)
        self._date_back(resources)
        batch = {
            resource.id: {
                name: [{"timestamp": _iso(when), "value": value} for when, value in measures]
                for name, measures in resource.metrics.items()
            }
            for resource in resources
            if resource.metrics
        }
        if batch:
            self.call("POST", "/batch/resources/metrics/measures", batch)
            self.drain()

    def drain(self, seconds: float = 60) -> None:
        """Wait until no measure is left to be aggregated."""
        deadline = time.monotonic() + seconds
        while self.call("GET", "/status").json()["storage"]["summary"]["measures"]:
            assert time.monotonic() < deadline, "gnocchi-metricd does not aggregate measures"
            time.sleep(0.05)

    def call(
        self, method: str, path: str, body: Any = None, *, known: Iterable[int] = ()
    ) -> requests.Response:
        """Send a request; every refusal that is not `known` fails the test."""
        answer = self._http.request(method, f"{self.url}/v1{path}", json=body, timeout=60)
        good = answer.ok or answer.status_code in known
        assert good, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def close(self) -> None:
        """Remove what was written."""
        if self._written:
            self.call("DELETE", "/resource/generic", {"in": {"id": self._written}})
        for name in self._own_types:
            self.call("DELETE", f"/resource_type/{name}", known={404})
        self._http.close()
        self._engine.dispose()

    def _create(self, resource: Resource) -> None:
        metrics = {name: {"archive_policy_name": resource.policy} for name in resource.metrics}
        path = f"/resource/{resource.type}"
        body = {
            "id": resource.id,
            "project_id": resource.project,
            "user_id": resource.user,
            "started_at": _iso(resource.started),
            "metrics": metrics,
            **resource.attributes,
        }
        if resource.ended is not None:
            body["ended_at"] = _iso(resource.ended)
        self.call("POST", path, body)
        self._written.append(resource.id)
        for _, changed in resource.revisions:
            self.call("PATCH", f"{path}/{resource.id}", dict(changed))

    def _date_back(self, resources: Sequence[Resource]) -> None:
        # Gnocchi dates a revision to when it hears of it, and has no measures for times before
        # the first revision. Its API gives no way to tell.
        history = sa.text(
            "UPDATE resource_history SET revision_start = :begin, revision_end = :end"
            " WHERE revision = (SELECT revision FROM resource_history WHERE id = :id"
            " ORDER BY revision OFFSET :number LIMIT 1)"
        )
        present = sa.text("UPDATE resource SET revision_start = :begin WHERE id = :id")
        with self._engine.begin() as connection:
            for resource in resources:
                begins = [resource.started, *(when for when, _ in resource.revisions)]
                times = [
                    dt.datetime.fromtimestamp(when, dt.UTC).replace(tzinfo=None) for when in begins
                ]
                for number, (begin, end) in enumerate(itertools.pairwise(times)):
                    values = {"begin": begin, "end": end, "id": resource.id, "number": number}
                    connection.execute(history, values)
                connection.execute(present, {"begin": times[-1], "id": resource.id})


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Give the server to tests; what they write is removed afterwards."""
    # Its indexer is a database of the PostgreSQL that tests use.
    database = sa.make_url(services.env("CLOUDKITTY_TEST_POSTGRESQL_URL")).set(database="gnocchi")
    found = Server(services.env(VARIABLE), services.env(KEYSTONE_VARIABLE), database)
    try:
        yield found
    finally:
        found.close()
