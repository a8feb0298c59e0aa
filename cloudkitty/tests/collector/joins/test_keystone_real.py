# SPDX-License-Identifier: Apache-2.0
"""Names from a real Keystone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg
from oslo_config import fixture as cfg_fixture

from cloudkitty import keystone as ck_keystone
from cloudkitty.collector import CollectError
from cloudkitty.collector.joins.base import Window
from cloudkitty.collector.joins.keystone import KeystoneDirectory
from cloudkitty.tests import keystone, prometheus, webserver
from cloudkitty.tests.collector.joins.sources import usage

pytestmark = pytest.mark.service

PROJECT: dict[str, Any] = {
    "source": "keystone",
    "entity": "project",
    "on": ["project_id"],
    "groupby": {"project_name": "name"},
    "metadata": {"domain": "domain_name", "on": "enabled"},
    "missing": "nobody",
}
USER: dict[str, Any] = {
    "source": "keystone",
    "entity": "user",
    "on": {"user_id": "id"},
    "metadata": {"user": "name"},
}


@pytest.fixture(scope="module")
def cloud() -> Iterator[keystone.Cloud]:
    with keystone.cloud() as found:
        yield found


@pytest.fixture(scope="module")
def administrator(cloud: keystone.Cloud) -> keystone.User:
    return cloud.user(cloud.project("admins"), ["admin"])


@pytest.fixture
def admin(
    conf: cfg_fixture.Config, cloud: keystone.Cloud, administrator: keystone.User
) -> keystone.User:
    """An administrator, whose credentials are those of the fetcher."""
    _credentials(conf, cloud, administrator)
    return administrator


def _credentials(
    conf: cfg_fixture.Config, cloud: keystone.Cloud, user: keystone.User, **changes: str
) -> None:
    values = {
        "auth_type": "password",
        "auth_url": cloud.url,
        "username": user.name,
        "password": user.password,
        "user_domain_id": "default",
        "project_id": user.project_id,
        **changes,
    }
    conf.load_raw_values(group="fetcher_keystone", **values)


def test_names_of_projects_domains_and_users(
    conf: cfg_fixture.Config, cloud: keystone.Cloud, admin: keystone.User
) -> None:
    project = cloud.project("shop")
    name = cloud.call("GET", f"/projects/{project}").json()["project"]["name"]
    series = [
        {"id": "known", "project_id": project, "user_id": admin.id},
        {"id": "unknown", "project_id": "gone", "user_id": "gone"},
    ]
    with usage(conf, series, PROJECT, USER) as collect:
        found = collect()
        shown = {
            one: {label: labels[label] for label in ("project_name", "domain", "on", "user")}
            for one, labels in found.items()
        }
        assert shown == {
            "known": {"project_name": name, "domain": "Default", "on": True, "user": admin.name},
            "unknown": {"project_name": "nobody", "domain": "nobody", "on": "nobody", "user": ""},
        }


def test_a_project_that_is_deleted_keeps_its_name(
    conf: cfg_fixture.Config, cloud: keystone.Cloud, admin: keystone.User
) -> None:
    body = {"project": {"name": f"old-{cloud.suffix}", "domain_id": "default"}}
    made = cloud.call("POST", "/projects", body).json()["project"]
    session = ck_keystone.session(cfg.CONF, "fetcher_keystone")
    identity = ck_keystone.adapter(session, service_type="identity", version="3")
    # What is known is old at once.
    directory = KeystoneDirectory(identity, "project", domain_names=False, seconds=0)

    def name() -> Any:
        return directory.find([(made["id"],)], Window((0,), 3600)).timelines[made["id"],].always

    assert name()["name"] == made["name"]
    cloud.call("PATCH", f"/projects/{made['id']}", {"project": {"name": f"new-{cloud.suffix}"}})
    assert name()["name"] == f"new-{cloud.suffix}"
    cloud.call("DELETE", f"/projects/{made['id']}")
    assert name()["name"] == f"new-{cloud.suffix}"


def test_a_list_that_keystone_cuts_off(
    conf: cfg_fixture.Config, cloud: keystone.Cloud, admin: keystone.User
) -> None:
    """What is not in the list is asked for by its id; here a server cuts after one project."""
    project = cloud.project("late")
    real = cloud.call("GET", f"/projects/{project}").json()

    def answer(request: webserver.Request) -> webserver.Reply:
        if request.path == "/projects":
            return webserver.Reply(body={"projects": [{"id": "first"}], "truncated": True})
        if request.path == f"/projects/{project}":
            return webserver.Reply(body=real)
        return webserver.Reply(404, {"error": {"message": "not there", "code": 404}})

    with webserver.serving(answer) as server:
        session = ck_keystone.session(cfg.CONF, "fetcher_keystone")
        identity = ck_keystone.adapter(
            session, service_type="identity", endpoint_override=server.url
        )
        directory = KeystoneDirectory(identity, "project", domain_names=False, seconds=60)
        keys = [(project,), ("none",), ("first",)]
        found = directory.find(keys, Window((0,), 3600)).timelines
        assert found[project,].always == real["project"]
        assert found["none",].always is None
        assert len(server.requests) == 3


def test_without_the_right_to_list_projects(
    conf: cfg_fixture.Config, cloud: keystone.Cloud, admin: keystone.User
) -> None:
    _credentials(conf, cloud, cloud.user(cloud.project(), ["member"]))
    with usage(conf, [{"id": "one", "project_id": "p"}], PROJECT) as collect:
        reason = r"metric 'm': join with keystone 'project': GET /projects: .*403"
        with pytest.raises(CollectError, match=reason):
            collect()


def test_a_keystone_that_is_down(
    conf: cfg_fixture.Config,
    cloud: keystone.Cloud,
    admin: keystone.User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ck_keystone, "_PAUSE", 0.01)
    nowhere = f"http://127.0.0.1:{prometheus.free_port()}/v3"
    _credentials(conf, cloud, admin, auth_url=nowhere)
    with (
        usage(conf, [{"id": "one", "project_id": "p"}], PROJECT) as collect,
        pytest.raises(CollectError, match=r"join with keystone .project.: .*onnect"),
    ):
        collect()
