# SPDX-License-Identifier: Apache-2.0
"""Attributes of resources in a real Gnocchi."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty.collector import CollectError, metrics
from cloudkitty.collector.base import BaseCollector, BatchQuery, get_collector
from cloudkitty.collector.joins import gnocchi as joins
from cloudkitty.tests import gnocchi
from cloudkitty.tests.collector.helpers import HOUR, TEN, flat
from cloudkitty.tests.collector.joins.sources import usage

pytestmark = pytest.mark.service

INSTANCE: dict[str, Any] = {
    "source": "gnocchi",
    "resource_type": "instance",
    "on": ["id"],
    "metadata": {"name": "display_name", "flavor_id": "flavor_id"},
    "missing": "none",
}
FLAVOR: dict[str, Any] = {
    "source": "gnocchi",
    "resource_type": "instance",
    "on": ["flavor_id", "project_id"],
    "metadata": {"flavor": "flavor_name"},
}


@pytest.fixture(scope="module")
def source() -> Iterator[gnocchi.Server]:
    with gnocchi.server() as server:
        yield server


@pytest.fixture(scope="module")
def instances(source: gnocchi.Server) -> list[gnocchi.Resource]:
    """Two instances of a flavor, of which the older one is renamed last, and one that has ended."""
    project = source.project()
    flavor = f"f-{source.suffix}"
    made = [
        source.resource(
            "instance",
            project,
            started=TEN,
            attributes={"display_name": "a", "flavor_id": flavor, "flavor_name": "old"},
            metrics={"cpu": gnocchi.constant(1, TEN, TEN + 2 * HOUR)},
            revisions=[(TEN + 2 * HOUR, {"flavor_name": "new"})],
        ),
        source.resource(
            "instance",
            project,
            started=TEN + HOUR,
            attributes={"display_name": "b", "flavor_id": flavor, "flavor_name": "other"},
            metrics={"cpu": gnocchi.constant(2, TEN + HOUR, TEN + 2 * HOUR)},
        ),
        source.resource(
            "instance",
            project,
            started=TEN,
            ended=TEN + HOUR,
            attributes={"display_name": "ended", "flavor_id": "", "flavor_name": "x"},
        ),
    ]
    source.write()
    return made


@pytest.fixture(autouse=True)
def configured(conf: cfg_fixture.Config, source: gnocchi.Server) -> None:
    conf.config(
        gnocchi_auth_type="basic",
        gnocchi_user="admin",
        gnocchi_endpoint=source.url,
        group="collector_gnocchi",
    )


def labelled(instances: list[gnocchi.Resource]) -> list[dict[str, str]]:
    return [{"id": one.id, "project_id": one.project or ""} for one in instances]


def test_attributes_by_id_and_by_what_many_share(
    conf: cfg_fixture.Config,
    instances: list[gnocchi.Resource],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joins, "_MOST", 2)
    unknown = {"id": "00000000-0000-0000-0000-000000000000", "project_id": "p"}
    with usage(conf, [*labelled(instances), unknown], INSTANCE, FLAVOR) as collect:
        found = collect()
    shown = {one: (labels["name"], labels["flavor"]) for one, labels in found.items()}
    assert shown == {
        instances[0].id: ("a", "new"),
        instances[1].id: ("b", "new"),
        # It has no flavor, and no resource has the flavor "none".
        instances[2].id: ("ended", ""),
        unknown["id"]: ("none", ""),
    }


CPU: dict[str, Any] = {"unit": "u", "extra_args": {"resource_type": "instance"}}


def test_usage_from_gnocchi_too(
    conf: cfg_fixture.Config, instances: list[gnocchi.Resource]
) -> None:
    conf.config(collector="gnocchi", group="collect")
    project = instances[0].project or ""
    definition = {**CPU, "joins": [INSTANCE, FLAVOR]}
    collector = get_collector(conf.conf, {"metrics": {"cpu": definition}})
    query = BatchQuery([project, "idle"], [TEN, TEN + HOUR], HOUR)
    found = flat(collector.fetch_batch("cpu", query))
    assert [(begin, dict(labels)["name"], qty) for _s, begin, _g, labels, qty in found] == [
        (TEN, "a", "1.0"),
        *sorted(
            [(TEN + HOUR, "a", "1.0"), (TEN + HOUR, "b", "2.0")],
            key=lambda point: instances["ab".index(point[1])].id,
        ),
    ]
    assert {dict(labels)["flavor"] for _s, _b, _g, labels, _q in found} == {"new"}
    query = BatchQuery([project], [TEN, TEN + HOUR], HOUR)
    assert found == flat(BaseCollector.fetch_batch(collector, "cpu", query))


def test_a_name_that_the_collector_asks_for(conf: cfg_fixture.Config) -> None:
    conf.config(collector="gnocchi", group="collect")
    join = {**FLAVOR, "on": ["flavor_id"], "metadata": {"id": "original_resource_id"}}
    with pytest.raises(metrics.InvalidConfiguration, match="metric 'cpu': id: given by a join"):
        get_collector(conf.conf, {"metrics": {"cpu": {**CPU, "joins": [join]}}})


def test_a_resource_type_that_is_not_there(
    conf: cfg_fixture.Config, instances: list[gnocchi.Resource]
) -> None:
    join = {**INSTANCE, "resource_type": "nope"}
    reason = r"metric 'm': join with gnocchi 'nope': .*Resource type nope does not exist"
    with (
        usage(conf, labelled(instances), join) as collect,
        pytest.raises(CollectError, match=reason),
    ):
        collect()
