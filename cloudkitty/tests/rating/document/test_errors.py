# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a document is said with its line, all of it at once."""
# ruff: noqa: E501 - a line of output is a line here

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudkitty.rating import document
from cloudkitty.rating.document import DocumentError, reader

ATTRIBUTE = "Invalid input for field/attribute"
NO_NUMBER = "Value should be a number, or a text that is one"
MISSING = "Value: 'None'. Mandatory field missing."
NO_DATE = "Value should be an ISO 8601 date"
TRUTH = "put it in quotes (a label that is true has the text 'True')"


def problems(text: str, name: str = "r.yaml") -> list[str]:
    with pytest.raises(DocumentError) as raised:
        document.loads(text, name)
    return str(raised.value).splitlines()


def of_rule(rule: str) -> list[str]:
    """What is wrong with a mapping of a service, in line 5."""
    text = f"hashmap:\n  services:\n    compute:\n      mappings:\n      - {rule}\n"
    found = problems(text)
    prefix = "r.yaml:5: hashmap.services.compute.mappings[0]"
    assert all(line.startswith(prefix) for line in found), found
    return [line.removeprefix(prefix) for line in found]


def of_value(rule: str) -> list[str]:
    """What is wrong with a mapping of a field, in line 6."""
    text = f"hashmap:\n  services:\n    compute:\n      fields:\n        flavor:\n          mappings: [{rule}]\n"
    found = problems(text)
    prefix = "r.yaml:6: hashmap.services.compute.fields.flavor.mappings[0]"
    assert all(line.startswith(prefix) for line in found), found
    return [line.removeprefix(prefix) for line in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{}", [f".cost: {ATTRIBUTE} cost. {MISSING}"]),
        ("{cost: null}", [f".cost: {ATTRIBUTE} cost. {MISSING}"]),
        ("", [": expected a mapping, not nothing"]),
        ("12", [": expected a mapping, not '12'"]),
        ("[1]", [": expected a mapping, not a list"]),
        ("{cost: []}", [".cost: expected a text, not a list"]),
        (
            "{cost: much}",
            [f".cost: {ATTRIBUTE} cost. Value: 'much'. {NO_NUMBER}"],
        ),
        (
            "{cost: .inf}",
            [f".cost: {ATTRIBUTE} cost. Value: '.inf'. {NO_NUMBER}"],
        ),
        (
            "{cost: NaN}",
            [f".cost: {ATTRIBUTE} cost. Value: 'NaN'. Value should be a finite number"],
        ),
        (
            "{cost: 1000000000000}",
            [
                f".cost: {ATTRIBUTE} cost. Value: '1000000000000'. Value out of range: at most 12 digits before the point"
            ],
        ),
        (
            "{cost: 1, type: floor}",
            [f".type: {ATTRIBUTE} type. Value: 'floor'. Value should be one of: flat, rate"],
        ),
        ("{cost: 1, cots: 2}", [".cots: unknown key, did you mean 'cost'?"]),
        ("{cost: 1, value: x}", [".value: You can't specify a value and a service_id."]),
        ("{cost: 1, group: ''}", [".group: a group has a name; leave it out for no group"]),
        (
            "{cost: 1, start: soon}",
            [f".start: {ATTRIBUTE} start. Value: 'soon'. {NO_DATE}"],
        ),
        (
            "{cost: 1, start: 2024-02-01, end: 2024-01-01}",
            [
                ".end: Cannot create a rule with start after end. start=[2024-02-01 00:00:00] end=[2024-01-01 23:59:59]."
            ],
        ),
        (
            "{cost: 1, name: " + 33 * "n" + "}",
            [
                f".name: {ATTRIBUTE} name. Value: '{32 * 'n'}...'. Value too long: at most 32 characters"
            ],
        ),
        (
            '{cost: 1, tenant: "a\\0"}',
            [
                f".tenant: {ATTRIBUTE} tenant. Value: ''a\\x00''. Value has characters that cannot be stored"
            ],
        ),
        (
            "{cost: x, type: y, tenant: yes}",
            [
                f".type: {ATTRIBUTE} type. Value: 'y'. Value should be one of: flat, rate",
                f".cost: {ATTRIBUTE} cost. Value: 'x'. {NO_NUMBER}",
                f".tenant: yes is a truth value here: {TRUTH}",
            ],
        ),
    ],
)
def test_mapping(rule: str, expected: list[str]) -> None:
    assert of_rule(rule) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{cost: 1}", [".value: You must specify a value for a field mapping."]),
        ("{cost: 1, value: ''}", [".value: You must specify a value for a field mapping."]),
        ("{cost: 1, value: null}", [".value: You must specify a value for a field mapping."]),
        (
            "{cost: 1, value: True}",
            [f".value: True is a truth value here: {TRUTH}"],
        ),
    ],
)
def test_value(rule: str, expected: list[str]) -> None:
    assert of_value(rule) == expected


