# SPDX-License-Identifier: Apache-2.0
"""A program that uses the Python library of python-cloudkittyclient.

``PYTHON client_script.py VERSION admin|member PROJECT OTHER`` with the Python of the clients'
virtual environment and the environment variables of a user. Fails when an answer is not what it
has to be; PROJECT is the member's.
"""

from __future__ import annotations

import datetime as dt
import importlib
import os
import sys
from typing import Any

BEGIN, END = (dt.datetime(2026, month, 1) for month in (2, 3))  # noqa: DTZ001  # the client's way

#: A rule that already applies could not be changed.
LATER = "2100-01-01T00:00:00"


def connect(version: str) -> Any:
    """Give the library's client."""
    credentials = importlib.import_module("keystoneauth1.identity").V3Password(
        auth_url=os.environ["OS_AUTH_URL"],
        username=os.environ["OS_USERNAME"],
        password=os.environ["OS_PASSWORD"],
        project_id=os.environ["OS_PROJECT_ID"],
        user_domain_id=os.environ["OS_USER_DOMAIN_ID"],
    )
    return importlib.import_module("cloudkittyclient.client").Client(
        version, auth=credentials, adapter_options={"region_name": os.environ["OS_REGION_NAME"]}
    )


def refused(call: Any, **arguments: Any) -> None:
    """Check that a call is forbidden."""
    http = importlib.import_module("keystoneauth1.exceptions.http")
    status = 200
    try:
        call(**arguments)
    except http.HttpError as error:
        status = error.http_status
    assert status == 403, status


def costs_v1(client: Any, project: str) -> None:
    """Read what a project costs."""
    interval = {"begin": BEGIN, "end": END, "tenant_id": project}
    summary = client.report.get_summary(groupby=["res_type"], **interval)["summary"]
    rates = {row["res_type"]: float(row["rate"]) for row in summary}
    assert rates["compute"] == 1.25, rates
    assert float(client.report.get_total(service="compute", **interval)) == 1.25
    frames = client.storage.get_dataframes(resource_type="compute", **interval)["dataframes"]
    assert [frame["tenant_id"] for frame in frames] == [project], frames


def costs_v2(client: Any, visible: set[str]) -> None:
    """Read what the visible projects cost."""
    interval = {"begin": BEGIN, "end": END, "filters": {"type": "compute"}}
    summary = client.summary.get_summary(
        groupby=["project_id"], response_format="object", **interval
    )
    rates = {row["project_id"]: row["rate"] for row in summary["results"]}
    assert rates == dict.fromkeys(visible, 1.25), rates
    found = client.dataframes.get_dataframes(**interval)
    [frame] = found["dataframes"]
    projects = {point["groupby"]["project_id"] for point in frame["usage"]["compute"]}
    assert projects == visible, found


def manage(client: Any) -> None:
    """Make, change and remove a price and a script; switch a module."""
    hashmap, scripts = client.rating.hashmap, client.rating.pyscripts
    service = hashmap.create_service(name="library")["service_id"]
    assert hashmap.get_service(service_id=service)["name"] == "library"
    mapping = hashmap.create_mapping(cost=1.5, service_id=service, start=LATER)["mapping_id"]
    changed = hashmap.update_mapping(mapping_id=mapping, cost="2.5")
    assert float(changed["cost"]) == 2.5, changed
    hashmap.delete_mapping(mapping_id=mapping)
    hashmap.delete_service(service_id=service)
    script = scripts.create_script(name="library", data="pass", start=LATER)["script_id"]
    assert scripts.update_script(script_id=script, data="0")["data"] == "0"
    scripts.delete_script(script_id=script)
    for enabled in (True, False):
        module = client.rating.update_module(module_id="hashmap", enabled=enabled)
        assert module["enabled"] is enabled, module


def main() -> None:
    """Do what the role may do."""
    version, role, project, other = sys.argv[1:]
    client = connect(version)
    assert client.info.get_metric()["metrics"]
    if role == "admin":
        manage(client)
        visible = {project, other}
        tenants = set(client.report.get_tenants(begin=BEGIN, end=END))
        assert tenants >= visible, tenants
    else:
        visible = {project}
        refused(client.rating.get_module)
        refused(client.rating.hashmap.create_service, name="library")
        refused(client.report.get_summary, tenant_id=other)
        refused(client.report.get_tenants)
    if version == "1":
        for one in visible:
            costs_v1(client, one)
        return
    costs_v2(client, visible)
    if role == "admin":
        scopes = client.scope.get_scope_state(scope_id=list(visible))["results"]
        assert {scope["scope_id"] for scope in scopes} == visible, scopes
        assert "results" in client.reprocessing.get_reprocessing_tasks()
    else:
        refused(client.scope.get_scope_state)
        refused(client.dataframes.add_dataframes, dataframes={"dataframes": []})


if __name__ == "__main__":
    main()
