# SPDX-License-Identifier: Apache-2.0
"""What is collected, over HTTP (contract api.md 11)."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from cloudkitty.tests import webapi
from cloudkitty.tests.webapi import NOBODY, fault

METRICS = """
metrics:
  cpu:
    unit: instance
    alt_name: instance
    groupby: [id, project_id]
    metadata: [flavor_name, vcpus, flavor_name]
    mutate: NUMBOOL
  ip.floating:
    - unit: ip
      metadata: [state]
    - unit: ip
      alt_name: ip.reserved
      factor: 1/2
  größe:
    unit: GiB
    mutate: MAP
    mutate_map: {0.0: 1.0, 5: 2}
"""
INVALID = "Invalid endpoint: no metrics in current configuration."


@pytest.fixture
def api(sqlite_database, conf):
    return webapi.Api(conf)


@pytest.fixture
def write(conf, tmp_path):
    """Write metrics.yml."""
    path = tmp_path / "metrics.yml"
    conf.config(metrics_conf=str(path), group="collect")
    return lambda text: path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["metrics", "services"])
def test_metrics(api, write, name):
    write(METRICS)
    found = api.get(f"/v1/info/{name}", as_=NOBODY).json
    assert found == {
        "metrics": [
            {"metric_id": "instance", "metadata": ["flavor_name", "vcpus"], "unit": "instance"},
            {"metric_id": "ip.floating", "metadata": ["state"], "unit": "ip"},
            {"metric_id": "ip.reserved", "metadata": [], "unit": "ip"},
            {"metric_id": "größe", "metadata": [], "unit": "GiB"},
        ]
    }
    assert list(found["metrics"][0]) == ["metric_id", "metadata", "unit"]
    for metric in found["metrics"]:
        assert api.get(f"/v1/info/{name}/{quote(metric['metric_id'])}").json == metric
    for unknown in ("cpu", "none", "ip.floating.json", "ip"):
        assert fault(api.get(f"/v1/info/{name}/{unknown}"), 404) == unknown


def test_labels_of_joins_are_metadata_like_others(api, write):
    write(
        """
        metrics:
          vcpus:
            unit: vcpu
            metadata: [host]
            joins:
              - source: prometheus
                metric: libvirt_domain_openstack_info
                on: [domain]
                groupby: [project_id]
                metadata: {flavor: flavor_name}
        """
    )
    found = api.get("/v1/info/metrics/vcpus").json
    assert found == {"metric_id": "vcpus", "metadata": ["host", "flavor"], "unit": "vcpu"}


def test_the_file_is_read_for_every_request(api, write):
    write(METRICS)
    assert api.get("/v1/info/metrics/instance").status_int == 200
    write("metrics: {x: {unit: y}}")
    assert api.get("/v1/info/metrics").json["metrics"][0]["metric_id"] == "x"


@pytest.mark.parametrize(
    "text",
    ["", "metrics: {}", "metrics: {x: {}}", "other: 1", "metrics: {x: {unit: y, colour: z}}",
     "metrics: {x: {unit: y, groupby: [a], metadata: [a]}}", "metrics: [{x: {unit: y}}]"],
)  # fmt: skip
def test_a_file_that_does_not_validate(api, write, text):
    write(text)
    for path in ("metrics", "metrics/x", "services", "services/x"):
        assert fault(api.get(f"/v1/info/{path}"), 405) == INVALID
    assert api.get("/v1/info/config").status_int == 200


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("metrics: [secret", "not valid YAML"),
        ("- a", "expected a dictionary"),
        ("\x00", "not valid YAML"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read(api, write, text, reason, tmp_path, caplog):
    """The caller is told its name and the reason, the log where it is, in one line."""
    write(text or "")
    if text is None:
        (tmp_path / "metrics.yml").unlink()
    for path in ("config", "metrics", "metrics/x", "services"):
        told = fault(api.get(f"/v1/info/{path}", as_=NOBODY), 500)
        assert re.fullmatch(
            rf"Internal server error \(request [\w-]+\): "
            rf"metrics\.yml \(\[collect\] metrics_conf\): {reason}",
            told,
        ), told
        line = caplog.records[-1]
        assert line.getMessage().startswith(f"{tmp_path / 'metrics.yml'}: {reason}")
        assert line.exc_info is None


def test_the_file_as_it_is(api, write):
    write(METRICS)
    found = api.get("/v1/info/config", as_=NOBODY).json
    assert list(found) == ["metrics"]
    assert found["metrics"]["cpu"]["metadata"] == ["flavor_name", "vcpus", "flavor_name"]
    assert found["metrics"]["ip.floating"][1]["factor"] == "1/2"
    assert found["metrics"]["größe"]["mutate_map"] == {"0.0": 1.0, "5": 2}
    write("")
    assert api.get("/v1/info/config/").json == {}


def test_odd_values_of_yaml_are_shown_too(api, write):
    write(
        "{a: 2026-01-02, b: 2026-01-02T03:04:05Z, c: .nan, d: !!set {x}, 3: -.inf,"
        " e: !!binary aGk=}"
    )
    answer = api.get("/v1/info/config")
    assert answer.status_int == 200, answer.text
    assert answer.json == {
        "a": "2026-01-02",
        "b": "2026-01-02T03:04:05+00:00",
        "c": "nan",
        "d": ["x"],
        "3": "-inf",
        "e": "hi",
    }