def test_everything_at_once_in_the_order_of_lines() -> None:
    text = """\
hashmap:
  groups: [a, a, ""]
  services:
    compute:
      mapings: []
      thresholds:
      - {level: -, cost: 1, group: b}
      fields: [flavor]
    volume.size: 5
pyscripts:
- {name: s}
- data: x
- {name: t, data: "", start: 2024-01-01T00:00:00+99:00}
modules:
  hashmap: {enabled: 1, priority: 0}
  pyscripts: on
zzz: {}
"""
    assert problems(text) == [
        "r.yaml:2: hashmap.groups[1]: the group 'a' is given twice",
        f"r.yaml:2: hashmap.groups[2]: {ATTRIBUTE} name. Value: ''. Value too short: 1 to 255 characters",
        "r.yaml:5: hashmap.services.compute.mapings: unknown key, did you mean 'mappings'?",
        f"r.yaml:7: hashmap.services.compute.thresholds[0].level: {ATTRIBUTE} level. Value: '-'. {NO_NUMBER}",
        "r.yaml:7: hashmap.services.compute.thresholds[0].group: no such group: 'b' is not in hashmap.groups",
        "r.yaml:8: hashmap.services.compute.fields: expected a mapping, not a list",
        "r.yaml:9: hashmap.services['volume.size']: expected a mapping, not '5'",
        f"r.yaml:11: pyscripts[0].data: {ATTRIBUTE} data. {MISSING}",
        f"r.yaml:12: pyscripts[1].name: {ATTRIBUTE} name. {MISSING}",
        f"r.yaml:13: pyscripts[2].start: {ATTRIBUTE} start. Value: '2024-01-01T00:00:00+99:00'. {NO_DATE}",
        "r.yaml:15: modules.hashmap.enabled: expected true or false, not '1'",
        "r.yaml:15: modules.hashmap.priority: expected a whole number from 1 to 2147483647, not '0'",
        "r.yaml:16: modules.pyscripts: expected a mapping, not 'on'",
        "r.yaml:17: zzz: unknown key; known: hashmap, pyscripts, modules",
    ]


