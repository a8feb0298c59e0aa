# SPDX-License-Identifier: Apache-2.0
"""``joins`` in metrics.yml: what can be written, and what is said about mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from cloudkitty.collector import metrics
from cloudkitty.collector.joins.schema import joins_of

INFO = {"source": "prometheus", "metric": "info", "on": ["domain"]}
NAMES = {"source": "keystone", "entity": "project", "on": ["project_id"]}
FLAVOR = {"source": "gnocchi", "resource_type": "instance", "on": {"flavor_id": "flavor_id"}}


def validate(*joins: Any, **definition: Any) -> dict[str, Any]:
    conf = {"metrics": {"vcpus": {"unit": "u", "joins": list(joins), **definition}}}
    return metrics.validate(conf, "project_id")["vcpus"]


def test_what_is_looked_up_is_asked_for() -> None:
    found = validate({**INFO, "metadata": {"flavor": "flavor_name"}})
    assert found["groupby"] == ["project_id", "domain"]
    assert found["metadata"] == []
    assert metrics.metadata_names(found) == ["flavor"]
    assert metrics.scope_label(found, "project_id") == "project_id"


def test_a_label_that_is_there_is_not_asked_for_again() -> None:
    found = validate(
        {**INFO, "metadata": ["flavor_id"]},
        {**FLAVOR, "metadata": {"flavor": "flavor_name"}},
        {**NAMES, "metadata": {"project": "name"}},
        metadata=["domain"],
    )
    assert (found["groupby"], found["metadata"]) == (["project_id"], ["domain"])
    assert metrics.metadata_names(found) == ["domain", "flavor_id", "flavor", "project"]


def test_a_scope_from_a_join_is_not_asked_for() -> None:
    found = validate(
        {**INFO, "on": ["domain", "host"], "groupby": ["project_id"]},
        {**NAMES, "groupby": {"project": "name"}},
        groupby=["device"],
    )
    assert found["groupby"] == ["device", "domain", "host"]
    assert metrics.scope_label(found, "project_id") == "domain"
    first, second = joins_of(found)
    assert (first.subject, dict(first.on)) == ("info", {"domain": "domain", "host": "host"})
    assert (second.on, second.missing) == ({"project_id": "id"}, "")


@pytest.mark.parametrize(
    ("joins", "definition", "reason"),
    [
        ([{}], {}, "required key not provided @ data['joins'][0]['source']"),
        ([{**INFO, "source": "x", "metadata": ["a"]}], {}, "value must be one of"),
        ([{**INFO, "on": [], "metadata": ["a"]}], {}, "length of value must be at least 1"),
        ([{**INFO, "on": "domain", "metadata": ["a"]}], {}, "expected a list or a dictionary"),
        ([{**INFO, "metadata": {"a": 3}}], {}, "expected str"),
        ([{**INFO, "metadata": ["a"], "missing": 0}], {}, "expected str"),
        ([{**INFO, "metadata": ["a"], "x": 0}], {}, "extra keys not allowed @ data['joins'][0]"),
        ([INFO], {}, "gives no label, expected groupby or metadata @ data['joins'][0]"),
        (
            [{"source": "prometheus", "on": ["domain"], "metadata": ["a"]}],
            {},
            "required key not provided @ data['joins'][0]['metric']",
        ),
        (
            [{**INFO, "entity": "project", "metadata": ["a"]}],
            {},
            "extra keys not allowed for source prometheus @ data['joins'][0]['entity']",
        ),
        ([{**INFO, "metadata": {"a": "b-c"}}], {}, "not a label name of Prometheus: 'b-c'"),
        ([{**NAMES, "metadata": ["nom"]}], {}, "a project has no 'nom', but description, "),
        ([{**NAMES, "metadata": ["id"], "on": ["a", "b"]}], {}, "expected one label"),
        ([{**NAMES, "metadata": ["name"], "on": {"a": "name"}}], {}, "asked by id, not by 'name'"),
        ([{**INFO, "metadata": ["a"]}], {"groupby": ["a"]}, "'a' is already a label"),
        ([{**INFO, "metadata": ["a"]}], {"metadata": ["a"]}, "'a' is already a label"),
        ([{**INFO, "metadata": ["a"], "groupby": ["a"]}], {}, "'a' is already a label"),
        (
            [{**INFO, "metadata": ["a"]}, {**NAMES, "metadata": {"a": "name"}}],
            {},
            "'a' is already a label of the metric @ data['joins'][1]['metadata']",
        ),
        ([{**INFO, "metadata": ["domain"]}], {}, "'domain' is looked up and given at once"),
        ([{**INFO, "groupby": {"month": "m"}}], {}, "'month' is a date of every point"),
        ([{**INFO, "metadata": ["project_id"]}], {}, "'project_id' is the scope: list it in"),
        (
            [{**INFO, "groupby": ["project_id"]}],
            {"groupby": ["project_id"]},
            "'project_id' is already a label of the metric @ data['joins'][0]['groupby']",
        ),
        (
            [{**INFO, "metadata": ["a"]}, {**INFO, "groupby": ["project_id"]}],
            {},
            "the join that gives the scope must be the first one @ data['joins'][1]",
        ),
        (
            [{**FLAVOR, "groupby": ["project_id"]}],
            {},
            "the scope can be taken from aetos or prometheus only @ data['joins'][0]['groupby']",
        ),
    ],
)
def test_mistakes(joins: list[Any], definition: dict[str, Any], reason: str) -> None:
    with pytest.raises(metrics.InvalidConfiguration) as caught:
        validate(*joins, **definition)
    assert any(reason in error for error in caught.value.errors), caught.value.errors
    assert all(error.startswith("metric 'vcpus': ") for error in caught.value.errors)
