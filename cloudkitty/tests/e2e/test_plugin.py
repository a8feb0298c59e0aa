# SPDX-License-Identifier: Apache-2.0
"""Plug-ins of a distribution of their own rate, store and answer: nothing of ours takes part."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from cloudkitty.tests.api import pipeline
from cloudkitty.tests.conformance import server
from cloudkitty.timeutils import from_epoch

pytestmark = pytest.mark.e2e

PERIOD = 3600
CONFIGURATION = """
[DEFAULT]
auth_strategy = noauth
api_paste_config = {paste}
[api]
workers = 1
[database]
connection = sqlite:///{directory}/ck.sqlite
[collect]
collector = acme
scope_key = customer
metrics_conf = {directory}/metrics.yml
[collector_acme]
meters = {directory}/meters.csv
[fetcher]
backend = acme
[fetcher_acme]
customers = {directory}/customers.csv
[storage]
backend = acme
[storage_acme]
directory = {directory}/rated
[acme_prices]
prices = disk:0.003,traffic:1.5
[orchestrator]
coordination_url = file://{directory}/locks
max_workers = 1
max_workers_reprocessing = 0
"""
METRICS = """
metrics:
  disk_bytes:
    alt_name: disk
    unit: GiB
    factor: 1/1073741824
    groupby: [id]
    metadata: [kind]
  traffic:
    unit: GB
