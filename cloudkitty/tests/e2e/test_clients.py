# SPDX-License-Identifier: Apache-2.0
"""The clients people use against a real API and a real Keystone: every command, every role."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
import requests

from cloudkitty.tests import services
from cloudkitty.tests.e2e import clients
from cloudkitty.tests.e2e.clients import Shell
from cloudkitty.tests.e2e.rating_service import Service
from cloudkitty.tests.keystone import Cloud, User

pytestmark = [pytest.mark.e2e, pytest.mark.service]

FEBRUARY = ("-b", "2026-02-01T00:00:00Z", "-e", "2026-03-01T00:00:00Z")
SCRIPT = Path(__file__).with_name("client_script.py")


class Site:
    """The API with some costs of two projects, and people with credentials for it."""

    def __init__(self, url: str, cloud: Cloud) -> None:
        self.url = url
        self._region = cloud.endpoint("rating", url)
        self.admin = cloud.user(cloud.project("admins"), ["admin"])
        self.projects = [cloud.project("a"), cloud.project("b")]
        self.member = cloud.user(self.projects[0], ["member"])
        self._token = self.admin.token()
        for project in self.projects:
            self.post("/v2/scope", scope(project))
        self.post("/v2/dataframes", frames(self.projects, "compute"))

    def post(self, path: str, body: object) -> None:
        headers = {"X-Auth-Token": self._token}
        answer = requests.post(f"{self.url}{path}", json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text

    def variables(self, user: User) -> dict[str, str]:
        return user.environment(self._region)


def scope(project: str) -> dict[str, object]:
    """Give a project that was rated for the whole of February."""
    return {
        "scope_id": project,
        "scope_key": "project_id",
        "last_processed_timestamp": "2026-03-01T00:00:00",
    }


def frames(projects: list[str], metric: str) -> dict[str, object]:
    """Give an hour of two units for each project, at 1.25 for both."""
    points = [
        {
            "vol": {"unit": "u", "qty": 2},
            "rating": {"price": 1.25},
            "groupby": {"id": f"r-{number}", "project_id": project},
            "metadata": {"flavor": "small"},
        }
        for number, project in enumerate(projects)
    ]
    period = {"begin": "2026-02-01T00:00:00", "end": "2026-02-01T01:00:00"}
    return {"dataframes": [{"period": period, "usage": {metric: points}}]}


@pytest.fixture(scope="module")
def site(rating_service: Service) -> Site:
    services.env(clients.VARIABLE)
    return Site(rating_service.url, rating_service.cloud)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["openstack", "cloudkitty"])
def test_every_command_as_admin(site: Site, name: str, version: int, tmp_path: Path) -> None:
    with clients.shell(name, version, site.variables(site.admin)) as shell:
        expected = shell.commands
        _modules(shell)
        if (name, version) == ("cloudkitty", 2):
            # These are the same code and the same requests as in its version 1.
            expected = {one for one in expected if one.split()[0] not in {"hashmap", "pyscript"}}
        else:
            _hashmap(shell, site.projects[0])
            _pyscripts(shell, tmp_path)
        _info_and_collector(shell)
        _costs_v1(shell, site) if version == 1 else _costs_v2(shell, site, tmp_path)
        assert shell.succeeded == expected


def _modules(shell: Shell) -> None:
    assert {row["Module"]: row["Enabled"] for row in shell.rows("module list")} == {
        "hashmap": False,
        "noop": True,
        "pyscripts": False,
    }
    assert shell.row("module enable", "hashmap")["Enabled"] is True
    assert shell.row("module set priority", "hashmap", 7)["Priority"] == 7
    assert shell.row("module get", "hashmap") == {
        "Module": "hashmap",
        "Enabled": True,
        "Priority": 7,
    }
    assert shell.row("module set priority", "hashmap", 1)["Priority"] == 1
    assert shell.row("module disable", "hashmap")["Enabled"] is False
    assert "404" in shell.refusal("module get", "nosuch")


def _hashmap(shell: Shell, project: str) -> None:
    types = shell.rows("hashmap mapping-types list")
    assert [row["Mapping types"] for row in types] == ["flat", "rate"]
    service = shell.row("hashmap service create", "compute")
    service_id = service["Service ID"]
    assert shell.row("hashmap service list") == service
    assert shell.row("hashmap service get", service_id) == service
    assert "compute" in shell.refusal("hashmap service create", "compute")
    field = shell.row("hashmap field create", service_id, "flavor")
    field_id = field["Field ID"]
    assert shell.row("hashmap field list", service_id) == field
    assert shell.row("hashmap field get", field_id) == field
    group = shell.row("hashmap group create", "discount")
    group_id = group["Group ID"]
    assert shell.row("hashmap group list") == group
    _mappings(shell, service_id, field_id, group_id, project)
    _thresholds(shell, service_id, group_id)
    shell.do("hashmap group delete", "--recursive", group_id)
    shell.do("hashmap field delete", field_id)
    shell.do("hashmap service delete", service_id)
    assert shell.rows("hashmap service list") == shell.rows("hashmap group list") == []
    assert service_id in shell.refusal("hashmap service get", service_id)


def _mappings(shell: Shell, service: str, field: str, group: str, project: str) -> None:
    made = shell.row(
        "hashmap mapping create",
        *("0.42", "--field-id", field, "--value", "small", "-t", "flat", "-g", group),
        *("-p", project, "--name", "small-ones", "--start", "2100-01-01T00:00:00"),
        *("--end", "2100-02-01T00:00:00", "--description", "cheap"),
    )
    mapping = made["Mapping ID"]
    assert (float(made["Cost"]), made["Value"], made["Group ID"]) == (0.42, "small", group)
    assert (made["Mapping Name"], made["Project ID"]) == ("small-ones", project)
    assert made["Mapping Start Date"].startswith("2100-01-01T00:00:00")
    found = shell.row("hashmap mapping get", mapping)
    assert found == {name: made[name] for name in found}
    assert shell.row("hashmap mapping list", "--field-id", field) == found
    assert shell.row("hashmap group mappings get", group) == found
    changed = shell.row("hashmap mapping update", mapping, "--cost", "0.5")
    assert float(changed["Cost"]) == 0.5
    shell.do("hashmap mapping delete", mapping)
    shell.row("hashmap mapping create", "1", "-s", service)
    plain = shell.row("hashmap mapping list", "-s", service, "--no-group", "--filter-tenant")
    assert (plain["Service ID"], plain["Type"], plain["Group ID"]) == (service, "flat", None)
    shell.do("hashmap mapping delete", plain["Mapping ID"])


def _thresholds(shell: Shell, service: str, group: str) -> None:
    made = shell.row(
        "hashmap threshold create", "10", "0.9", "-s", service, "-t", "rate", "-g", group
    )
    threshold = made["Threshold ID"]
    assert (float(made["Level"]), float(made["Cost"]), made["Type"]) == (10, 0.9, "rate")
    assert shell.row("hashmap threshold get", threshold) == made
    assert shell.row("hashmap threshold list", "-s", service) == made
    assert shell.row("hashmap group thresholds get", group) == made
    changed = shell.row("hashmap threshold update", threshold, "-l", "20", "--cost", "0.8")
    assert (float(changed["Level"]), float(changed["Cost"])) == (20, 0.8)
    shell.do("hashmap threshold delete", threshold)
    assert shell.rows("hashmap group thresholds get", group) == []


def _pyscripts(shell: Shell, directory: Path) -> None:
    file = directory / "script.py"
    file.write_text("pass\n")
    made = shell.row("pyscript create", "nothing", file, "--start", "2100-01-01T00:00:00")
    script = made["Script ID"]
    assert (made["Name"], made["Data"]) == ("nothing", "pass\n")
    assert len(made["Checksum"]) == 128
    assert shell.row("pyscript get", script) == made
    assert not shell.row("pyscript list", "--no-data")["Data"]
    changed = shell.row("pyscript update", script, "-d", "data = data")
    assert changed["Data"] == "data = data"
    assert changed["Checksum"] != made["Checksum"]
    shell.do("pyscript delete", script)
    assert shell.rows("pyscript list") == []


def _info_and_collector(shell: Shell) -> None:
    listed = {row["Metric"]: row for row in shell.rows("info metric list")}
    name, expected = next(iter(listed.items()))
    assert expected["Unit"]
    assert shell.row("info metric get", name) == expected
    assert "metrics" in {row["Section"] for row in shell.rows("info config get")}
    mapping = {"Service": "compute", "Collector": "prometheus"}
    assert shell.row("collector-mapping create", "compute", "prometheus") == mapping
    assert shell.row("collector-mapping get", "compute") == mapping
    assert shell.row("collector-mapping list", "--collector", "prometheus") == mapping
    shell.do("collector-mapping delete", "compute")
    assert shell.rows("collector-mapping list") == []
    assert shell.row("collector enable", "prometheus")["State"] is True
    assert shell.row("collector state get", "prometheus")["State"] is True
    assert shell.row("collector disable", "prometheus")["State"] is False


def _costs_v1(shell: Shell, site: Site) -> None:
    tenants = {row["Tenant ID"] for row in shell.rows("report tenant list", *FEBRUARY)}
    assert tenants >= set(site.projects)
    rows = shell.rows(
        "summary get", "-a", "-g", "res_type", "tenant_id", *FEBRUARY, "-s", "compute"
    )
    assert {(row["Tenant ID"], row["Resource Type"], float(row["Rate"])) for row in rows} == {
        (project, "compute", 1.25) for project in site.projects
    }
    [project, _other] = site.projects
    total = json.loads(
        shell.do("total get", "-f", "json", "-t", project, "-s", "compute", *FEBRUARY)
    )
    assert total == {"Total": 1.25}
    row = shell.row("dataframes get", "-p", project, "-r", "compute", *FEBRUARY)
    [resource] = row["Resources"]
    assert row["Project ID"] == project
    assert (resource["service"], resource["desc"]["id"]) == ("compute", "r-0")
    assert (float(resource["volume"]), float(resource["rating"])) == (2, 1.25)
    assert resource["rate_value"] == "0.6250"
    table = shell.do("dataframes get", "-f", "df-to-csv", "-p", project, "-r", "compute", *FEBRUARY)
    assert len(table.splitlines()) == 2
    assert project in table


def _costs_v2(shell: Shell, site: Site, directory: Path) -> None:
    metric = f"pushed{directory.name}"
    file = directory / "frames.json"
    file.write_text(json.dumps(frames(site.projects, metric)))
    shell.do("dataframes add", file)
    other = site.projects[1]
    row = shell.row("dataframes get", "--filter", f"type:{metric}", "--filter", "id:r-1", *FEBRUARY)
    assert (row["Metric Type"], row["Unit"], float(row["Quantity"])) == (metric, "u", 2)
    assert float(row["Price"]) == 1.25
    assert f'project_id="{other}"' in row["Group By"]
    assert row["Metadata"] == 'flavor="small"'
    rows = shell.rows("summary get", "-g", "project_id", "--filter", f"type:{metric}", *FEBRUARY)
    assert {(row["Project id"], row["Qty"], row["Rate"]) for row in rows} == {
        (name, 2, 1.25) for name in site.projects
    }
    tenants = {row["Tenant ID"] for row in shell.rows("report tenant list", *FEBRUARY)}
    assert tenants >= set(site.projects)
    # A scope of its own: the same hour is not scheduled twice.
    site.post("/v2/scope", scope(metric))
    _scopes(shell, metric)


def _scopes(shell: Shell, name: str) -> None:
    shell.do("scope state reset", "--scope-id", name, "2026-02-01T05:00:00Z")
    deadline = time.monotonic() + 30
    while True:
        row = shell.row("scope state get", "--scope-id", name)
        assert row["Scope Key"] == "project_id"
        if row["State"].startswith("2026-02-01T05:00:00"):
            break
        assert time.monotonic() < deadline, row
        time.sleep(0.2)
    # This command ends with status 1 although all is well: it returns the answer to the shell.
    for active in (False, True):
        said = shell.refusal("scope patch", "--scope-id", name, "--active", active)
        assert f"'active': {active}" in said
    shell.succeeded.add("scope patch")
    assert "404" in shell.refusal("scope state get", "--scope-id", "nosuch")
    begin = ("--start-reprocess-time", "2026-02-01T00:00:00Z")
    end = ("--end-reprocess-time", "2026-02-01T01:00:00Z")
    shell.do("tasks reprocessing create", "--scope-id", name, *begin, *end, "--reason", "test")
    task = shell.rows("tasks reprocessing get", "--scope-id", name)[0]
    assert (task["Scope ID"], task["Reason"]) == (name, "test")


@pytest.mark.parametrize("version", [1, 2])
def test_a_member_sees_their_own_project(site: Site, version: int) -> None:
    own, other = site.projects
    with clients.shell("openstack", version, site.variables(site.member)) as shell:
        assert "403" in shell.refusal("module list")
        assert "403" in shell.refusal("hashmap service create", "compute")
        assert shell.rows("info metric list")
        if version == 1:
            row = shell.row("summary get", "-s", "compute", *FEBRUARY)
            assert float(row["Rate"]) == 1.25
            assert "403" in shell.refusal("summary get", "-t", other, *FEBRUARY)
            assert "403" in shell.refusal("total get", "-a", *FEBRUARY)
            frame = shell.row("dataframes get", "-r", "compute", *FEBRUARY)
            assert frame["Project ID"] == own
        else:
            group = ("-g", "project_id", "--filter", "type:compute")
            row = shell.row("summary get", *group, *FEBRUARY)
            assert (row["Project id"], row["Rate"]) == (own, 1.25)
            row = shell.row("dataframes get", "--filter", "type:compute", *FEBRUARY)
            assert f'project_id="{own}"' in row["Group By"]
            assert "403" in shell.refusal("scope state get")


def test_the_programs_themselves(site: Site) -> None:
    for words in (["openstack", "rating", "module", "list"], ["cloudkitty", "module", "list"]):
        done = subprocess.run(
            [clients.program(words[0]), *words[1:], "-f", "csv"],
            capture_output=True,
            text=True,
            timeout=60,
            env=clients.environment(site.variables(site.admin)),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert '"hashmap",False,1' in done.stdout


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("role", ["admin", "member"])
def test_python_library(site: Site, version: str, role: str) -> None:
    user = site.admin if role == "admin" else site.member
    done = subprocess.run(
        [clients.program("python"), str(SCRIPT), version, role, *site.projects],
        capture_output=True,
        text=True,
        timeout=60,
        env=clients.environment(site.variables(user)),
        check=False,
    )
    assert done.returncode == 0, done.stderr
