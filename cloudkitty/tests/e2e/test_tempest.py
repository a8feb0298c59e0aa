# SPDX-License-Identifier: Apache-2.0
"""The tests that OpenStack runs against a rating service: all of cloudkitty-tempest-plugin.

``tools/services.sh`` puts tempest and the plugin into a virtual environment of their own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from cloudkitty.tests import services
from cloudkitty.tests.e2e.rating_service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.service]

VARIABLE = "CLOUDKITTY_TEST_TEMPEST"
DRIVER = Path(__file__).with_name("tempest_driver.py")
CONFIGURATION = """
[DEFAULT]
log_file = {directory}/tempest.log
[oslo_concurrency]
lock_path = {directory}/locks
[auth]
admin_username = {admin.name}
admin_password = {admin.password}
admin_project_name = {project}
admin_domain_name = Default
use_dynamic_credentials = true
create_isolated_networks = false
tempest_roles = member
[identity]
uri_v3 = {cloud.url}
auth_version = v3
region = {region}
v3_endpoint_type = public
default_domain_id = default
[identity-feature-enabled]
api_v2 = false
api_v3 = true
[service_available]
cinder = false
glance = false
horizon = false
neutron = false
nova = false
swift = false
cloudkitty = true
[rating_plugin]
service_name = {kind}
user_name = {user.name}
[validation]
run_validation = false
"""


def test_all_of_the_plugin(rating_service: Service, tmp_path: Path) -> None:
    config = configure(rating_service, tmp_path)
    done = subprocess.run(
        [Path(services.env(VARIABLE)) / "bin" / "python", DRIVER, "cloudkitty_tests"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "TEMPEST_CONFIG": config.name, "TEMPEST_CONFIG_DIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["failed"], "\n".join(f"{name}\n{why}" for name, why in found["failed"].items())
    # The plugin itself skips it: "No data pushed to backend."
    assert [re.split(r"[.\[]", name)[-2] for name in found["skipped"]] == ["test_get_rated_tenants"]
    assert found["ran"] == 34


def configure(service: Service, directory: Path) -> Path:
    """Write the configuration of tempest; gives its path."""
    cloud = service.cloud
    project = cloud.project("tempest")
    # Not the type "rating": the plugin would take the first of that type, of another test's.
    kind = f"rating-{cloud.suffix}"
    config = directory / "tempest.conf"
    config.write_text(
        CONFIGURATION.format(
            directory=directory,
            cloud=cloud,
            admin=cloud.user(project, ["admin"]),
            project=cloud.call("GET", f"/projects/{project}").json()["project"]["name"],
            region=cloud.endpoint(kind, service.url),
            kind=kind,
            user=cloud.user(project, [], name="cloudkitty"),
        )
    )
    cloud.role("rating")
    return config
