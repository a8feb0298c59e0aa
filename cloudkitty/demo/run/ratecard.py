# SPDX-License-Identifier: Apache-2.0
"""Prices to begin with, made through the public API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cloudkitty.demo.run.client import HASHMAP, Api


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one metric, each for one unit and hour."""

    each: str | None = None
    by: str | None = None  # the label that decides, with `values`
    values: Mapping[str, str] = field(default_factory=dict)
    discount: tuple[str, str] | None = None  # (from this quantity on, factor)


DEMO: Final[dict[str, Price]] = {
    "instance": Price(
        by="flavor_name",
        values={
            "m1.small": "0.011",
            "m1.medium": "0.022",
            "m1.large": "0.044",
            "m1.xlarge": "0.088",
            "c1.4xlarge": "0.19",
            "g1.large": "0.95",
        },
    ),
    "volume.size": Price(by="volume_type", values={"ssd": "0.00014", "hdd": "0.00005"}),
    "image.size": Price(each="0.00004"),
    "ip.floating": Price(each="0.005"),
    "storage.objects": Price(each="0.00003", discount=("1000", "0.85")),
}

#: For metrics that nobody has told us a price of, by unit.
BY_UNIT: Final = {
    "instance": "0.05",
    "vm": "0.05",
    "ip": "0.005",
    "vcpu": "0.02",
    "core": "0.02",
    "gib": "0.0001",
    "gb": "0.0001",
    "mib": "0.0000001",
    "mb": "0.0000001",
    "kib": "0.0000000001",
    "kb": "0.0000000001",
    "b": "0.0000000000001",
}
OTHERWISE: Final = "0.01"


def example(metrics: Mapping[str, str]) -> dict[str, Price]:
    """Give an example price for each metric (name -> unit)."""
    return {
        name: Price(each=BY_UNIT.get(unit.lower(), OTHERWISE)) for name, unit in metrics.items()
    }


def seed(api: Api, prices: Mapping[str, Price], since: dt.date) -> None:
    """Make the rules of `prices`, valid from `since` on, and switch the hashmap module on.

    What is there already stays as it is, so an interrupted seeding is completed by the next one.
    """
    services = _ids(api, "services", "service_id")
    for name, price in prices.items():
        service = services.get(name) or _new(api, "services", "service_id", {"name": name})
        parent = {"service_id": service}
        if price.each is not None:
            _mapping(api, parent, None, price.each, since)
        if price.by is not None:
            fields = _ids(api, "fields", "field_id", service_id=service)
            known = fields.get(price.by)
            by = {"field_id": known or _new(api, "fields", "field_id", parent | {"name": price.by})}
            for value, cost in price.values.items():
                _mapping(api, by, value, cost, since)
        if price.discount is not None and not _rules(api, "thresholds", parent):
            level, factor = price.discount
            rule = {"level": level, "cost": factor, "type": "rate"}
            api.post(f"{HASHMAP}/thresholds", parent | rule)
    api.put("/v1/rating/modules/hashmap", {"module_id": "hashmap", "enabled": True})


def _mapping(
    api: Api, parent: dict[str, str], value: str | None, cost: str, since: dt.date
) -> None:
    if any((rule["value"] or None) == value for rule in _rules(api, "mappings", parent)):
        return
    rule = parent | {"cost": cost, "type": "flat", "start": f"{since.isoformat()}T00:00:00"}
    if value is not None:
        rule["value"] = value
    # Forced: prices of the past are what the history needs.
    api.post(f"{HASHMAP}/mappings", rule, force="true")


def _rules(api: Api, kind: str, parent: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{HASHMAP}/{kind}", **parent)[kind]
    return found


def _ids(api: Api, kind: str, key: str, **parameters: str) -> dict[str, str]:
    return {one["name"]: one[key] for one in api.get(f"{HASHMAP}/{kind}", **parameters)[kind]}


def _new(api: Api, kind: str, key: str, body: dict[str, str]) -> str:
    made: str = api.post(f"{HASHMAP}/{kind}", body)[key]
    return made
