# SPDX-License-Identifier: Apache-2.0
"""The demo source over HTTP; its numbers are those of a real Prometheus with the same samples."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cloudkitty.demo.cloud import DAY, HOUR, Cloud
from cloudkitty.demo.series import SCRAPE, TimeSeries
from cloudkitty.demo.server import DemoServer, number
from cloudkitty.tests import services

NOW = 1_793_500_000  # in November 2026
MIDNIGHT = NOW // DAY * DAY


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    cloud = Cloud("kitty", MIDNIGHT - 2 * DAY, projects=10)
    server = DemoServer(("127.0.0.1", 0), cloud, clock=lambda: NOW)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def url(server: DemoServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/api/v1"


def test_instant_query(url: str) -> None:
    query = {"query": "max(openstack_identity_project_info) by (project_id)"}

    got = requests.get(f"{url}/query", params=query, timeout=10).json()

    assert got["status"] == "success"
    assert got["data"]["resultType"] == "vector"
    assert len(got["data"]["result"]) == 10
    assert got["data"]["result"][0]["value"] == [NOW, "1"]
    assert list(got["data"]["result"][0]["metric"]) == ["project_id"]


def test_get_and_post_and_both_forms_of_time_agree(url: str) -> None:
    query = {"query": "count(count_over_time(openstack_nova_server_status[3600s]))"}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(MIDNIGHT))

    got = requests.get(f"{url}/query", params=query | {"time": stamp}, timeout=10)
    posted = requests.post(f"{url}/query", data=query | {"time": MIDNIGHT}, timeout=10)

    assert got.json() == posted.json()
    assert float(got.json()["data"]["result"][0]["value"][1]) > 10


def test_a_range_is_what_its_instants_are(url: str) -> None:
    query = "avg(avg_over_time(openstack_object_store_bytes[1h])) by (project_id)"
    span = {"query": query, "start": MIDNIGHT - 5 * HOUR, "end": MIDNIGHT, "step": "1h"}

    ranged = requests.post(f"{url}/query_range", data=span, timeout=10).json()["data"]

    assert ranged["resultType"] == "matrix"
    for index in range(6):
        at = MIDNIGHT - (5 - index) * HOUR
        one = requests.get(f"{url}/query", params={"query": query, "time": at}, timeout=10).json()
        assert [series["values"][index] for series in ranged["result"]] == [
            series["value"] for series in one["data"]["result"]
        ]


@pytest.mark.parametrize(
    ("path", "parameters", "text"),
    [
        ("query", {"query": "rate(m[5m])"}, 'invalid parameter "query"'),
        ("query", {}, 'invalid parameter "query"'),
        ("query", {"query": "m", "time": "soon"}, 'invalid parameter "time"'),
        ("query_range", {"query": "m", "end": 1, "step": 1}, 'invalid parameter "start"'),
        (
            "query_range",
            {"query": "m", "start": 2, "end": 1, "step": 1},
            "end timestamp must not be before start",
        ),
        ("query_range", {"query": "m", "start": 1, "end": 2, "step": 0}, "zero or negative"),
        ("query_range", {"query": "m", "start": 1, "end": 99999, "step": 1}, "exceeded maximum"),
    ],
)
def test_errors(url: str, path: str, parameters: dict[str, str], text: str) -> None:
    got = requests.get(f"{url}/{path}", params=parameters, timeout=10)

    assert got.status_code == 400
    assert got.json()["status"] == "error"
    assert got.json()["errorType"] == "bad_data"
    assert text in got.json()["error"]


def test_other_paths_are_not_there(url: str) -> None:
    assert requests.get(f"{url}/labels", timeout=10).status_code == 404
    assert requests.get(url.replace("/api/v1", "/-/ready"), timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (0.1, "0.1"), (1e21, "1000000000000000000000"), (1.5e-7, "0.00000015")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def _openmetrics(cloud: dict[str, list[TimeSeries]], start: int, path: Path) -> None:
    with path.open("w", encoding="utf-8") as output:
        for name, series in cloud.items():
            output.write(f"# TYPE {name} gauge\n")
            for one in series:
                labels = ",".join(f'{key}="{value}"' for key, value in one.labels.items())
                for at in range(-(-start // SCRAPE) * SCRAPE, NOW, SCRAPE):
                    value = one.at(at, NOW)
                    if value is not None:
                        output.write(f"{name}{{{labels}}} {number(value)} {at}\n")
        output.write("# EOF\n")


@pytest.fixture(scope="module")
def prometheus(server: DemoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that holds the samples of the last hours."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        services.missing("prometheus and promtool (tools/services.sh install)")
    home = tmp_path_factory.mktemp("prometheus")
    _openmetrics(server.series(NOW), NOW - 9 * HOUR, home / "history")
    make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h"]
    subprocess.run([*make, home / "history", home / "tsdb"], check=True, capture_output=True)
    (home / "prometheus.yml").write_text("global: {}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={home}/prometheus.yml",
            f"--storage.tsdb.path={home}/tsdb",
            "--storage.tsdb.retention.time=20y",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        for _attempt in range(200):
            try:
                if requests.get(f"{base}/-/ready", timeout=5).ok:
                    break
            except requests.ConnectionError:
                pass
            time.sleep(0.1)
        yield f"{base}/api/v1"
    finally:
        process.terminate()
        process.wait(30)


def _values(url: str, query: str) -> dict[tuple[tuple[str, str], ...], list[tuple[int, float]]]:
    end = NOW // HOUR * HOUR
    span = {"query": query, "start": end - 6 * HOUR, "end": end, "step": HOUR}
    body = requests.post(f"{url}/query_range", data=span, timeout=60).json()
    assert body["status"] == "success", body
    return {
        tuple(sorted(series["metric"].items())): [(at, float(v)) for at, v in series["values"]]
        for series in body["data"]["result"]
    }


@pytest.mark.service
@pytest.mark.parametrize(
    "query",
    [
        *[
            f"{name}({name}_over_time({metric}[3600s])) by (project_id, flavor_name)"
            for name in ("avg", "count", "max", "min", "stddev", "stdvar", "sum")
            for metric in ("openstack_nova_server_status", "openstack_object_store_bytes")
        ],
        "max(max_over_time(openstack_nova_server_status[3600s])) by (id, name, project_id)",
        'max(max_over_time(openstack_cinder_volume_gb{project_name=~"crm|mail|m.*"}[60m])) by (id)',
        'sum(sum_over_time(openstack_cinder_volume_gb{project_name!~"crm|mail"}[60m]))',
        'avg(sqrt(avg_over_time(openstack_cinder_volume_gb{volume_type="ssd"}[1h]))) by (id)',
        "sum(last_over_time(openstack_object_store_bytes[20m])) by (project_id, nothing)",
        "count(openstack_neutron_floating_ip) by (project_name)",
        "openstack_identity_project_info",
        "nothing_at_all",
    ],
)
def test_a_real_prometheus_answers_the_same(url: str, prometheus: str, query: str) -> None:
    ours, real = _values(url, query), _values(prometheus, query)

    assert ours.keys() == real.keys()
    assert query == "nothing_at_all" or real
    for labels, values in real.items():
        assert [at for at, _v in ours[labels]] == [at for at, _v in values], labels
        for (_at, mine), (_same, theirs) in zip(ours[labels], values, strict=True):
            assert math.isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-4), (labels, mine, theirs)