"""
#: Customer -> discount in percent; the second one has left an hour ago.
CUSTOMERS = {"bolt": 25, "gone": 0}


@dataclass
class Acme:
    """An installation with the plug-ins."""

    url: str
    config: Path
    begins: list[int]

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request."""
        return requests.request(
            method,
            f"{self.url}{path}",
            timeout=30,
            headers={"Accept": "application/json"},
            **options,
        )

    def get(self, path: str, **query: Any) -> Any:
        """Give an answer, numbers as decimals."""
        answer = self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text, parse_float=Decimal)

    def run(self, command: str, *arguments: str) -> str:
        """Give what a command says."""
        options = ["--config-file", str(self.config), *arguments]
        done = subprocess.run(
            [sys.executable, "-m", f"cloudkitty.cli.{command}", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def interval(self) -> dict[str, str]:
        """Everything that was used."""
        begin, end = self.begins[0], self.begins[-1] + PERIOD
        return {"begin": from_epoch(begin).isoformat(), "end": from_epoch(end).isoformat()}


@pytest.fixture
def acme(installed_plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acme]:
    monkeypatch.setenv("PYTHONPATH", str(installed_plugin))
    config = tmp_path / "cloudkitty.conf"
    config.write_text(CONFIGURATION.format(paste=pipeline.SHIPPED, directory=tmp_path))
    (tmp_path / "metrics.yml").write_text(METRICS)
    newest = int(time.time()) // PERIOD * PERIOD - 2 * PERIOD
    begins = [newest - PERIOD, newest]
    left = from_epoch(newest + PERIOD).isoformat()
    (tmp_path / "customers.csv").write_text(f"id,left\nbolt,\ngone,{left}\nold,2020-01-01\n")
    lines = ["begin,metric,value,customer,id,kind"]
    for begin in begins:
        at = from_epoch(begin).isoformat()
        for customer in CUSTOMERS:
            lines += [
                f"{at},disk_bytes,{10 * 1024**3},{customer},{customer}-1,ssd",
                # Two meters of one disk.
                f"{at},disk_bytes,{1024**3},{customer},{customer}-2,hdd",
                f"{at},disk_bytes,{1024**3},{customer},{customer}-2,hdd",
                f"{at},traffic,0.5,{customer},,",
            ]
    (tmp_path / "meters.csv").write_text("\n".join(lines) + "\n")
    with server.serving(config) as url:
        yield Acme(url, config, begins)


def configure(acme: Acme) -> None:
    """Switch the modules on, the prices before the discounts, and say where rating begins."""
    for module, priority in (("acme_prices", 10), ("acme", 5)):
        body = {"module_id": module, "enabled": True, "priority": priority}
        answer = acme.call("PUT", f"/v1/rating/modules/{module}", json=body, allow_redirects=False)
        assert answer.status_code == 302, answer.text
    start = from_epoch(acme.begins[0])
    for customer in CUSTOMERS:
        body = {
            "scope_id": customer,
            "scope_key": "customer",
            "fetcher": "acme",
            "collector": "acme",
            "last_processed_timestamp": from_epoch(acme.begins[0] - PERIOD).isoformat(),
        }
        answer = acme.call("POST", "/v2/scope", json=body)
        assert answer.status_code == 200, answer.text
    discounts = "/v1/rating/module_config/acme/discounts"
    body = {"scope_id": "bolt", "percent": 25, "start": start.isoformat(), "name": "welcome"}
    refused = acme.call("POST", discounts, json=body)
    assert refused.status_code == 400
    assert "start in the past" in refused.json()["faultstring"]
    made = acme.call("POST", f"{discounts}?force=true", json=body)
    assert made.status_code == 201, made.text
    # One that is deleted, and one of somebody else, make no difference.
    for scope in ("gone", "old"):
        other = acme.call("POST", discounts, json={"scope_id": scope, "percent": 100})
        assert other.status_code == 201, other.text
        if scope == "gone":
            path = f"{discounts}/{other.json()['discount_id']}"
            assert acme.call("DELETE", path).status_code == 204
            assert acme.call("GET", path).status_code == 404
    assert acme.call("POST", discounts, json={"scope_id": "bolt"}).status_code == 400
    found = acme.get(discounts)["discounts"]
    assert [(one["scope_id"], one["percent"], one["name"]) for one in found[:1]] == [
        ("bolt", 25, "welcome")
    ]
    assert len(found) == 2
    assert acme.get(f"{discounts}/{found[0]['discount_id']}") == found[0]


def test_everything_of_a_distribution_works_together(acme: Acme) -> None:
    configure(acme)
    modules = {module["module_id"]: module for module in acme.get("/v1/rating/modules")["modules"]}
    assert modules["acme"] == {
        "module_id": "acme",
        "description": "Acme's discounts.",
        "enabled": True,
        "hot-config": True,
        "priority": 5,
    }
    assert modules["acme_prices"]["enabled"]
    plain = acme.call("GET", "/v1/rating/module_config/acme_prices")
    assert plain.status_code == 409
    logged = acme.get("/v2/rating/audit", kind="acme discount")["results"]
    assert [entry["action"] for entry in logged] == ["create", "delete", "create", "create"]

    with server.processing(acme.config):
        wait_until_rated(acme)

    rows = acme.get(
        "/v2/summary", groupby="customer,type", response_format="object", **acme.interval
    )
    told = {(row["customer"], row["type"]): (row["qty"], row["rate"]) for row in rows["results"]}
    # 12 GiB at 0.003 and half a GB at 1.5, twice.
    assert told == {
        ("bolt", "disk"): (24, Decimal("0.054")),
        ("bolt", "traffic"): (1, Decimal("1.125")),
        ("gone", "disk"): (24, Decimal("0.072")),
        ("gone", "traffic"): (1, Decimal("1.5")),
    }
    frames = acme.get("/v2/dataframes", filters="id:bolt-2", **acme.interval)
    assert frames["total"] == 2
    (point,) = frames["dataframes"][0]["usage"]["disk"]
    assert (point["vol"], point["rating"]) == (
        {"unit": "GiB", "qty": 2},
        {"price": Decimal("0.0045")},
    )
    assert point["metadata"] == {"kind": "hdd"}
    year = str(from_epoch(acme.begins[0]).year)
    assert point["groupby"].items() >= {"customer": "bolt", "id": "bolt-2", "year": year}.items()
    explained = acme.get(
        "/v2/dataframes", filters="id:bolt-2", explain="true", limit="1", **acme.interval
    )
    explanation = explained["dataframes"][0]["usage"]["disk"][0]["explanation"]
    assert explanation["reproduced"] is True
    prices, discount, nothing = explanation["steps"]
    assert nothing["module"] == "noop"
    assert (prices["module"], prices["amount"]) == ("acme_prices", Decimal("0.006"))
    assert prices["details"] == {"unit_price": Decimal("0.003")}
    assert (discount["module"], discount["amount"]) == ("acme", Decimal("-0.0015"))

    report = acme.get("/v1/report/total", tenant_id="gone", **acme.interval)
    assert Decimal(str(report)) == Decimal("1.572")

    quote = {"resources": [{"service": "disk", "volume": "10", "desc": {}}]}
    assert acme.call("POST", "/v1/rating/quote", json=quote).json() == "0.03"

    begin = from_epoch(acme.begins[0]).isoformat()
    checked = acme.run("status", "collect", "check", "--scope", "bolt", "--begin", begin)
    assert "meters.csv: disk_bytes of bolt" in checked
    assert "12 GiB" in checked


def wait_until_rated(acme: Acme) -> None:
    deadline = time.monotonic() + 40
    newest = from_epoch(acme.begins[-1]).isoformat()
    while True:
        scopes = acme.get("/v2/scope")["results"]
        done = {
            scope["scope_id"] for scope in scopes if scope["last_processed_timestamp"] >= newest
        }
        if done >= set(CUSTOMERS):
            # The one that left long ago is not named any more.
            assert {scope["scope_id"] for scope in scopes} == set(CUSTOMERS)
            return
        log = acme.config.with_name("processor.log")
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
