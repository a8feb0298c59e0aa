# SPDX-License-Identifier: Apache-2.0
"""metrics.yml: what is accepted, and what is said about the rest (contract collect.md 1)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from oslo_config import fixture as cfg_fixture

from cloudkitty.collector import metrics
from cloudkitty.collector.prometheus import EXTRA_ARGS, PrometheusCollector

ETC = Path(__file__).parents[3] / "etc" / "cloudkitty"


def check(conf: Any, **kwargs: Any) -> dict[str, dict[str, Any]]:
    return metrics.validate(conf, "project_id", kwargs.pop("extra_args", EXTRA_ARGS), **kwargs)


def errors(conf: Any, **kwargs: Any) -> tuple[str, ...]:
    with pytest.raises(metrics.InvalidConfiguration) as caught:
        check(conf, **kwargs)
    return caught.value.errors


def one(**definition: Any) -> dict[str, Any]:
    return {"metrics": {"a": {"unit": "u", **definition}}}


def test_defaults_are_filled_in() -> None:
    assert check(one()) == {
        "a": {
            "unit": "u",
            "factor": 1,
            "offset": 0,
            "groupby": ["project_id"],
            "metadata": [],
            "mutate": "NONE",
            "extra_args": {"aggregation_method": "max", "query_prefix": "", "query_suffix": ""},
        }
    }


def test_the_file_is_not_changed_by_validation() -> None:
    conf = one(groupby=["id"])
    assert check(conf)["a"]["groupby"] == ["id", "project_id"]
    assert conf == one(groupby=["id"])


def test_keys_and_names() -> None:
    found = check({"metrics": {"cpu": [{"unit": "u"}, {"unit": "u", "alt_name": "b"}], "none": []}})
    assert list(found) == ["cpu", "cpu@#b"]
    assert [metrics.frame_name(*item) for item in found.items()] == ["cpu", "b"]
    assert [metrics.source_name(key) for key in found] == ["cpu", "cpu"]


@pytest.mark.parametrize(
    ("factor", "exact"),
    [
        (2, Fraction(2)),
        (1.5, Fraction(3, 2)),
        (0.1, Fraction(1, 10)),
        ("1/1048576", Fraction(1, 1048576)),
        (" 2 ", Fraction(2)),
        ("1e3", Fraction(1000)),
        ("-3", Fraction(-3)),
    ],
)
def test_factors_are_exact(factor: Any, exact: Fraction) -> None:
    assert check(one(factor=factor))["a"]["factor"] == exact
    assert check(one(offset=factor))["a"]["offset"] == exact


NO_METRICS = (
    "Not a dict with at least one key or a list with at least one dict with at least one key. "
    "Provided value: {} for dictionary value @ data['metrics']"
)


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({}, "required key not provided @ data['metrics']"),
        ([], "expected a dictionary"),
        ({"metrics": {}}, NO_METRICS.format("{}")),
        ({"metrics": "x"}, NO_METRICS.format("x")),
        ({"metrics": [1]}, NO_METRICS.format("[1]")),
        ({"metrics": None}, NO_METRICS.format("None")),
        (
            {"metrics": [{"a": {"unit": "u"}}]},
            (
                "expected a dictionary of metric names, not a list for dictionary value "
                "@ data['metrics']"
            ),
        ),
        ({**one(), "x": 1}, "extra keys not allowed @ data['x']"),
        (
            {"metrics": {3: {"unit": "u"}}},
            "metric 3: expected str as the name of a metric",
        ),
        ({"metrics": {"a": None}}, "metric 'a': expected a dictionary"),
        ({"metrics": {"a": [None]}}, "metric 'a': expected a dictionary"),
        ({"metrics": {"a": {}}}, "metric 'a': required key not provided @ data['unit']"),
    ],
)
def test_the_frame_of_the_file(conf: Any, message: str) -> None:
    assert errors(conf) == (message,)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            {"unit": ""},
            "length of value must be at least 1 for dictionary value @ data['unit']",
        ),
        (
            {"alt_name": ""},
            "length of value must be at least 1 for dictionary value @ data['alt_name']",
        ),
        ({"unit": 3}, "expected str for dictionary value @ data['unit']"),
        ({"groupby": "id"}, "expected a list for dictionary value @ data['groupby']"),
        ({"groupby": [3]}, "expected str @ data['groupby'][0]"),
        ({"mutate_map": []}, "expected dict for dictionary value @ data['mutate_map']"),
        ({"foo": 1}, "extra keys not allowed @ data['foo']"),
        ({"extra_args": {"foo": 1}}, "extra keys not allowed @ data['extra_args']['foo']"),
        ({"factor": "x"}, "expected int for dictionary value @ data['factor']"),
        ({"factor": None}, "expected int for dictionary value @ data['factor']"),
        ({"factor": "1/0"}, "expected int for dictionary value @ data['factor']"),
        ({"factor": "1e999999999"}, "expected int for dictionary value @ data['factor']"),
        ({"factor": float("inf")}, "expected int for dictionary value @ data['factor']"),
        ({"offset": "nan"}, "expected int for dictionary value @ data['offset']"),
        (
            {"mutate": "map"},
            (
                "value must be one of ['CEIL', 'FLOOR', 'MAP', 'NONE', 'NOTNUMBOOL', 'NUMBOOL'] "
                "for dictionary value @ data['mutate']"
            ),
        ),
        (
            {"extra_args": {"aggregation_method": "mean"}},
            (
                "value must be one of ['avg', 'count', 'max', 'min', 'stddev', 'stdvar', 'sum'] "
                "for dictionary value @ data['extra_args']['aggregation_method']"
            ),
        ),
        (
            {"mutate": "MAP", "mutate_map": {1: "x"}},
            "'x' is not a number for dictionary value @ data['mutate_map'][1]",
        ),
    ],
)
def test_a_definition_s_faults_name_metric_and_key(
    definition: dict[str, Any], message: str
) -> None:
    key = f"a@#{definition['alt_name']}" if definition.get("alt_name") else "a"
    assert errors(one(**definition)) == (f"metric '{key}': {message}",)


def test_map_and_its_table_belong_together() -> None:
    (message,) = errors(one(mutate="MAP"))
    assert message.startswith("metric 'a': Metric a uses MAP mutator but mutate_map is missing: {")
    (message,) = errors(one(mutate_map={1: 1}))
    assert "Metric a not using MAP mutator but mutate_map is present: {" in message


def test_the_same_key_twice() -> None:
    (message,) = errors({"metrics": {"a": [{"unit": "u", "alt_name": "z"}] * 2}})
    assert message == (
        "metric 'a@#z': Metric a@#z already exists, you should change the alt_name for metric: "
        "{'unit': 'u', 'alt_name': 'z'}"
    )


def test_a_name_in_groupby_and_metadata(caplog: pytest.LogCaptureFixture) -> None:
    conf = one(groupby=["id"], metadata=["id", "flavor", "project_id"])
    assert check(conf)["a"]["metadata"] == ["flavor"]
    assert "metric 'a': id, project_id both in groupby and metadata" in caplog.text
    (message,) = errors(conf, strict=True)
    assert "Metric a has duplicates in groupby and metadata: {" in message


def test_all_faults_are_told_at_once() -> None:
    assert len(errors({"metrics": {"a": {}, "b": {"unit": ""}, "c": {"unit": "u", "x": 1}}})) == 3


def test_a_collector_may_require_extra_args() -> None:
    assert errors(one(), extra_args={"x": str}, extra_required=True) == (
        "metric 'a': required key not provided @ data['extra_args']",
    )


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        (one(groupby=["a.b"]), r"not a label name of Prometheus: 'a.b' @ data\['groupby'\]\[0\]"),
        (one(metadata=["x) or vector(1"]), "not a label name of Prometheus"),
    ],
)
def test_what_promql_cannot_say(conf: dict[str, Any], message: str) -> None:
    with pytest.raises(metrics.InvalidConfiguration, match=message):
        PrometheusCollector.check_configuration(conf)


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"resolution": 0}, "value must be at least 1"),
        ({"resolution": True}, "expected int"),
        ({"resolution": "60"}, "expected int"),
        ({"resolution": 7}, r"the period \(3600 s\) is no multiple of it"),
        ({"resolution": 60, "range_function": "rate"}, "does not go with range_function"),
    ],
)
def test_shares_of_a_period(extra: dict[str, Any], reason: str) -> None:
    with pytest.raises(metrics.InvalidConfiguration, match=rf"{reason}.*\['resolution'\]"):
        PrometheusCollector.check_configuration(
            {"metrics": {"a": {"unit": "u", "extra_args": extra}}}
        )


def test_on_is_a_word_in_a_join(tmp_path: Path) -> None:
    """YAML 1.1 takes it for true."""
    path = tmp_path / "metrics.yml"
    path.write_text("metrics: {a: {joins: [{source: x, on: [b]}], mutate_map: {on: 1}}}")
    found = metrics.load(str(path))["metrics"]["a"]
    assert found["joins"] == [{"source": "x", "on": ["b"]}]
    assert found["mutate_map"] == {True: 1}


def test_any_name_of_a_metric_can_be_asked_for() -> None:
    assert PrometheusCollector.check_configuration({"metrics": {"volume.size": {"unit": "u"}}})


def test_reading_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "metrics.yml"
    path.write_text("metrics:\n  a: {unit: u}\n  a: {unit: v}\n")
    assert metrics.load(str(path)) == {"metrics": {"a": {"unit": "v"}}}
    assert "key 'a' is given twice" in caplog.text
    path.write_text("")
    assert metrics.load(str(path)) == {}
    assert errors(metrics.load(str(path))) == (
        f"{path}: required key not provided @ data['metrics']",
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"metrics: [", "not valid YAML"),
        (b"a: b: c", "not valid YAML"),
        (b"!!python/object/apply:os.system ['true']", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"? {a: b}\n: c", "not valid YAML"),
        (b"- a", "expected a dictionary"),
        (b"text", "expected a dictionary"),
    ],
)
def test_an_unusable_file_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "metrics.yml"
    path.write_bytes(content)
    with pytest.raises(metrics.InvalidConfiguration) as caught:
        metrics.load(str(path))
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(metrics.InvalidConfiguration, match=r"nope\.yml: No such file"):
        metrics.load(str(tmp_path / "nope.yml"))


def test_the_shipped_files(conf: cfg_fixture.Config) -> None:
    gnocchi = metrics.load(str(ETC / "metrics.yml"))
    found = metrics.validate(gnocchi, "project_id", strict=True)
    assert list(found) == [
        "cpu@#instance",
        "image.size",
        "volume.size",
        "network.outgoing.bytes.rate",
        "network.incoming.bytes.rate",
        "ip.floating",
        "radosgw.objects.size",
    ]
    assert {d["extra_args"]["aggregation_method"] for d in found.values()} == {"mean"}
    conf.config(scope_key="tenant_id", group="collect")
    found = PrometheusCollector.check_configuration(metrics.load(str(ETC / "prom_metrics.yml")))
    assert list(found) == [
        "openstack_nova_server_status@#instance",
        "openstack_cinder_limits_volume_used_gb@#storage",
        "openstack_glance_image_bytes@#image.size",
    ]
    assert found["openstack_nova_server_status@#instance"]["mutate_map"] == {
        0.0: 1.0,
        11.0: 1.0,
        12.0: 1.0,
        16.0: 1.0,
    }
