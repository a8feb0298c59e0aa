# SPDX-License-Identifier: Apache-2.0
"""The plug-ins of the tests: they use what is documented, and nothing else; each kind by itself."""

from __future__ import annotations

import ast
import datetime as dt
import importlib
import re
import sys
import zoneinfo
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import cloudkitty
from cloudkitty import timeutils
from cloudkitty.collector import BaseCollector, BatchQuery, CollectError
from cloudkitty.dataframe import DataFrame
from cloudkitty.tests import plugin
from cloudkitty.tests.storage.v2 import vectors
from cloudkitty.usage import ScopeUsage

PACKAGE = "acme_rating"
PAGE = Path(cloudkitty.__file__).parents[1] / "doc" / "source" / "developer" / "plugins.rst"
BEGIN = timeutils.to_epoch(timeutils.parse_iso("2026-11-23T10:00:00"))


@pytest.fixture
def load(installed_plugin: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a function that imports a module of the plug-ins."""
    monkeypatch.syspath_prepend(str(installed_plugin))

    def one(name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    yield one
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def documented() -> dict[str, list[str]]:
    """Modules that plug-ins may import -> the names in them, by the page."""
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition(".. list-table:: What plug-ins may import")[2]
    rows = re.findall(r"^   \* - ``(cloudkitty[\w.]*)``\n     - (.*)$", table, re.MULTILINE)
    return {module: re.findall(r"``(\w+)``", names) for module, names in rows}


def used() -> Iterator[tuple[str, str]]:
    """Yield file and name of what the plug-ins import of ours, or use of modules of ours."""
    for path in sorted((plugin.SOURCE / PACKAGE).rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        known = {}
        for node in nodes:
            if isinstance(node, ast.Import):
                known |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                known |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        ours = {name: full for name, full in known.items() if full.startswith("cloudkitty")}
        yield from ((path.name, full) for full in ours.values())
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                full = ours.get(node.value.id)
                # What is used of a class is its interface.
                if full and full.rpartition(".")[2].islower():
                    yield path.name, f"{full}.{node.attr}"


@pytest.mark.skipif(not PAGE.is_file(), reason="needs a checkout")
def test_they_use_nothing_undocumented() -> None:
    allowed = {f"{module}.{name}" for module, names in documented().items() for name in names}
    allowed |= documented().keys()
    found = set(used())
    assert len(found) > 40
    assert {(file, name) for file, name in found if name not in allowed} == set()


@pytest.mark.skipif(not PAGE.is_file(), reason="needs a checkout")
def test_what_is_documented_is_there() -> None:
    found = documented()
    assert len(found) > 20
    for module, names in found.items():
        there = importlib.import_module(module)
        assert [name for name in names if not hasattr(there, name)] == [], module


def test_they_use_no_private_attributes() -> None:
    """But their own, and the tenant, which the contract names."""
    for path in sorted((plugin.SOURCE / PACKAGE).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
                mine = isinstance(node.value, ast.Name) and node.value.id == "self"
                assert mine or node.attr == "__init__", (path.name, node.attr)


@pytest.mark.parametrize("scenario", vectors.scenarios(), ids=lambda s: s["name"])
def test_recorded_answers_of_storages(
    load: Any,
    conf: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scenario: dict[str, Any],
) -> None:
    timeutils.set_local_timezone(zoneinfo.ZoneInfo(scenario["timezone"]))
    vectors.freeze(monkeypatch, scenario.get("now"))
    # It is called: what it does takes its time.
    monkeypatch.setattr("os.fsync", lambda _file: None)
    load("options").group("storage_acme")
    conf.config(directory=str(tmp_path / "rated"), group="storage_acme")
    storage = load("storage").PeriodFiles(period=scenario["period"])
    with pytest.raises(ConnectionError):
        storage.retrieve()
    storage.init()
    frames = vectors.frames_of(scenario)
    if frames:
        storage.push(frames)
    for step in scenario["steps"]:
        try:
            vectors.play(storage, step)
        except AssertionError as exc:
            raise AssertionError(f"{step['id']}: {step}\n{exc}") from exc


METERS = """begin,metric,value,project_id,id,kind
2026-11-23T10:00:00Z,disk,1.5,a,x,ssd
2026-11-23T11:00:00Z,disk,2,a,x,ssd
2026-11-23T11:00:00Z,disk,3,a,y,hdd
2026-11-23T11:00:00Z,disk,4,b,z,hdd
2026-11-23T11:00:00Z,other,5,a,x,ssd
"""


@pytest.fixture
def collector(load: Any, conf: Any, tmp_path: Path) -> Any:
    (tmp_path / "meters.csv").write_text(METERS)
    load("options").group("collector_acme")
    conf.config(meters=str(tmp_path / "meters.csv"), group="collector_acme")
    definition = {"unit": "GiB", "groupby": ["id"], "metadata": ["kind"], "factor": "1/3"}
    metrics = {"metrics": {"disk": {**definition, "alt_name": "storage"}}}
    return load("collector").MeterFile(period=3600, conf=metrics)


def test_both_forms_of_the_collector_agree(collector: Any) -> None:
    query = BatchQuery(["a", "b", "c"], [BEGIN, BEGIN + 3600], 3600)
    batch = collector.fetch_batch("disk@#storage", query)
    one_by_one = BaseCollector.fetch_batch(collector, "disk@#storage", query)
    assert {scope: series for scope, series in one_by_one.items() if series} == batch
    assert [series.qtys for series in batch["a"]] == [
        [Decimal("0.5"), Decimal("0.6666666666666666666666666667")],
        [Decimal(1)],
    ]


def test_a_collector_says_what_is_wrong(collector: Any, tmp_path: Path) -> None:
    (tmp_path / "meters.csv").write_text(METERS + "2026-11-23T11:00:00Z,disk,much,a,x,ssd\n")
    start = timeutils.from_epoch(BEGIN)
    with pytest.raises(CollectError, match=r"meters.csv, line 7: .*ConversionSyntax"):
        collector.fetch_all("disk@#storage", start, start + dt.timedelta(hours=1), "a")
    (tmp_path / "meters.csv").unlink()
    with pytest.raises(CollectError, match=r"meters.csv: No such file"):
        collector.fetch_batch("disk@#storage", BatchQuery(["a"], [BEGIN], 3600))


def test_both_forms_of_the_rating_module_give_the_same(
    load: Any, conf: Any, collector: Any
) -> None:
    load("options").group("acme_prices")
    conf.config(prices={"storage": "0.3"}, group="acme_prices")
    prices = load("prices").Prices
    query = BatchQuery(["a"], [BEGIN, BEGIN + 3600], 3600)
    series = collector.fetch_batch("disk@#storage", query)["a"]
    usage = ScopeUsage("a", 3600, query.begins, series)
    module = prices("a")
    frames = []
    for frame in usage.frames():
        module.reload_config(frame.start)
        frames.append(module.process(frame))
    module.begin_batch()
    module.rate_usage(usage)
    assert list(map(DataFrame.as_dict, usage.frames())) == list(map(DataFrame.as_dict, frames))
    assert [point.price for _, point in usage.frames()[0].iterpoints()] == [Decimal("0.15")]

    later = prices()
    later.restore(module.snapshot())
    conf.config(prices={}, group="acme_prices")
    later.begin_batch()
    assert later.version == module.version == "storage:0.3"
