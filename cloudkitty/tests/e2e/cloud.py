# SPDX-License-Identifier: Apache-2.0
"""A small cloud whose history is known, and what it must cost: worked out here by hand.

Nothing of the product is used to compute what is expected: quantities are the numbers written into
Prometheus, prices are products of two decimals.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from cloudkitty.tests.prometheus import Family

PERIOD = 3600
METRICS = """
metrics:
  instance_hours:
    unit: instance
    alt_name: instance
    groupby: [id]
    metadata: [flavor]
  volume_size:
    unit: GiB
    groupby: [id]
    metadata: [volume_type]
  traffic_bytes:
    unit: MB
    alt_name: traffic
    factor: 1/1000000
    groupby: [id]
"""

#: Price of one unit, by flavor.
FLAVORS = {"small": Decimal("0.25"), "large": Decimal("1.1")}
#: Price of a GiB; ssd costs half as much again.
VOLUME = Decimal("0.0125")
VOLUME_RATES = {"hdd": Decimal(1), "ssd": Decimal("1.5")}
TRAFFIC = Decimal("0.003")


class Point(NamedTuple):
    """What one resource used in one period, and what it costs."""

    begin: int
    project: str
    metric: str
    resource: str
    qty: Decimal
    price: Decimal


@dataclass
class Cloud:
    """Projects with usage in consecutive periods, the last of which has just become due."""

    projects: int = 6
    periods: int = 30
    #: Begin of the last period with usage.
    newest: int = field(default_factory=lambda: (int(time.time()) - 1) // PERIOD * PERIOD - PERIOD)

    @property
    def names(self) -> list[str]:
        """Ids of the projects; the last one uses nothing."""
        return [f"project-{n:03}.x" for n in range(self.projects)]

    @property
    def begins(self) -> range:
        return range(self.newest - (self.periods - 1) * PERIOD, self.newest + PERIOD, PERIOD)

    @property
    def before(self) -> int:
        """Begin of the period before the first."""
        return self.begins[0] - PERIOD

    def points(self) -> Iterator[Point]:
        """Yield all usage."""
        for number, project in enumerate(self.names[:-1]):
            for hour, begin in enumerate(self.begins):
                for flavor, cost in FLAVORS.items():
                    # Instances come and go.
                    if (hour + number) % 7:
                        qty = Decimal(1 + number % 3)
                        yield Point(
                            begin, project, "instance", f"i-{number}-{flavor}", qty, qty * cost
                        )
                for kind, rate in VOLUME_RATES.items():
                    qty = Decimal(10 + number + hour // 5) + Decimal("0.5")
                    price = VOLUME * rate * qty
                    yield Point(begin, project, "volume_size", f"v-{number}-{kind}", qty, price)
                qty = Decimal(1234567 * (hour + 1) + number) / 1_000_000
                yield Point(begin, project, "traffic", f"t-{number}", qty, qty * TRAFFIC)

    def history(self) -> list[Family]:
        """Give what Prometheus must hold: three samples a period, the second is the largest."""
        source = {
            "instance": "instance_hours",
            "volume_size": "volume_size",
            "traffic": "traffic_bytes",
        }
        label = {"instance": "flavor", "volume_size": "volume_type"}
        samples: dict[str, dict[tuple[tuple[str, str], ...], list[tuple[float, object]]]] = {}
        for point in self.points():
            labels = {"project_id": point.project, "id": point.resource}
            if point.metric in label:
                labels[label[point.metric]] = point.resource.rpartition("-")[2]
            qty = point.qty * 1_000_000 if point.metric == "traffic" else point.qty
            series = samples.setdefault(source[point.metric], {})
            series.setdefault(tuple(labels.items()), []).extend(
                [
                    (point.begin + 600, qty / 2),
                    (point.begin + 1800, qty),
                    (point.begin + 3000, qty / 2),
                ],
            )
        return [
            Family(name, [(dict(labels), values) for labels, values in series.items()])
            for name, series in samples.items()
        ]

    def expected(self) -> dict[tuple[str, str, str], tuple[Decimal, Decimal]]:
        """Give (type, project, day of the year) -> sums of qty and price."""
        found: dict[tuple[str, str, str], tuple[Decimal, Decimal]] = {}
        for point in self.points():
            day = dt.datetime.fromtimestamp(point.begin, dt.UTC).timetuple().tm_yday
            key = (point.metric, point.project, str(day))
            qty, price = found.get(key, (Decimal(0), Decimal(0)))
            found[key] = (qty + point.qty, price + point.price)
        return found


def seed_rules() -> None:
    """Write the rate card into the database of the present configuration."""
    from cloudkitty import db, timeutils
    from cloudkitty.db.models import ModuleState
    from cloudkitty.rating.hashmap import models

    start = timeutils.naive_local(timeutils.from_epoch(0))
    with db.session_for_write() as session:
        session.add(ModuleState(name="hashmap", state=True, priority=1))
        instance = models.Service(name="instance")
        flavor = models.Field(name="flavor", service=instance)
        volume = models.Service(name="volume_size")
        kind = models.Field(name="volume_type", service=volume)
        traffic = models.Service(name="traffic")
        rules = [
            models.Mapping(field=flavor, value=value, cost=cost, map_type="flat")
            for value, cost in FLAVORS.items()
        ]
        rules += [
            models.Mapping(field=kind, value=value, cost=cost, map_type="rate")
            for value, cost in VOLUME_RATES.items()
        ]
        rules += [
            models.Mapping(service=volume, cost=VOLUME, map_type="flat"),
            models.Mapping(service=traffic, cost=TRAFFIC, map_type="flat"),
        ]
        for rule in rules:
            rule.start, rule.created_by, rule.created_at = start, "test", start
        session.add_all([instance, flavor, volume, kind, traffic, *rules])


def seed_states(names: list[str], last: int) -> None:
    """Note that every project was rated up to the period `last`."""
    from cloudkitty import db, timeutils
    from cloudkitty.state.models import IdentifierState

    with db.session_for_write() as session:
        session.add_all(
            IdentifierState(
                identifier=name,
                scope_key="project_id",
                fetcher="source",
                collector="prometheus",
                last_processed_timestamp=timeutils.naive_utc(timeutils.from_epoch(last)),
                active=True,
            )
            for name in names
        )
