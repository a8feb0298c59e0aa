# SPDX-License-Identifier: Apache-2.0
"""What exists in the demo cloud, and when: projects, servers, volumes, images, addresses, objects.

Each project has a core that is always there and, depending on its kind, servers and volumes that
come and go. What is born on a day follows from (seed, project, day) alone, so the past does not
depend on when one looks.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cloudkitty.demo.series import SCRAPE, TimeSeries

HOUR: Final = 3600
DAY: Final = 86400
GIB: Final = 1024**3
MIB: Final = 1024**2
#: Servers and volumes that come and go live shorter than this, in days.
LONGEST_LIFE: Final = 40
FOREVER: Final = 1 << 40
#: From here on object stores grow: 2026-01-01.
GROWTH_BEGINS: Final = 1767225600
_NAMESPACE: Final = uuid.UUID("6f0e9f4e-7a5c-4d9d-9a53-0e7d5bb6c0de")

ACTIVE: Final = 0.0
SHUTOFF: Final = 11.0

#: Flavor -> (vcpus, MiB of memory).
FLAVORS: Final = {
    "m1.small": (1, 2048),
    "m1.medium": (2, 4096),
    "m1.large": (4, 8192),
    "m1.xlarge": (8, 16384),
    "c1.4xlarge": (16, 32768),
    "g1.large": (8, 65536),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """How a sort of project behaves; pairs are (least, most)."""

    servers: tuple[int, int]
    flavors: tuple[str, ...]
    births: float  # servers that come on an average day
    life: tuple[int, int]  # hours that they stay
    volumes: tuple[int, int]
    volume_gib: tuple[int, ...]
    volume_types: tuple[str, ...]
    images: tuple[int, int]
    addresses: tuple[int, int]
    objects_gib: tuple[int, int]
    office_hours: bool = False  # its servers are off at night


STEADY = Kind(
    (3, 7), ("m1.small", "m1.medium", "m1.medium", "m1.large"), 0.15, (72, 700),
    (3, 6), (20, 50, 100), ("ssd", "ssd", "hdd"), (1, 3), (1, 3), (20, 200),
)  # fmt: skip
ELASTIC = Kind(
    (1, 3), ("m1.medium", "m1.large"), 5.0, (1, 9),
    (1, 3), (20, 50), ("ssd",), (1, 3), (1, 2), (5, 60),
)  # fmt: skip
COMPUTE = Kind(
    (1, 2), ("m1.xlarge", "c1.4xlarge"), 0.8, (12, 150),
    (2, 4), (200, 500), ("ssd", "hdd"), (1, 2), (1, 1), (200, 900),
)  # fmt: skip
ARCHIVE = Kind(
    (1, 2), ("m1.small", "m1.large"), 0.05, (24, 300),
    (4, 8), (500, 1000, 2000), ("hdd",), (1, 1), (1, 1), (2000, 9000),
)  # fmt: skip
OFFICE = Kind(
    (3, 6), ("m1.small", "m1.small", "m1.medium"), 0.5, (24, 200),
    (2, 4), (20, 40), ("ssd", "hdd"), (1, 4), (0, 2), (1, 20), office_hours=True,
)  # fmt: skip
LEARNING = Kind(
    (1, 1), ("g1.large", "m1.large"), 0.7, (4, 72),
    (2, 3), (500, 1000), ("ssd",), (2, 4), (1, 1), (300, 1500),
)  # fmt: skip

PROJECTS: Final[dict[str, Kind]] = {
    "webshop": STEADY,
    "webshop-staging": OFFICE,
    "payments": STEADY,
    "crm": STEADY,
    "intranet": STEADY,
    "mail": STEADY,
    "monitoring": STEADY,
    "maps-api": ELASTIC,
    "ci-runners": ELASTIC,
    "iot-gateway": ELASTIC,
    "games-eu": ELASTIC,
    "genomics": COMPUTE,
    "weather-model": COMPUTE,
    "render-farm": COMPUTE,
    "ml-training": LEARNING,
    "speech-lab": LEARNING,
    "media-archive": ARCHIVE,
    "backup": ARCHIVE,
    "sandbox": OFFICE,
    "training-rooms": OFFICE,
}


class Cloud:
    """All series of the demo cloud from `start` on."""

    def __init__(self, seed: str, start: int, projects: int = len(PROJECTS)) -> None:
        self.seed = seed
        self.start = start // DAY * DAY
        self.projects = list(PROJECTS.items())[:projects]

    def series(self, until: int) -> dict[str, list[TimeSeries]]:
        """Give metric name -> series, complete up to the end of the day of `until`."""
        found: dict[str, list[TimeSeries]] = {}
        end = (until // DAY + 1) * DAY
        for name, kind in self.projects:
            for metric, series in _Project(self.seed, name, kind, self.start, end).series():
                found.setdefault(metric, []).append(series)
        return found


class _Project:
    """One project's resources between two midnights."""

    def __init__(self, seed: str, name: str, kind: Kind, start: int, end: int) -> None:
        self.key = f"{seed}/{name}"
        self.name = name
        self.kind = kind
        self.start = start
        self.end = end
        self.id = self._uuid("project").hex
        self.users = [self._uuid(f"user{number}").hex for number in range(3)]

    def series(self) -> Iterator[tuple[str, TimeSeries]]:
        """Give (metric name, series) of everything the project has."""
        yield "openstack_identity_project_info", self._always({"enabled": "true"}, 1.0)
        yield from self._core()
        for day in range(self.start // DAY - LONGEST_LIFE, self.end // DAY):
            yield from self._born(day)

    def _core(self) -> Iterator[tuple[str, TimeSeries]]:
        """What is always there."""
        kind = self.kind
        draw = _draw(f"{self.key}/core")
        for number in range(draw.randint(*kind.servers)):
            yield self._server(draw, f"{self.name}-{number}", 0, FOREVER)
        for number in range(draw.randint(*kind.volumes)):
            yield self._volume(draw, f"data-{number}", 0, FOREVER)
        for number in range(draw.randint(*kind.images)):
            size = draw.randint(300, 9000) * MIB
            labels = {"id": str(self._uuid(f"image{number}")), "name": f"golden-{number}"}
            labels |= {"disk_format": draw.choice(("qcow2", "raw")), "user_id": self.users[0]}
            yield "openstack_glance_image_bytes", self._always(labels, float(size))
        for number in range(draw.randint(*kind.addresses)):
            labels = {"id": str(self._uuid(f"address{number}")), "user_id": self.users[0]}
            labels["floating_ip_address"] = f"203.0.113.{draw.randint(1, 254)}"
            yield "openstack_neutron_floating_ip", self._always(labels, 1.0)
        yield self._objects(draw)

    def _born(self, day: int) -> Iterator[tuple[str, TimeSeries]]:
        """What comes on one day and goes later."""
        kind = self.kind
        draw = _draw(f"{self.key}/{day}")
        count = int(kind.births) + (draw.random() < kind.births % 1)
        for number in range(count):
            begin = day * DAY + draw.randrange(0, DAY, SCRAPE)
            end = begin + draw.randint(*kind.life) * HOUR + draw.randrange(0, HOUR, SCRAPE)
            name = f"{self.name}-{day % 1000}-{number}"
            made = [self._server(draw, name, begin, end)]
            if draw.random() < 0.25:
                made.append(self._volume(draw, f"{name}-data", begin, end))
            if end > self.start:
                yield from made

    def _server(
        self, draw: random.Random, name: str, begin: int, end: int
    ) -> tuple[str, TimeSeries]:
        flavor = draw.choice(self.kind.flavors)
        vcpus, memory = FLAVORS[flavor]
        labels = {
            "id": str(self._uuid(f"server/{name}")),
            "name": name,
            "user_id": draw.choice(self.users),
            "flavor_id": self._uuid(flavor, of="").hex[:8],
            "flavor_name": flavor,
            "vcpus": str(vcpus),
            "ram_mb": str(memory),
        }
        begin = max(begin, self.start)
        steps = [(begin, ACTIVE)]
        if self.kind.office_hours:
            steps = [(begin, SHUTOFF)] + [
                (day + hour * HOUR, status)
                for day in range(begin // DAY * DAY, min(end, self.end), DAY)
                if (day // DAY + 3) % 7 < 5  # Monday to Friday
                for hour, status in ((7, ACTIVE), (19, SHUTOFF))
                if day + hour * HOUR > begin
            ]
        return "openstack_nova_server_status", self._make(labels, steps, end)

    def _volume(
        self, draw: random.Random, name: str, begin: int, end: int
    ) -> tuple[str, TimeSeries]:
        kind = self.kind
        size = draw.choice(kind.volume_gib)
        labels = {
            "id": str(self._uuid(f"volume/{name}")),
            "name": name,
            "user_id": draw.choice(self.users),
            "volume_type": draw.choice(kind.volume_types),
        }
        # Once in 30 days, on a day and hour of its own, a volume of the core grows by a tenth.
        birthday, hour = draw.randrange(30), draw.randrange(6, 20)

        def grown(day: int) -> float:
            return float(size + size // 10 * ((day - birthday) // 30 % 12))

        begin = max(begin, self.start)
        steps = [(begin, float(size))]
        if end == FOREVER:
            first = begin // DAY
            steps = [(begin, grown(first - 1))]
            steps += [
                (day * DAY + hour * HOUR, grown(day))
                for day in range(first, self.end // DAY)
                if day % 30 == birthday
            ]
        return "openstack_cinder_volume_gb", self._make(labels, steps, end)

    def _objects(self, draw: random.Random) -> tuple[str, TimeSeries]:
        base = draw.randint(*self.kind.objects_gib) * GIB
        labels = {"container_name": f"{self.name}-objects", "user_id": self.users[0]}
        steps = []
        for hour in range(self.start // HOUR, self.end // HOUR):
            age = max(hour - GROWTH_BEGINS // HOUR, 0)
            # A little more every hour; every night the oldest part is removed.
            size = base + base // 6000 * age + base // 2000 * (hour % 24)
            steps.append((hour * HOUR, float(size // 4096 * 4096)))
        return "openstack_object_store_bytes", self._make(labels, steps, FOREVER)

    def _always(self, labels: dict[str, str], value: float) -> TimeSeries:
        return self._make(labels, [(self.start, value)], FOREVER)

    def _make(self, labels: dict[str, str], steps: list[tuple[int, float]], end: int) -> TimeSeries:
        labels |= {"project_id": self.id, "project_name": self.name}
        times, values = zip(*steps, strict=True)
        return TimeSeries(labels, times, values, end)

    def _uuid(self, what: str, of: str | None = None) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, f"{self.key if of is None else of}/{what}")


def _draw(key: str) -> random.Random:
    """Give the random numbers that belong to `key`, the same every time."""
    return random.Random(key)  # noqa: S311 - nothing here is a secret
