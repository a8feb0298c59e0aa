# SPDX-License-Identifier: Apache-2.0
"""What a document says is what was meant: exact numbers, texts as they are, dates, defaults."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings

from cloudkitty import timeutils
from cloudkitty.rating import document
from cloudkitty.rating.document import model, writer
from cloudkitty.rating.hashmap.rules import MappingRule, Price, Rules, ThresholdRule
from cloudkitty.tests.rating.document.rules import documents

TEXT = """\
hashmap:
  groups: [g]
  services:
    compute:
      mappings:
      - {cost: 0.1000000000000000000000000001, group: g}
      thresholds:
      - {level: 1.5, cost: 1e-3, type: rate, tenant: 007}
      fields:
        flavor:
          mappings:
          - &small {value: small, cost: 1, start: 2024-01-01, end: 2024-01-31}
          - {<<: *small, value: 1.0, start: 2024-02-01T12:00, end: ~}
          - value: "yes"
            cost: '2'
            name: n
            description: ""
    unused:
pyscripts:
- name: half
  data: |
    pass
modules:
  hashmap: {priority: 5}
  pyscripts: {enabled: false}
"""


def naive(*args: int) -> dt.datetime:
    return dt.datetime(*args)  # noqa: DTZ001 - dates of rules are naive


def test_yaml() -> None:
    found = document.loads(TEXT, "r.yaml")

    assert found.hashmap == Rules(
        services=("compute", "unused"),
        mappings=(
            MappingRule(
                "compute",
                None,
                "g",
                None,
                Price(flat=True, cost=Decimal("0.1000000000000000000000000001")),
                None,
                model.ALWAYS,
                None,
            ),
            MappingRule(
                "compute",
                "flavor",
                "_DEFAULT_",
                "small",
                Price(flat=True, cost=Decimal(1)),
                None,
                naive(2024, 1, 1),
                naive(2024, 1, 31, 23, 59, 59),
            ),
            MappingRule(
                "compute",
                "flavor",
                "_DEFAULT_",
                "1.0",
                Price(flat=True, cost=Decimal(1)),
                None,
                naive(2024, 2, 1, 12),
                None,
            ),
            MappingRule(
                "compute",
                "flavor",
                "_DEFAULT_",
                "yes",
                Price(flat=True, cost=Decimal(2)),
                None,
                model.ALWAYS,
                None,
            ),
        ),
        thresholds=(
            ThresholdRule(
                "compute",
                None,
                "_DEFAULT_",
                Decimal("1.5"),
                Price(flat=False, cost=Decimal("0.001")),
                "007",
            ),
        ),
    )
    assert [rule.line for rule in found.mappings] == [6, 12, 13, 14]
    assert found.mappings[-1].name == "n"
    # That there is none is said for the last one only.
    assert [rule.description for rule in found.mappings] == [None, None, None, ""]
    assert found.fields == (("compute", "flavor"),)
    assert [(script.name, script.data) for script in found.scripts] == [("half", "pass\n")]
    assert found.modules == {
        "hashmap": model.Module(priority=5),
        "pyscripts": model.Module(enabled=False),
    }
    assert found.sections == {"hashmap", "pyscripts", "modules"}
    assert found.order() == ("hashmap",)


def test_scripts_as_the_engine_takes_them() -> None:
    found = document.loads("pyscripts: [{name: a, data: x}, {name: b, data: y, start: 2024-05-01}]")
    scripts = found.pyscripts

    early, late = (scripts.at(naive(2024, month, 1)) for month in (4, 5))
    assert [scripts.sources[key].name for key in early] == ["a"]
    assert [scripts.sources[key].code for key in late] == [b"x", b"y"]


def test_the_same_as_json_and_as_an_object() -> None:
    value = {
        "hashmap": {
            "services": {
                "a\t\U0001f600": {"mappings": [{"cost": 1, "start": "2024-01-01", "end": None}]}
            }
        }
    }
    expected = document.of_json(value).hashmap
    text = json.dumps(value, indent="\t")

    assert expected.services == ("a\t\U0001f600",)
    assert document.loads(text).hashmap == expected
    assert document.loads(f"\ufeff{text}", "x.json").hashmap == expected
    # Braces are YAML as well.
    assert document.loads("{hashmap: {services: {a: }}}").hashmap.services == ("a",)


def test_numbers_of_json_keep_their_digits() -> None:
    text = '{"hashmap": {"services": {"a": {"mappings": [{"cost": 0.12345678901234567890123}]}}}}'
    assert document.loads(text).mappings[0].cost == Decimal("0.12345678901234567890123")


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "null"])
def test_nothing(text: str) -> None:
    found = document.loads(text)
    assert found.sections == frozenset()
    assert found.hashmap == Rules((), (), ())


def test_dates_with_an_offset_are_those_of_this_host() -> None:
    timeutils.set_local_timezone(zoneinfo.ZoneInfo("Europe/Berlin"))
    text = "hashmap: {services: {a: {mappings: [{cost: 1, start: '2024-07-01T00:00:00Z'}]}}}"
    assert document.loads(text).mappings[0].start == naive(2024, 7, 1, 2)


def test_groups_that_are_not_declared_are_those_that_rules_name() -> None:
    text = "hashmap: {services: {a: {mappings: [{cost: 1, group: x}, {cost: 1, group: y}]}}}"
    assert document.loads(text).groups == ("x", "y")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(TEXT)
    assert document.load(path).hashmap == document.loads(TEXT).hashmap
    path.write_bytes(b"hashmap: \xff")
    with pytest.raises(document.DocumentError, match=r"rules.yaml: not UTF-8"):
        document.load(path)


def test_a_case_of_the_vectors() -> None:
    case = {
        "rules": {
            "services": [{"id": "s", "name": "compute"}],
            "fields": [{"id": "f", "service": "s", "name": "flavor"}],
            "groups": [{"id": "g", "name": "x"}],
            "mappings": [
                {"id": "m", "field": "f", "group": "g", "value": "v", "type": "flat", "cost": "1"},
                {"id": "n", "service": "s", "cost": "1", "deleted": "2024-01-01T00:00:00"},
            ],
            "thresholds": [{"id": "t", "service": "s", "level": "1", "type": "rate", "cost": "2"}],
        },
        "scripts": [{"id": "p", "name": "half", "data": "pass"}],
        "input": {},
    }
    found = document.loads(json.dumps(case))

    assert found.order() == ("hashmap", "pyscripts")
    assert [(rule.field, rule.group, rule.value) for rule in found.mappings] == [
        ("flavor", "x", "v")
    ]
    assert len(found.thresholds) == len(found.scripts) == 1

    case["rules"]["mappings"].append({"id": "o", "service": "t", "field": "f", "cost": "x"})
    with pytest.raises(document.DocumentError) as raised:
        document.loads(json.dumps(case, indent=1), "c.json")
    assert len(raised.value.problems) == 3
    assert all(problem.line for problem in raised.value.problems)


@settings(max_examples=50, deadline=None)
@given(documents())
def test_what_is_written_is_read(rules: model.Document) -> None:
    text = writer.dump(rules)
    found = document.loads(text)

    assert found.hashmap == sorted_like_written(rules).hashmap
    assert found.scripts == rules.scripts
    assert found.modules == rules.modules
    assert sorted(found.groups) == sorted(rules.groups)
    assert [rule.name for rule in found.mappings if rule.name] == [
        rule.name for rule in sorted_like_written(rules).mappings if rule.name
    ]
    assert writer.dump(found) == text
    # Other programs read the same texts: no number is a float to them.
    plain = yaml.safe_load(text)
    assert [script["data"] for script in plain["pyscripts"]] == [s.data for s in rules.scripts]
    assert set(plain["hashmap"]["services"]) == set(rules.services)


def sorted_like_written(rules: model.Document) -> model.Document:
    """Rules by the names of their parents; what is in one keeps its order."""

    def parent(rule: model.Mapping | model.Threshold) -> tuple[str, bool, str]:
        return rule.service, rule.field is not None, rule.field or ""

    return model.Document(
        sections=rules.sections,
        services=rules.services,
        mappings=tuple(sorted(rules.mappings, key=parent)),
        thresholds=tuple(sorted(rules.thresholds, key=parent)),
    )