def test_rules_in_each_others_way() -> None:
    text = """\
hashmap:
  services:
    compute:
      mappings:
      - {cost: 1, end: 2024-05-01T00:00:00, name: x}
      - {cost: 2, start: 2024-05-01T00:00:00}
      - {cost: 3, start: 2024-06-01, tenant: a}
      - {cost: 3, start: 2024-04-01, tenant: a, end: 2024-06-01T00:00:00}
      - {cost: 4, start: 2024-04-01, end: 2024-07-01, tenant: a, name: x}
      - {cost: 4, group: g}
      thresholds:
      - {level: 1, cost: 1}
      - {level: 1.0, cost: 2}
      - {level: 1, cost: 1, group: g}
      - {level: 1, cost: 1, tenant: a}
      - {level: 1, cost: 1, tenant: a, group: g}
pyscripts:
- {name: s, data: ""}
- {name: s, data: "pass"}
"""
    where = "hashmap.services.compute"
    assert problems(text) == [
        f"r.yaml:9: {where}.mappings[4]: Mapping 'x' already exists ({where}.mappings[0] in line 5)",
        f"r.yaml:9: {where}.mappings[4]: Mapping 'None' already exists for service 'compute', tenant: 'a' ({where}.mappings[2] in line 7)",
        f"r.yaml:13: {where}.thresholds[1]: Threshold '1' already exists for service 'compute', tenant: 'None' ({where}.thresholds[0] in line 12)",
        f"r.yaml:16: {where}.thresholds[4]: Threshold '1' already exists for service 'compute', tenant: 'a' ({where}.thresholds[3] in line 15)",
        "r.yaml:19: pyscripts[1]: Script 's' already exists (pyscripts[0] in line 18)",
    ]
    assert len(document.loads(text, strict=False).mappings) == 6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [\n", "r.yaml:2: not valid YAML: "),
        ("hashmap:\n\tservices: {}\n", "r.yaml:2: not valid YAML: "),
        ("hashmap: {}\n---\nhashmap: {}\n", "r.yaml:2: not valid YAML: more than one document"),
        ("hashmap: {}\nmodules: {}\nhashmap: {}\n", "r.yaml:3: the key 'hashmap' is given twice"),
        ("hashmap: *rules\n", "r.yaml:1: not valid YAML: found undefined alias 'rules'"),
        ("hashmap: &a\n  services: *a\n", "r.yaml:2: not valid YAML: found undefined alias 'a'"),
        ("? [1]\n: 2\n", "r.yaml:1: not valid YAML: a key must be a text"),
        ("a: " + 60 * "[" + 60 * "]", "r.yaml:1: not valid YAML: more than 50 levels"),
        ("- 1\n", "r.yaml:1: expected a mapping, not a list"),
        ("x\n", "r.yaml:1: expected a mapping, not 'x'"),
        ("a: \x07\n", "r.yaml:1: not valid YAML: "),
    ],
)
def test_no_document(text: str, expected: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"hashmap":\n}', "r.json:2: not valid JSON: Expecting value"),
        ('{"hashmap": {},\n "hashmap": {}}', "r.json:2: the key 'hashmap' is given twice"),
        ('{"hashmap": {}}\n}', "r.json:2: not valid JSON: Extra data"),
        ('{"hashmap": 01}', "r.json:1: not valid JSON: Expecting ',' delimiter"),
        ("{hashmap: 1}", "r.json:1: not valid JSON: Expecting property name in double quotes"),
        (60 * "[", "r.json:1: not valid JSON: More than 50 levels"),
        (
            '{"hashmap": {"services": {"a": {\n"mappings": [{"cost": true}]}}}}',
            f"r.json:2: hashmap.services.a.mappings[0].cost: {ATTRIBUTE} cost. Value: 'true'. {NO_NUMBER}",
        ),
    ],
)
def test_json(text: str, expected: str) -> None:
    assert problems(text, "r.json") == [expected]


def test_aliases_cannot_make_a_document_grow_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "MAX_VALUES", 10_000)
    many = ", ".join(["*m"] * 100)
    services = "".join(f"    s{number}: *all\n" for number in range(100))
    text = f"hashmap:\n  services:\n    a: &all {{mappings: [&m {{cost: 1}}, {many}]}}\n{services}"

    assert problems(text) == ["r.yaml:3: more than 10000 values"]


def test_too_many_errors() -> None:
    found = problems("hashmap:\n" + "".join(f"  k{number}: 1\n" for number in range(2000)))
    assert len(found) == 1001
    assert found[-1] == "r.yaml:1001: too many errors, the rest was not read"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
@example("\ud800")
@example("\ufeff{}")
@example("{" * 3000)
@example("a: &b [*b]")
def test_any_text_is_a_document_or_refused(text: str) -> None:
    found = None
    try:
        document.loads(text)
    except DocumentError as exc:
        found = exc.problems
    assert found != ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "hashmap",
                    "pyscripts",
                    "modules",
                    "services",
                    "fields",
                    "mappings",
                    "cost",
                    "value",
                    "thresholds",
                    "level",
                    "groups",
                    "group",
                    "rules",
                    "scripts",
                    "start",
                    "name",
                    "data",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(_JSON)
def test_any_object_is_a_document_or_refused(value: object) -> None:
    def read(function: object, argument: object) -> object:
        try:
            return function(argument)
        except DocumentError as exc:
            return [problem.reason for problem in exc.problems]

    of_object = read(document.of_json, value)
    if not isinstance(value, dict | list):
        return
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError:
        return
    of_text = read(document.loads, text)
    if isinstance(of_text, list):
        assert sorted(of_text) == sorted(of_object)
    else:
        assert of_text.hashmap == of_object.hashmap
